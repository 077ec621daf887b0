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

/** So long after a throttle the rate is back where it was throttled; from there on it rises ever faster. */
const RECOVERY_SECONDS = 4;

/** Until then the rate rises in steps of this length. */
const RECOVERY_STEP_MS = 200;

/** Calls at once while the API throttles: one is due, and one more may be when a timer was late. */
const THROTTLED_BURST = 2;

/**
 * A token bucket that learns. Each second with a success and no throttle doubles the rate, up to the most that is allowed; a
 * throttle halves it and ends the burst. After a throttle the rate rises along a cubic curve (CUBIC, RFC 9438): back to where it
 * was throttled, there for some seconds nearly flat, then faster, at most doubling. So an API that gives less than we want
 * is used to nearly all that it gives, and one that throttled for a moment is soon used in full.
 *
 * Times are milliseconds of any clock that does not go back.
 */
export class TokenBucket {
  readonly #burst: number;
  readonly #most: number;
  #rate: number;
  #tokens: number;
  #filled_at: number;
  #changed_at: number;
  /** The last throttle: the rate that was too fast, and when calls could go on. */
  #throttle: { readonly rate: number; readonly until: number } | null = null;
  #halved_at = Number.NEGATIVE_INFINITY;

  constructor(rate: SteadyRate | RisingRate, now: number) {
    const rising = "most" in rate;
    this.#burst = Math.max(1, rising ? rate.start : rate.burst);
    this.#most = rising ? rate.most : rate.per_second;
    this.#rate = rising ? rate.start : rate.per_second;
    this.#tokens = this.#burst;
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
    if (this.#throttle && now < this.#throttle.until) return this.#throttle.until - now;
    // The margin absorbs rounding, so that a caller that waited exactly long enough is not sent back for a fraction.
    if (this.#tokens < 1 - 1e-6) return Math.ceil(((1 - this.#tokens) / this.#rate) * 1000);
    this.#tokens -= 1;
    return 0;
  }

  /** A call was answered without being throttled. */
  succeeded(now: number): void {
    const step = this.#throttle ? RECOVERY_STEP_MS : 1000;
    if ((this.#rate >= this.#most && !this.#throttle) || now - this.#changed_at < step) return;
    this.#fill(now);
    const allowed = this.#throttle ? risen(this.#throttle, now) : this.#most;
    this.#rate = Math.max(this.#rate, Math.min(this.#most, this.#rate * 2 ** (step / 1000), allowed));
    this.#changed_at = now;
    if (this.#rate >= this.#most) this.#throttle = null;
  }

  /**
   * A call that had begun at `began_at` was throttled. Calls that were under way when the rate was last halved say nothing
   * about the new rate. `retry_after`: milliseconds that the service asks to wait.
   */
  throttled(now: number, began_at: number, retry_after = 0): void {
    this.#fill(now);
    const until = Math.max(this.#throttle?.until ?? now, now + retry_after);
    if (began_at < this.#halved_at) {
      if (this.#throttle) this.#throttle = { ...this.#throttle, until };
      return;
    }
    this.#throttle = { rate: this.#rate, until };
    this.#tokens = Math.min(this.#tokens, 0);
    this.#rate = Math.max(Math.min(LEAST_PER_SECOND, this.#most), this.#rate / 2);
    this.#changed_at = until;
    this.#halved_at = now;
  }

  #fill(now: number): void {
    const most = this.#throttle ? THROTTLED_BURST : this.#burst;
    this.#tokens = Math.min(most, this.#tokens + (Math.max(0, now - this.#filled_at) / 1000) * this.#rate);
    this.#filled_at = Math.max(this.#filled_at, now);
  }
}

/** The rate that the time since a throttle allows: half of what was throttled at once, all of it after the recovery. */
function risen(throttle: { readonly rate: number; readonly until: number }, now: number): number {
  const way = (now - throttle.until) / 1000 / RECOVERY_SECONDS - 1;
  return throttle.rate * (1 + way ** 3 / 2);
}
