import { createHash } from "node:crypto";
import { ProblemError } from "./problem.ts";

const KEPT_MS = 24 * 3_600_000;
const MOST = 1_000;
const KEY = /^[\x21-\x7e]{1,255}$/;

/**
 * Answers a repeated request by its Idempotency-Key without doing it again: for 24 hours, for the last 1,000 keys, within
 * this process. What failed is forgotten, so that it can be tried again.
 */
export class IdempotentAnswers<T> {
  readonly #now: () => Date;
  readonly #kept = new Map<string, { readonly body: string; readonly at: number; readonly answer: Promise<T> }>();

  constructor(now: () => Date) {
    this.#now = now;
  }

  /** Runs, or returns what the first request with this key returned. Throws ProblemError when that had another body. */
  async once(key: string | undefined, body: unknown, run: () => Promise<T>): Promise<T> {
    if (key === undefined) return run();
    if (!KEY.test(key))
      throw new ProblemError("validation-failed", "Idempotency-Key: 1 to 255 printable ASCII characters.");
    const fingerprint = createHash("sha256").update(JSON.stringify(body)).digest("hex");
    const now = this.#now().getTime();
    const kept = this.#kept.get(key);
    if (kept !== undefined && now - kept.at < KEPT_MS) {
      if (kept.body === fingerprint) return kept.answer;
      throw new ProblemError(
        "idempotency-key-reused",
        "This Idempotency-Key came with another body before. Use a new one.",
      );
    }
    this.#kept.delete(key);
    const answer = run();
    this.#kept.set(key, { body: fingerprint, at: now, answer });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MOST) break;
      this.#kept.delete(oldest);
    }
    try {
      return await answer;
    } catch (error) {
      this.#kept.delete(key);
      throw error;
    }
  }
}
