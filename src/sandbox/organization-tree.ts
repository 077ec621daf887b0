import type { SandboxAccount } from "./accounts.ts";
import { MANAGEMENT_ACCOUNT_ID, UNIT_PARENTS } from "./accounts.ts";
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
export function page(
  question: string,
  list_key: string,
  all: readonly Json[],
  input: Json,
  { caller, world }: Context,
): Json {
  const token = input.NextToken;
  const start = typeof token === "string" ? readToken(caller, question, token) : 0;
  // A position that is a text is that of an empty page before the position.
  if (typeof start === "string") return { [list_key]: [], NextToken: writeToken(caller, question, Number(start)) };
  if (start === null) {
    throw new AwsError("InvalidInputException", "The NextToken is not valid.", 400, { Reason: "INVALID_NEXT_TOKEN" });
  }
  const end = start + Number(input.MaxResults ?? MAX_PAGE);
  const position = world.settings.empty_pages ? String(end) : end;
  const next = end < all.length ? { NextToken: writeToken(caller, question, position) } : {};
  return { [list_key]: all.slice(start, end), ...next };
}

/** Throws AccountNotFoundException. */
export function accountOf(id: string, { world }: Context): SandboxAccount {
  const account = world.accounts.find((each) => each.id === id);
  if (account) return account;
  throw new AwsError("AccountNotFoundException", `You specified an account that doesn't exist.`);
}

/** Names of all units: those with accounts, and those above them. */
function unitNames({ world }: Context): string[] {
  return [
    ...new Set(world.accounts.flatMap((account) => (account.unit === null ? [] : unitPath(account.unit)))),
  ].sort();
}

/** Names of the units directly under a unit; null: under the root. */
export function unitsUnder(parent: string | null, context: Context): string[] {
  return unitNames(context).filter((name) => parentUnit(name) === parent);
}

/** The unit above a unit; null: the root is. */
export function parentUnit(name: string): string | null {
  return UNIT_PARENTS[name] ?? null;
}

/** The units from the one under the root down to this one. */
export function unitPath(name: string): string[] {
  const parent = parentUnit(name);
  return parent === null ? [name] : [...unitPath(parent), name];
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
