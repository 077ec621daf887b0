import type { Caller } from "./caller.ts";

/** Where a list stands: bound to the caller's target, the operation and its filter. */
export function writeToken(caller: Caller, question: string, position: string | number): string {
  return Buffer.from(JSON.stringify([caller.account_id, caller.region, question, position])).toString("base64url");
}

/** The position in a token; null: not a token of this list. */
export function readToken(caller: Caller, question: string, token: string): string | number | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
    if (!Array.isArray(value) || value.length !== 4) return null;
    const [account_id, region, asked, position] = value as unknown[];
    const same = account_id === caller.account_id && region === caller.region && asked === question;
    return same && (typeof position === "string" || typeof position === "number") ? position : null;
  } catch {
    return null;
  }
}
