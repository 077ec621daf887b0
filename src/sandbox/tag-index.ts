import type { ResourceType } from "../inventory/resource-types.ts";
import { RESOURCE_TYPE_NAMES } from "../inventory/resource-types.ts";
import type { Bucket } from "./bucket.ts";
import type { SandboxResource, Tags } from "./resource.ts";

/** What the index shows of a resource; null: nothing. */
type View = { readonly arn: string; readonly tags: Tags } | null;
type Pending = { readonly due: number; readonly arn: string; readonly view: View };

/**
 * The index behind the tagging API in one target. It shows what was tagged once, and it lags: a change is seen `lag_ms` later.
 * A resource without a waiting change is read from the world itself, so the index costs nothing until something changes.
 */
export class TagIndex {
  readonly #buckets: (type: ResourceType) => Bucket;
  readonly #types: readonly ResourceType[];
  readonly #now: () => Date;
  readonly #waiting: Pending[] = [];
  /** Resources with waiting changes: what the index shows until then, and how many wait. */
  readonly #stale = new Map<string, { view: View; waiting: number }>();
  #sorted: readonly string[] | null = null;
  #lag_ms: number;

  constructor(
    buckets: (type: ResourceType) => Bucket,
    unindexed: readonly ResourceType[],
    lag_ms: number,
    now: () => Date,
  ) {
    this.#buckets = buckets;
    this.#types = RESOURCE_TYPE_NAMES.filter((type) => !unindexed.includes(type));
    this.#lag_ms = lag_ms;
    this.#now = now;
  }

  /** What the index shows of an ARN now. `live` is the resource itself, if it exists. */
  view(arn: string, live: SandboxResource | undefined): View {
    this.#settle();
    const stale = this.#stale.get(arn);
    return stale ? stale.view : this.#viewOf(live);
  }

  /** ARNs that the index may show, sorted. */
  arns(): readonly string[] {
    this.#settle();
    if (!this.#sorted) {
      const arns = new Set<string>();
      for (const type of this.#types) {
        for (const row of this.#buckets(type).rows()) if (row.ever_tagged) arns.add(row.arn);
      }
      for (const [arn, { view }] of this.#stale) if (view) arns.add(arn);
      this.#sorted = [...arns].sort();
    }
    return this.#sorted;
  }

  /** Tells the index of a change. `before` and `after` are the resource around it; undefined: it did not exist. */
  changed(arn: string, before: SandboxResource | undefined, after: SandboxResource | undefined): void {
    this.#settle();
    const view = this.#viewOf(after);
    const stale = this.#stale.get(arn);
    if (!stale && (this.#viewOf(before) === null) !== (view === null)) this.#sorted = null;
    if (this.#lag_ms === 0) return;
    if (stale) stale.waiting++;
    else this.#stale.set(arn, { view: this.#viewOf(before), waiting: 1 });
    this.#waiting.push({ due: this.#now().getTime() + this.#lag_ms, arn, view });
  }

  #viewOf(resource: SandboxResource | undefined): View {
    if (!resource?.ever_tagged || !this.#types.includes(resource.type)) return null;
    return { arn: resource.arn, tags: resource.tags };
  }

  #settle(): void {
    const now = this.#now().getTime();
    while ((this.#waiting[0]?.due ?? Infinity) <= now) {
      const change = this.#waiting.shift();
      const stale = change && this.#stale.get(change.arn);
      if (!change || !stale) return;
      if ((stale.view === null) !== (change.view === null)) this.#sorted = null;
      stale.view = change.view;
      stale.waiting--;
      if (stale.waiting === 0) this.#stale.delete(change.arn);
    }
  }
}
