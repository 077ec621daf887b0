/** How many calls were made, each attempt counted, and how many of them were throttled. */
export class CallCounts {
  total = 0;
  throttled = 0;
  readonly by_operation: Record<string, number> = {};

  /** Counts one attempt. */
  add(operation: string): void {
    this.total += 1;
    this.by_operation[operation] = (this.by_operation[operation] ?? 0) + 1;
  }

  /** `{total, throttled, "<Operation>": n}`: the form of a scan's `api_calls`. */
  toJSON(): { total: number; throttled: number } & Record<string, number> {
    return { total: this.total, throttled: this.throttled, ...this.by_operation };
  }
}
