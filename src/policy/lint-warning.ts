import type { ParsedFile, Path } from "./parse.ts";
import type { Policy, Rule } from "./policy.ts";

/** A valid policy with the file that it was read from. */
export type PlacedPolicy = { readonly path: string; readonly file: ParsedFile; readonly policy: Policy };

/** Something that is probably not meant, and where. */
export type LintWarning = {
  readonly of: PlacedPolicy;
  readonly at: Path;
  readonly on?: "key";
  readonly message: string;
  readonly hint?: string;
};

/** The rules of a policy about one key, and where each stands. */
export function keyRulesOf({ policy }: PlacedPolicy): { rule: Extract<Rule, { key: string }>; at: Path }[] {
  return policy.rules.flatMap((rule, index) => ("key" in rule ? [{ rule, at: ["rules", index] }] : []));
}
