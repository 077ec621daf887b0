import { createHash } from "node:crypto";

/** One page of a list. Follow `next_page_token` with the same filters and sort until it is null. */
export type Page<T> = {
  readonly items: T[];
  readonly next_page_token: string | null;
  readonly total: Total;
};

/** How many there are. `AT_LEAST`: counting stopped at 10,000. */
export type Total = { readonly count: number; readonly type: "EXACT" | "AT_LEAST" };

export type PageRequest = {
  /** 1 to 500; 50 when absent, 500 when larger. */
  readonly page_size?: number | undefined;
  /** From the page before, with the same filters and sort. */
  readonly page_token?: string | undefined;
};

/** A page token that is no token, or that belongs to other filters or another sort. */
export class PageTokenError extends Error {
  override readonly name = "PageTokenError";
}

/** Where counting stops. */
export const COUNT_LIMIT = 10_000;

/** A page size within the limits. Throws RangeError on less than 1 or on no integer. */
export function pageSize(request: PageRequest): number {
  const size = request.page_size ?? 50;
  if (!Number.isInteger(size) || size < 1) throw new RangeError("page_size is a whole number of at least 1");
  return Math.min(size, 500);
}

/** The token of the page after the row with these sort values, bound to what was asked. */
export function encodePageToken(asked: unknown, after: readonly string[]): string {
  return Buffer.from(JSON.stringify({ v: 1, after, asked: fingerprint(asked) })).toString("base64url");
}

/** The sort values that a token carries. Throws PageTokenError unless it was made for exactly what is asked now. */
export function decodePageToken(asked: unknown, token: string, values: number): string[] {
  let decoded: unknown;
  try {
    decoded = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
  } catch {
    throw new PageTokenError("page_token is not a token of ours");
  }
  const { v, after, asked: made } = (decoded ?? {}) as { v?: unknown; after?: unknown; asked?: unknown };
  if (
    v !== 1 ||
    !Array.isArray(after) ||
    after.length !== values ||
    !after.every((value) => typeof value === "string")
  ) {
    throw new PageTokenError("page_token is not a token of ours");
  }
  if (made !== fingerprint(asked)) throw new PageTokenError("page_token belongs to other filters or another sort");
  return after;
}

/** Equal for equal questions, whatever the order of their fields; absent and undefined are the same. */
function fingerprint(asked: unknown): string {
  const canonical = JSON.stringify(asked, (_, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
  return createHash("sha256").update(canonical).digest("base64url").slice(0, 16);
}
