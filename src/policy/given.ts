import { tagValue, type Tags } from "../tags/tags.ts";
import { aliasesSeen, type CompiledRule } from "./compile.ts";

/** Values that a person gives for keys of one resource. */
export type Given = {
  readonly values: ReadonlyMap<string, string>;
  /** A value that is there, and not empty, may be replaced. */
  readonly overwrite: boolean;
  /** Where they come from, in words, as the plan keeps it. */
  readonly from: string;
};

/** The keys for which a rule would take a value from a person: its own; of an assertion, those of which it speaks. */
export function keysToGive(rule: CompiledRule): readonly string[] {
  if (rule.about === "key") return [rule.key];
  return rule.about === "assert" ? rule.condition.tag_keys : [];
}

/** Whether a value is given for a key of the rule. */
export function isAnswered(rule: CompiledRule | undefined, { values }: Given): boolean {
  return rule !== undefined && keysToGive(rule).some((key) => values.has(key));
}

/** A change to given values; or why a person has to decide more. */
type GivenChange =
  | {
      readonly changes: readonly { readonly key: string; readonly after: string | null }[];
      readonly reads: readonly string[];
      readonly from: string;
    }
  | string;

/** Writes what is given, and takes off the other spellings of the key where the rule renames them. */
export function decideGiven(rule: CompiledRule, tags: Tags, { values, overwrite, from }: Given): GivenChange {
  const asked = keysToGive(rule);
  const set = asked.flatMap((key) => {
    const after = values.get(key);
    return after === undefined ? [] : [{ key, after }];
  });
  const aliases = rule.about === "key" && rule.fix.rename ? aliasesSeen(rule, tags) : [];
  const written = new Set(set.map(({ after }) => after));
  const held = (key: string) => tagValue(tags, key) ?? "";
  const replaced = set.find(({ key, after }) => held(key) !== "" && held(key) !== after)?.key;
  // Only what another spelling says is still said by the key of the rule.
  const lost = replaced ?? aliases.find((key) => held(key) !== "" && !written.has(held(key)));
  if (lost !== undefined && !overwrite)
    return `\`${lost}\` has a value already, and the plan does not say that it may be overwritten`;
  const declared = rule.about === "key" ? rule.aliases : [];
  return {
    changes: [...set, ...aliases.map((key) => ({ key, after: null }))],
    reads: [...new Set([...asked, ...declared, ...aliases])],
    from,
  };
}
