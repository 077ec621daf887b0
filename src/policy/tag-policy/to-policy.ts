import { keyProblem, MAX_USER_TAGS, valueProblem } from "../../tags/limits.ts";
import { MAX_RULES } from "../policy.ts";
import { idsFor, policyText, type RuleDraft } from "../policy-text.ts";
import { anyCaseComplies, type Require } from "./judge.ts";
import { shown } from "./problem.ts";
import { requiredCondition } from "./required-types.ts";
import { requiredPersonalizeTypes } from "./resource-types.ts";
import type { EffectiveTag, EffectiveTagPolicy } from "./tag-policy.ts";

/** What our policy does not say exactly as the tag policy does. */
export type Note = {
  readonly code:
    | "any_case_complies"
    | "enforced_for"
    | "impossible_key"
    | "impossible_value"
    | "required_and_prohibited"
    | "required_elsewhere";
  /** The key that it is about. */
  readonly key: string;
  readonly message: string;
};

/** What a policy is called and where it comes from. */
export type ImportAs = {
  readonly id: string;
  readonly require: Require;
  /** Lines that say where the tag policy was found. */
  readonly source: readonly string[];
};

/** A policy file, or why there can be none. */
export type ImportedPolicy = { readonly notes: readonly Note[] } & (
  | { readonly text: string }
  | { readonly text: null; readonly problem: string }
);

type Tell = (code: Note["code"], message: string) => void;

/**
 * The policy file that says of Personalize what an effective tag policy says: a spelling and values for every key, which keys are
 * required of which types, and which are prohibited. A rule for each key, in the order of the tag policy.
 */
export function policyFrom(effective: EffectiveTagPolicy, { id, require, source }: ImportAs): ImportedPolicy {
  const notes: Note[] = [];
  const possible = effective.tags.filter(({ tag_key }) => {
    const problem = keyProblem(tag_key);
    const message = `no resource of Personalize has this key: it ${problem}`;
    if (problem !== null) notes.push({ code: "impossible_key", key: tag_key, message });
    return problem === null;
  });
  const ids = idsFor(possible.map(({ tag_key }) => tag_key));
  const rules = possible.map((tag) => {
    const own: Note[] = [];
    const fields = ruleFields(tag, require, (code, message) => own.push({ code, key: tag.tag_key, message }));
    notes.push(...own);
    const comments = [`tags.${tag.policy_key}`, ...own.map(({ message }) => message)];
    return { comments, fields: { id: ids.get(tag.tag_key) ?? tag.tag_key, ...fields } };
  });
  const problem = tooMuch(rules);
  if (problem !== null) return { text: null, problem, notes };
  const title = "What AWS Organizations tag policies say";
  return { text: policyText({ id, title, rules }, [...source, ...FOOTNOTE]), notes };
}

const FOOTNOTE = [
  "",
  "Made by `tagwarden policies import`; docs/tag-policies.md says what is the same and what is not.",
];

function tooMuch(rules: readonly RuleDraft[]): string | null {
  const required = rules.filter(({ fields }) => "required" in fields).length;
  if (rules.length === 0) return "says nothing about any key, and a policy has one rule at least";
  if (rules.length > MAX_RULES) return `names ${rules.length} keys, and a policy holds ${MAX_RULES} rules`;
  return required > MAX_USER_TAGS ? `requires ${required} keys, and a resource holds ${MAX_USER_TAGS} tags` : null;
}

function ruleFields(tag: EffectiveTag, require: Require, tell: Tell): Record<string, unknown> {
  const key = tag.tag_key;
  const required = requirement(tag, require, tell);
  const values = possibleValues(tag, tell);
  if (tag.enforced_for.length > 0)
    tell("enforced_for", "AWS refuses noncompliant tagging of some types, none of Personalize; here it is reported");
  if (values?.length === 0) {
    if (required !== undefined) {
      const message = "required and prohibited at once, so no resource of these types can comply; prohibited here";
      tell("required_and_prohibited", message);
    }
    return { forbidden: [key], any_case: true };
  }
  if (anyCaseComplies(tag)) {
    const message = "AWS takes this key in any case, because no policy says its spelling; here one has to be used";
    tell("any_case_complies", message);
  }
  return {
    key,
    any_case: true,
    ...(required !== undefined && { required }),
    ...(values !== null && { values }),
    // To AWS a key with an empty value is there, and only a list of values can refuse it.
    ...(required !== undefined && values === null && { allow_empty: true }),
  };
}

/** The `required` of the rule; undefined: of no type of Personalize. */
function requirement(
  { report_required_tag_for: list }: EffectiveTag,
  require: Require,
  tell: Tell,
): string | true | undefined {
  if (list.length === 0) return undefined;
  if (require === "everywhere") return true;
  const types = requiredPersonalizeTypes(list);
  if (types.length > 0) return requiredCondition(types);
  const message = `required of ${list.slice(0, 3).map(shown).join(", ")}${list.length > 3 ? ", …" : ""}, and of no type of Personalize that AWS can report; not required here`;
  tell("required_elsewhere", message);
  return undefined;
}

/** The values that a tag of Personalize can have, each once; null: any. */
function possibleValues({ tag_value }: EffectiveTag, tell: Tell): readonly string[] | null {
  if (tag_value === null || tag_value.includes("*")) return null;
  return [...new Set(tag_value)].filter((value) => {
    const problem = valueProblem(value.replaceAll("*", "x"));
    if (problem !== null) tell("impossible_value", `left out ${shown(value)}, which no tag has: it ${problem}`);
    return problem === null;
  });
}
