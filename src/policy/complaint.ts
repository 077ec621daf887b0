import type { Path } from "./parse.ts";
import type { Rule } from "./policy.ts";

/** Where a problem is and what it is, before the path becomes a line. `offset`: of a character within the text at the path. */
export type Complaint = {
  readonly at: Path;
  readonly on?: "key";
  readonly offset?: number;
  readonly message: string;
  readonly hint?: string;
};

/** A rule that has the right form, and where it stands. */
export type PlacedRule = { readonly rule: Rule; readonly at: Path };

/** Whether a value is a mapping. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The part of a value one step down; undefined when it has none. */
export function childOf(value: unknown, step: string | number): unknown {
  if (Array.isArray(value)) return value[Number(step)];
  return isRecord(value) && Object.hasOwn(value, String(step)) ? value[String(step)] : undefined;
}

/** A value as a sentence shows it. */
export function quoted(value: string): string {
  return value === "" ? "an empty value" : `\`${value}\``;
}
