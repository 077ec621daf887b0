import { RESOURCE_TYPE_NAMES, type ResourceType } from "../inventory/resource-types.ts";
import { keyProblem, valueProblem } from "../tags/limits.ts";
import { type ConfigRuleComplaint, type FoundConfigRule, findConfigRules } from "./config-rule-file.ts";
import { placeIn } from "./json-text.ts";
import { idsFor, policyText, type RuleDraft } from "./policy-text.ts";

/**
 * The managed rule `required-tags` of AWS Config as one of our policies. It compares keys and values exactly. Sources: AWS Config
 * developer guide, "required-tags" (six keys at most, values separated by commas); API reference, "ConfigRule" and "Scope".
 */

/** What the policy does not say exactly as the rule does. */
type ConfigRuleNote = {
  readonly code:
    | "impossible_key"
    | "impossible_value"
    | "other_rules"
    | "scope_elsewhere"
    | "scope_narrower"
    | "white_space";
  /** The key that it is about; null: all of it. */
  readonly key: string | null;
  readonly message: string;
};

/** Why a file cannot be taken over. */
type ConfigRuleProblem = {
  readonly code:
    | ConfigRuleComplaint["code"]
    | "different_scopes"
    | "no_required_tags"
    | "no_value_left"
    | "two_rules_for_one_key";
  /** Names from the root with dots between. */
  readonly path: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
};

/** A policy file, or what is wrong. */
export type ImportedConfigRule = {
  readonly text: string | null;
  readonly notes: readonly ConfigRuleNote[];
  readonly problems: readonly ConfigRuleProblem[];
};

type Tell = (code: ConfigRuleNote["code"], key: string | null, message: string) => void;
/** What a rule of Config requires of one key. */
type Wanted = { readonly key: string; readonly values: readonly string[] | null; readonly from: string };

/**
 * Reads the parameters of a `required-tags` rule (`{"tag1Key": …}`), a whole rule, or what `describe-config-rules` prints, of which
 * other rules are passed over. `source`: lines that say where it was found. Never throws.
 */
export function policyFromConfigRule(text: string, as: { id: string; source: readonly string[] }): ImportedConfigRule {
  const notes: ConfigRuleNote[] = [];
  const tell: Tell = (code, key, message) => notes.push({ code, key, message });
  const { rules, other_rules, complaints } = findConfigRules(text);
  if (other_rules.length > 0) tell("other_rules", null, `passed over ${other_rules.join(", ")}: no required-tags rule`);
  const place = placeIn(text);
  const problems: ConfigRuleProblem[] = complaints.map(({ at, ...complaint }) => ({ ...complaint, ...place(at) }));
  const complain = (code: ConfigRuleProblem["code"], message: string) =>
    problems.push({ code, path: "", ...place(0), message });
  if (new Set(rules.map(({ types }) => types.join())).size > 1)
    complain("different_scopes", "holds rules with different scopes; put each into a file of its own");
  const scope = rules[0] && scopeOf(rules[0], tell);
  for (const { name, narrower } of rules) {
    if (narrower.length > 0)
      tell(
        "scope_narrower",
        null,
        `${name} looks only at resources with a certain ${narrower.join(", ")}; the policy looks at all`,
      );
  }
  const wanted = oncePerKey(
    rules.flatMap((rule) => wantedOf(rule, tell)),
    complain,
  );
  if (problems.length === 0 && wanted.length === 0)
    complain("no_required_tags", "requires no key that a resource of Personalize can have");
  if (problems.length > 0) return { text: null, notes, problems };
  const draft = {
    id: as.id,
    title: "What the AWS Config rule required-tags says",
    ...scope,
    rules: ruleDrafts(wanted),
  };
  return { text: policyText(draft, [...as.source, ...FOOTNOTE]), notes, problems };
}

const FOOTNOTE = [
  "",
  "Made by `tagwarden policies import`; docs/tag-policies.md says what is the same and what is not.",
];

/** `AWS::Personalize::DatasetGroup` → `dataset-group`. */
const CONFIG_TYPES: ReadonlyMap<string, ResourceType> = new Map(
  RESOURCE_TYPE_NAMES.map((type) => {
    const words = type.split("-").map((word) => word.charAt(0).toUpperCase() + word.slice(1));
    return [`AWS::Personalize::${words.join("")}`, type];
  }),
);

function scopeOf({ name, types }: FoundConfigRule, tell: Tell): { readonly types?: readonly ResourceType[] } {
  if (types.length === 0) return {};
  const ours = types.flatMap((type) => CONFIG_TYPES.get(type) ?? []);
  if (ours.length > 0) return { types: ours };
  const named = `${types.slice(0, 3).join(", ")}${types.length > 3 ? ", …" : ""}`;
  tell(
    "scope_elsewhere",
    null,
    `${name} looks at ${named}, at no type of Personalize; the policy looks at all of Personalize`,
  );
  return {};
}

function wantedOf({ name, tags }: FoundConfigRule, tell: Tell): Wanted[] {
  const possible = tags.filter(({ key }) => {
    const problem = keyProblem(key);
    if (problem !== null) tell("impossible_key", key, `left out: no policy can be about this key, which ${problem}`);
    return problem === null;
  });
  return possible.map(({ key, values, number }) => ({
    key,
    values: values === null ? null : listedValues(values, key, tell),
    from: `${name}, tag${number}Key`,
  }));
}

function listedValues(text: string, key: string, tell: Tell): readonly string[] {
  const items = text.split(",");
  const values = items.map((item) => item.trim());
  if (items.join() !== values.join())
    tell("white_space", key, "white space around values was taken off; AWS does not say whether Config does that");
  return [...new Set(values)].filter((value) => value !== "" && isPossible(value, key, tell));
}

function isPossible(value: string, key: string, tell: Tell): boolean {
  const problem = valueProblem(value);
  if (problem !== null)
    tell("impossible_value", key, `left out the value ${JSON.stringify(value)}, which no tag has: it ${problem}`);
  return problem === null;
}

/** Rules that say the same of a key are one; those that differ cannot be said by one rule of ours. */
function oncePerKey(
  all: readonly Wanted[],
  complain: (code: ConfigRuleProblem["code"], message: string) => void,
): Wanted[] {
  const kept = new Map<string, Wanted>();
  for (const wanted of all) {
    const other = kept.get(wanted.key);
    if (!other) kept.set(wanted.key, wanted);
    else if (other.values?.join() !== wanted.values?.join())
      complain(
        "two_rules_for_one_key",
        `${other.from} and ${wanted.from} want different values of ${wanted.key}; put each rule into a file of its own`,
      );
    if (wanted.values?.length === 0) complain("no_value_left", `${wanted.from} allows no value that a tag can have`);
  }
  return [...kept.values()];
}

function ruleDrafts(all: readonly Wanted[]): RuleDraft[] {
  const ids = idsFor(all.map(({ key }) => key));
  return all.map(({ key, values, from }) => ({
    comments: [from],
    // Without values, Config asks only whether the key is there.
    fields: { id: ids.get(key) ?? key, key, required: true, ...(values === null ? { allow_empty: true } : { values }) },
  }));
}
