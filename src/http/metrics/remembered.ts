import { reasonOf } from "../../db/reason.ts";
import { log } from "../../log.ts";

/** For how long numbers count. Milliseconds. */
export type Remembering = {
  /** So long they are not read again: however many ask, one reading serves them. */
  readonly fresh_ms: number;
  /** So long they are given away while newer ones are being read. */
  readonly kept_ms: number;
  /** So long somebody waits for newer ones. */
  readonly wait_ms: number;
};

/** Numbers that cost something to read: read at most once at a time, kept for a while, and not given away once a reading has failed. */
export class Remembered<T> {
  readonly #read: () => Promise<T>;
  readonly #times: Remembering;
  readonly #clock: () => number;
  #last: { readonly value: T; readonly begun_at: number } | null = null;
  #reading: Promise<void> | null = null;

  constructor(read: () => Promise<T>, times: Remembering, clock: () => number = () => performance.now()) {
    this.#read = read;
    this.#times = times;
    this.#clock = clock;
  }

  /** The numbers; null: they cannot be had now. Never throws. */
  async get(): Promise<T | null> {
    const { fresh_ms, kept_ms, wait_ms } = this.#times;
    const fresh = this.#notOlderThan(fresh_ms);
    if (fresh !== null) return fresh;
    this.#reading ??= this.#renew().finally(() => (this.#reading = null));
    const { promise: waited, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, wait_ms);
    await Promise.race([this.#reading, waited]);
    clearTimeout(timer);
    return this.#notOlderThan(kept_ms);
  }

  #notOlderThan(age_ms: number): T | null {
    return this.#last !== null && this.#clock() - this.#last.begun_at < age_ms ? this.#last.value : null;
  }

  async #renew(): Promise<void> {
    const begun_at = this.#clock();
    try {
      this.#last = { value: await this.#read(), begun_at };
    } catch (error) {
      this.#last = null;
      log.warn({ error: reasonOf(error) }, "numbers for the metrics could not be read");
    }
  }
}
