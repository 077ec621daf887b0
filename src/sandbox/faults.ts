import type { Caller } from "./caller.ts";
import { fraction, hashText } from "./hash.ts";

/** Something that goes wrong, and for which calls. An absent condition matches any call. */
export type FaultRule = {
  /**
   * `throttle` and `access_denied`: the error of the service; `server_error`: HTTP 500; `hang`: no answer until the client gives
   * up; `cut`: the connection is cut before anything happens; `lost_reply`: the effect happens, then the connection is cut.
   */
  readonly kind: FaultKind;
  /** Name of the operation; `*` is a wildcard: `List*`. */
  readonly operation?: string;
  readonly account_id?: string;
  readonly region?: string;
  /** Share of the matching calls, 0..1; 1 when absent. The same seed hits the same calls. */
  readonly share?: number;
  /** Stop after so many hits. */
  readonly times?: number;
  /** Begin after so many matching calls. */
  readonly after?: number;
};

/** The kinds of faults. */
export const FAULT_KINDS = ["throttle", "server_error", "hang", "cut", "lost_reply", "access_denied"] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** A token bucket: so many calls at once, then so many a second. */
export type RateLimit = { readonly burst: number; readonly per_second: number };

/** Decides which calls fail. Counts calls rule by rule, so a run of the same calls fails in the same places. */
export class Faults {
  readonly #seed: number;
  #rules: { readonly rule: FaultRule; readonly operation: RegExp; seen: number; hits: number }[] = [];

  constructor(seed: number, rules: readonly FaultRule[]) {
    this.#seed = seed;
    this.set(rules);
  }

  /** Replaces the rules and forgets their counts. */
  set(rules: readonly FaultRule[]): void {
    this.#rules = rules.map((rule) => ({ rule, operation: wildcard(rule.operation ?? "*"), seen: 0, hits: 0 }));
  }

  /** The fault of this call, by the first rule that hits; null: none. */
  next(operation: string, caller: Caller): FaultKind | null {
    let kind: FaultKind | null = null;
    for (const [index, state] of this.#rules.entries()) {
      const { rule } = state;
      const matches =
        state.operation.test(operation) &&
        (rule.account_id ?? caller.account_id) === caller.account_id &&
        (rule.region ?? caller.region) === caller.region;
      if (!matches || kind !== null) continue;
      const turn = state.seen++;
      if (turn < (rule.after ?? 0) || state.hits >= (rule.times ?? Infinity)) continue;
      if (fraction((this.#seed ^ hashText(`fault ${index}`)) >>> 0, turn) >= (rule.share ?? 1)) continue;
      state.hits++;
      kind = rule.kind;
    }
    return kind;
  }
}

/** Token buckets, one for each operation, account and region. */
export class RateLimits {
  readonly #limits: readonly { readonly operation: RegExp; readonly limit: RateLimit }[];
  readonly #buckets = new Map<string, { tokens: number; at: number }>();
  readonly #now: () => Date;

  /** `limits` by operation or wildcard; an exact name goes before a wildcard, a longer one before a shorter. */
  constructor(limits: Readonly<Record<string, RateLimit>>, now: () => Date) {
    this.#now = now;
    this.#limits = Object.entries(limits)
      .sort(([a], [b]) => Number(a.includes("*")) - Number(b.includes("*")) || b.length - a.length)
      .map(([name, limit]) => ({ operation: wildcard(name), limit }));
  }

  /** Takes a token; false when there is none. */
  take(operation: string, caller: Caller): boolean {
    const found = this.#limits.find((each) => each.operation.test(operation));
    if (!found) return true;
    const { burst, per_second } = found.limit;
    const key = `${operation}/${caller.account_id}/${caller.region}`;
    const now = this.#now().getTime();
    const bucket = this.#buckets.get(key) ?? { tokens: burst, at: now };
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * per_second);
    bucket.at = now;
    this.#buckets.set(key, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }
}

function wildcard(pattern: string): RegExp {
  const escaped = pattern.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll("*", ".*");
  return new RegExp(`^${escaped}$`);
}
