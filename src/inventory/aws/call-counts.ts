/** How many calls were made, each attempt counted, and how many of them were throttled. What is counted here counts in `whole` too. */
export class CallCounts {
  total = 0;
  throttled = 0;
  readonly by_operation: Record<string, number> = {};
  readonly #whole: CallCounts | null;

  constructor(whole: CallCounts | null = null) {
    this.#whole = whole;
  }

  /** Counts one attempt. */
  add(operation: string): void {
    this.total += 1;
    this.by_operation[operation] = (this.by_operation[operation] ?? 0) + 1;
    this.#whole?.add(operation);
  }

  /** Counts one throttled reply. */
  addThrottled(): void {
    this.throttled += 1;
    this.#whole?.addThrottled();
  }

  /** `{total, throttled, "<Operation>": n}`: the form of a scan's `api_calls`. */
  toJSON(): { total: number; throttled: number } & Record<string, number> {
    return { total: this.total, throttled: this.throttled, ...this.by_operation };
  }
}

/** What was counted between two readings of the same counts. */
export function countedSince(
  after: Readonly<Record<string, number>>,
  before: Readonly<Record<string, number>>,
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const [name, count] of Object.entries(after)) {
    const more = count - (before[name] ?? 0);
    if (more > 0 || name === "total" || name === "throttled") counts[name] = more;
  }
  return counts;
}
