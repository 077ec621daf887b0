import { type ErrorKind, errorKind, retryAfter, retryDelay } from "../call-error.ts";
import { type RisingRate, type SteadyRate, TokenBucket } from "../limiter.ts";
import type { CallCounts } from "./call-counts.ts";
import { pause } from "./pause.ts";

/** What all gates of an installation share. */
export type GateSettings = {
  /** How long a call that keeps failing is tried, and how long an API that answers nothing is believed to recover. */
  readonly patience_ms: number;
  /** After this time without a whole reply, an attempt has failed. */
  readonly timeout_ms: number;
  readonly counts: CallCounts;
  /** Hears of every attempt as it ends. */
  readonly onAttempt?: ((attempt: Attempt) => void) | undefined;
};

/** How an attempt ended. `aborted`: whoever asked did not want the answer any more. */
type Outcome = "ok" | "throttled" | "denied" | "error" | "aborted";

/** One attempt at a call. */
export type Attempt = { readonly operation: string; readonly outcome: Outcome; readonly seconds: number };

const OUTCOMES: Record<ErrorKind, Outcome> = {
  throttle: "throttled",
  denied: "denied",
  transient: "error",
  credentials: "error",
  final: "error",
};

/** How one call goes through a gate. */
export type GateCall<T> = {
  readonly operation: string;
  readonly run: (signal: AbortSignal) => Promise<T>;
  /** False: one attempt, whatever happens. */
  readonly retry: boolean;
  /** Gets new credentials after the service called the present ones expired; true if a further attempt makes sense. */
  readonly renew: () => Promise<boolean>;
  readonly signal: AbortSignal | undefined;
};

/** Lets a waiting call in. */
type Waiting = () => void;

const PROBE_EVERY_MS = 1000;

/**
 * Through a gate go all calls of one API in one target: at the rate of its bucket, in the order they came, at most
 * `in_flight` at a time, tried again while that makes sense.
 *
 * An API that has answered nothing for as long as our patience is taken for broken: calls fail at once with the last error,
 * but for one probe a second, until an answer comes.
 */
export class Gate {
  readonly #settings: GateSettings;
  readonly #bucket: TokenBucket;
  readonly #in_flight: number;
  readonly #fresh: Waiting[] = [];
  /** Calls that failed before: they go first. */
  readonly #retries: Waiting[] = [];
  #running = 0;
  #timer: NodeJS.Timeout | null = null;
  #failing: { readonly since: number; readonly last_error: unknown; probed_at: number } | null = null;

  constructor(rate: SteadyRate | RisingRate, in_flight: number, settings: GateSettings) {
    this.#settings = settings;
    this.#in_flight = in_flight;
    this.#bucket = new TokenBucket(rate, performance.now());
  }

  /** Makes a call. Rejects with the last error of AWS, or at once with the signal's reason when that aborts. */
  async call<T>(call: GateCall<T>): Promise<T> {
    let renewed = false;
    let give_up_at = Number.POSITIVE_INFINITY;
    for (let attempt = 1; ; attempt++) {
      await this.#enter(attempt === 1 ? this.#fresh : this.#retries, call.signal);
      const began_at = performance.now();
      let error: unknown;
      try {
        this.#failIfBroken(began_at);
        this.#settings.counts.add(call.operation);
        const result = await this.#attempt(call);
        this.#answered();
        return result;
      } catch (cause) {
        error = cause;
      } finally {
        this.#leave();
      }
      call.signal?.throwIfAborted();
      if (error instanceof BrokenApi) throw error.cause;
      const kind = this.#note(error, began_at);
      if (kind === "credentials" && !renewed) {
        renewed = true;
        if ((await call.renew()) && call.retry) continue;
      }
      if (!call.retry || (kind !== "throttle" && kind !== "transient")) throw error;
      if (attempt === 1) give_up_at = began_at + this.#settings.patience_ms;
      const delay = retryDelay(kind, attempt, Math.random());
      if (performance.now() + delay >= give_up_at) throw error;
      await pause(delay, call.signal);
    }
  }

  async #attempt<T>(call: GateCall<T>): Promise<T> {
    const controller = new AbortController();
    const { promise, reject } = Promise.withResolvers<never>();
    const abort = (reason: unknown) => {
      reject(reason);
      controller.abort(reason);
    };
    const timeout = setTimeout(() => {
      abort(new DOMException(`${call.operation} did not answer in ${this.#settings.timeout_ms} ms`, "TimeoutError"));
    }, this.#settings.timeout_ms);
    const onAbort = () => abort(call.signal?.reason);
    call.signal?.addEventListener("abort", onAbort, { once: true });
    const began_at = performance.now();
    let outcome: Outcome = "ok";
    try {
      return await Promise.race([call.run(controller.signal), promise]);
    } catch (error) {
      outcome = call.signal?.aborted ? "aborted" : OUTCOMES[errorKind(error)];
      throw error;
    } finally {
      clearTimeout(timeout);
      call.signal?.removeEventListener("abort", onAbort);
      const seconds = (performance.now() - began_at) / 1000;
      this.#settings.onAttempt?.({ operation: call.operation, outcome, seconds });
    }
  }

  /** Learns from a failed attempt. */
  #note(error: unknown, began_at: number): ReturnType<typeof errorKind> {
    const now = performance.now();
    const kind = errorKind(error);
    if (kind === "throttle") {
      this.#settings.counts.addThrottled();
      this.#bucket.throttled(now, began_at, retryAfter(error, new Date()));
    }
    if (kind === "throttle" || kind === "transient") {
      const since = this.#isForgotten(began_at) ? began_at : (this.#failing?.since ?? began_at);
      this.#failing = { since, last_error: error, probed_at: now };
    } else {
      this.#answered();
    }
    return kind;
  }

  #answered(): void {
    this.#failing = null;
    this.#bucket.succeeded(performance.now());
  }

  #failIfBroken(now: number): void {
    if (!this.#failing || !this.#isBroken(now)) return;
    if (now - this.#failing.probed_at < PROBE_EVERY_MS)
      throw new BrokenApi("no answer", { cause: this.#failing.last_error });
    this.#failing.probed_at = now;
  }

  #isBroken(now: number): boolean {
    return this.#failing !== null && !this.#isForgotten(now) && now - this.#failing.since >= this.#settings.patience_ms;
  }

  /** A failure after which nobody asked for a long time says nothing about now. */
  #isForgotten(now: number): boolean {
    return (
      this.#failing !== null && now - this.#failing.probed_at > Math.max(this.#settings.patience_ms, 2 * PROBE_EVERY_MS)
    );
  }

  /** Waits for a token and a place. */
  #enter(queue: Waiting[], signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => {
      queue.splice(queue.indexOf(waiting), 1);
      reject(signal?.reason as Error);
    };
    const waiting: Waiting = () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    queue.push(waiting);
    this.#advance();
    return promise;
  }

  #leave(): void {
    this.#running -= 1;
    this.#advance();
  }

  #advance(): void {
    while (!this.#timer && this.#running < this.#in_flight && this.#retries.length + this.#fresh.length > 0) {
      const now = performance.now();
      const wait = this.#isBroken(now) ? 0 : this.#bucket.take(now);
      if (wait > 0) {
        this.#timer = setTimeout(() => {
          this.#timer = null;
          this.#advance();
        }, wait);
        return;
      }
      this.#running += 1;
      (this.#retries.shift() ?? this.#fresh.shift())?.();
    }
  }
}

class BrokenApi extends Error {}
