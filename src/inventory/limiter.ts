/** Calls at a steady rate after a burst. AWS publishes a rate only for GetResources: 15 a second. */
export type SteadyRate = { readonly burst: number; readonly per_second: number };

/** Calls that start slowly and double each second while nothing throttles. */
export type RisingRate = { readonly start: number; readonly most: number };

/** How fast one target is called: the tag index, each List operation on its own, tag reads and writes of the service. */
export type LimitSettings = {
  readonly index: SteadyRate;
  readonly list: SteadyRate;
  readonly read: RisingRate;
  readonly write: RisingRate;
};

/** The rates when nothing else is set. */
export const DEFAULT_LIMITS: LimitSettings = {
  index: { burst: 150, per_second: 15 },
  list: { burst: 50, per_second: 10 },
  read: { start: 10, most: 40 },
  write: { start: 10, most: 40 },
};

/** A throttled caller still asks this often, or it would never learn that the throttling ended. */
const LEAST_PER_SECOND = 2;

/**
 * A token bucket that learns: a throttle halves its rate and empties it, each second with a success and no throttle doubles
 * the rate up to the most that is allowed. Times are milliseconds of any clock that does not go back.
 */
export class TokenBucket {
  readonly #capacity: number;
  readonly #most: number;
  #rate: number;
  #tokens: number;
  #filled_at: number;
  #changed_at: number;
  #halved_at = Number.NEGATIVE_INFINITY;
  #blocked_until = Number.NEGATIVE_INFINITY;

  constructor(rate: SteadyRate | RisingRate, now: number) {
    const rising = "most" in rate;
    this.#capacity = Math.max(1, rising ? rate.start : rate.burst);
    this.#most = rising ? rate.most : rate.per_second;
    this.#rate = rising ? rate.start : rate.per_second;
    this.#tokens = this.#capacity;
    this.#filled_at = now;
    this.#changed_at = now;
  }

  /** Calls a second at this moment. */
  get rate(): number {
    return this.#rate;
  }

  /** Takes a token and returns 0, or returns the milliseconds after which to try again. */
  take(now: number): number {
    this.#fill(now);
    if (now < this.#blocked_until) return this.#blocked_until - now;
    // The margin absorbs rounding, so that a caller that waited exactly long enough is not sent back for a fraction.
    if (this.#tokens < 1 - 1e-6) return Math.ceil(((1 - this.#tokens) / this.#rate) * 1000);
    this.#tokens -= 1;
    return 0;
  }

  /** A call was answered without being throttled. */
  succeeded(now: number): void {
    if (this.#rate >= this.#most || now - this.#changed_at < 1000) return;
    this.#fill(now);
    this.#rate = Math.min(this.#most, this.#rate * 2);
    this.#changed_at = now;
  }

  /**
   * A call that had begun at `began_at` was throttled. Calls that were under way when the rate was last halved say nothing
   * about the new rate. `retry_after`: milliseconds that the service asks to wait.
   */
  throttled(now: number, began_at: number, retry_after = 0): void {
    this.#fill(now);
    this.#blocked_until = Math.max(this.#blocked_until, now + retry_after);
    if (began_at < this.#halved_at) return;
    this.#tokens = Math.min(this.#tokens, 0);
    this.#rate = Math.max(Math.min(LEAST_PER_SECOND, this.#most), this.#rate / 2);
    this.#changed_at = now;
    this.#halved_at = now;
  }

  #fill(now: number): void {
    this.#tokens = Math.min(this.#capacity, this.#tokens + (Math.max(0, now - this.#filled_at) / 1000) * this.#rate);
    this.#filled_at = Math.max(this.#filled_at, now);
  }
}
