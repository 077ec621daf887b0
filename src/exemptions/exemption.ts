import type { ResourceType } from "../inventory/resource-types.ts";

/** Who has the word on an exemption: a file of the policies folder, or whoever asks through the API or the command line. */
export const EXEMPTION_SOURCES = ["file", "api", "cli"] as const;
export type ExemptionSource = (typeof EXEMPTION_SOURCES)[number];

/** Where one was made, for sentences. */
export const MADE: Readonly<Record<ExemptionSource, string>> = {
  file: "in a file",
  api: "through the API",
  cli: "on the command line",
};

/** `restored`: it was revoked because its file did not say it any more, and now says it again. */
export type ExemptionEventName = "created" | "changed" | "revoked" | "restored";

/** `pending`: its beginning is still to come. Only an active one covers anything. */
export const EXEMPTION_STATUSES = ["active", "pending", "expired", "revoked"] as const;
export type ExemptionStatus = (typeof EXEMPTION_STATUSES)[number];

/** What an exemption covers. Fields narrow each other, a list means any of it, null means any. */
export type Scope = {
  readonly policy_id: string | null;
  readonly rule_id: string | null;
  /** Canonical tag key of the finding, exact case. */
  readonly key: string | null;
  readonly accounts: readonly string[] | null;
  readonly regions: readonly string[] | null;
  readonly types: readonly ResourceType[] | null;
  /** Patterns of names of resources; a solution version has its solution's. */
  readonly names: readonly string[] | null;
  readonly arns: readonly string[] | null;
  /** Key to pattern of its value: all have to be on the resource as last read. */
  readonly tags: Readonly<Record<string, string>> | null;
};

/** What a person decided. */
type Decision = Scope & {
  readonly reason: string;
  readonly ticket: string | null;
  readonly requested_by: string;
  readonly approved_by: string;
  readonly expires_at: Date;
};

/** A decision with the instant from which it holds. */
export type Terms = Decision & { readonly starts_at: Date };

/** A decision as someone asks for it: without a beginning it begins when it is recorded. */
export type Asked = Decision & { readonly starts_at: Date | null };

const SCOPE_FIELDS = [
  "policy_id",
  "rule_id",
  "key",
  "accounts",
  "regions",
  "types",
  "names",
  "arns",
  "tags",
] as const satisfies readonly (keyof Scope)[];
const TERMS = [
  ...SCOPE_FIELDS,
  ...(["reason", "ticket", "requested_by", "approved_by", "starts_at", "expires_at"] as const),
];

/** The scope that names these parts, and of the others any. */
export function scopeOf(named: { readonly [Field in keyof Scope]?: Scope[Field] | undefined }): Scope {
  return Object.fromEntries(SCOPE_FIELDS.map((field) => [field, named[field] ?? null])) as Scope;
}

/** The longest that an exemption lasts, counted from the day on which it begins, in UTC. */
const MAX_DAYS = 180;
const DAY_MS = 86_400_000;

/** The last instant at which an exemption may end that begins then: the end of the 180th day after that day. */
function latestEnd(starts_at: Date): Date {
  return new Date((Math.floor(starts_at.getTime() / DAY_MS) + MAX_DAYS + 1) * DAY_MS);
}

/** Something wrong with a decision, by the field that is to be changed. */
export type DecisionProblem = {
  readonly field: "scope" | "starts_at" | "expires_at" | "approved_by";
  readonly message: string;
};

/** Why a decision cannot be made at an instant; empty: it can. Constraints of the table say the same. */
export function problemsOf(asked: Asked, at: Date): DecisionProblem[] {
  const problems: DecisionProblem[] = [];
  if (SCOPE_FIELDS.every((field) => asked[field] === null)) {
    problems.push({ field: "scope", message: "covers everything: name at least one part of its scope" });
  }
  const { expires_at } = asked;
  const starts_at = asked.starts_at ?? at;
  if (expires_at <= starts_at) {
    const message = asked.starts_at
      ? `ends at ${expires_at.toISOString()}, before it begins`
      : `has ended at ${expires_at.toISOString()} already`;
    problems.push({ field: "expires_at", message });
  } else if (expires_at <= at) {
    problems.push({ field: "expires_at", message: `has ended at ${expires_at.toISOString()} already` });
  } else if (expires_at > latestEnd(starts_at)) {
    const message = `lasts more than ${MAX_DAYS} days: it can end at ${latestEnd(starts_at).toISOString()} at the latest`;
    problems.push({ field: "expires_at", message });
  }
  return problems;
}

/**
 * When a decision begins that takes the place of another: as asked; else at once, if that one is over, has not begun or ends
 * earlier; else when that one did.
 */
export function beginningOf(asked: Asked, current: Terms | null, at: Date): Date {
  if (asked.starts_at) return asked.starts_at;
  if (current === null || current.expires_at <= at || current.starts_at > at) return at;
  return asked.expires_at > current.expires_at ? at : current.starts_at;
}

/** The terms that differ, before and after; null: none does. */
export function differenceOf(before: Terms, after: Terms): { before: Partial<Terms>; after: Partial<Terms> } | null {
  const changed = TERMS.filter((name) => canonical(before[name]) !== canonical(after[name]));
  if (changed.length === 0) return null;
  return { before: pick(before, changed), after: pick(after, changed) };
}

/** The terms of a row and nothing else. */
export function termsOf(row: Terms): Terms {
  return pick(row, TERMS) as Terms;
}

function pick(terms: Terms, names: readonly (keyof Terms)[]): Partial<Terms> {
  return Object.fromEntries(names.map((name) => [name, terms[name]]));
}

/** Equal for equal terms: lists and tags mean the same in any order. */
function canonical(value: Terms[keyof Terms]): string {
  if (value === null || typeof value === "string") return JSON.stringify(value);
  if (value instanceof Date) return value.toISOString();
  const items = Array.isArray(value) ? value : Object.entries(value);
  const words = items.map((item) => JSON.stringify(item));
  return JSON.stringify(words.toSorted((a, b) => (a < b ? -1 : 1)));
}
