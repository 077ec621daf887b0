import type { SandboxAccount } from "./accounts.ts";
import { MANAGEMENT_ACCOUNT_ID } from "./accounts.ts";
import type { Json } from "./check-input.ts";
import { AwsError } from "./error.ts";
import { hashText } from "./hash.ts";
import { readToken, writeToken } from "./page-token.ts";
import type { Context } from "./service.ts";

export const ORGANIZATION_ID = "o-sandbox0001";
export const ROOT_ID = "r-sb01";
/** What the ARN of everything in the organization begins with. */
export const ARN = `arn:aws:organizations::${MANAGEMENT_ACCOUNT_ID}`;
/** The most that a page holds. */
const MAX_PAGE = 20;

/** A place that policies are attached to: the root, a unit by its name, or an account. */
export type Place =
  | { readonly kind: "root" }
  | { readonly kind: "unit"; readonly name: string }
  | { readonly kind: "account"; readonly account: SandboxAccount };

/** A page of a list; the answer has a token when there is more. */
export function page(question: string, list_key: string, all: readonly Json[], input: Json, { caller }: Context): Json {
  const token = input.NextToken;
  const start = typeof token === "string" ? readToken(caller, question, token) : 0;
  if (typeof start !== "number") {
    throw new AwsError("InvalidInputException", "The NextToken is not valid.", 400, { Reason: "INVALID_NEXT_TOKEN" });
  }
  const end = start + Number(input.MaxResults ?? MAX_PAGE);
  const next = end < all.length ? { NextToken: writeToken(caller, question, end) } : {};
  return { [list_key]: all.slice(start, end), ...next };
}

/** Throws AccountNotFoundException. */
export function accountOf(id: string, { world }: Context): SandboxAccount {
  const account = world.accounts.find((each) => each.id === id);
  if (account) return account;
  throw new AwsError("AccountNotFoundException", `You specified an account that doesn't exist.`);
}

/** Names of all units, which lie directly under the root. */
export function unitNames({ world }: Context): string[] {
  return [...new Set(world.accounts.flatMap((account) => account.unit ?? []))].sort();
}

export function unitId(name: string): string {
  return `ou-${ROOT_ID.slice(2)}-${hashText(name).toString(16).padStart(8, "0")}`;
}

/** The name of the unit with an id; null for the root. Throws what AWS answers for an id that is neither. */
export function unitOf(id: string, context: Context): string | null {
  if (id === ROOT_ID) return null;
  const unit = unitNames(context).find((name) => unitId(name) === id);
  if (unit !== undefined) return unit;
  throw id.startsWith("ou-")
    ? new AwsError("OrganizationalUnitNotFoundException", "You specified an organizational unit that doesn't exist.")
    : new AwsError("ParentNotFoundException", "You specified a parent that doesn't exist.");
}

/** What an id of the root, a unit or an account stands for; null: nothing. */
export function placeOf(id: string, context: Context): Place | null {
  if (id === ROOT_ID) return { kind: "root" };
  const account = context.world.accounts.find((each) => each.id === id);
  if (account) return { kind: "account", account };
  const name = unitNames(context).find((each) => unitId(each) === id);
  return name === undefined ? null : { kind: "unit", name };
}
