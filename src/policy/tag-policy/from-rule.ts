import type { ResourceType } from "../../inventory/resource-types.ts";
import type { ForbiddenRule, KeyRule, Rule } from "../policy.ts";
import { anyWildcard } from "../wildcard.ts";
import type { DocumentEntry, Tell } from "./from-policies.ts";
import { shown } from "./problem.ts";
import { typesOfCondition } from "./required-types.ts";
import { REPORTED_TYPES, tagPolicyType } from "./resource-types.ts";
import { foldKey } from "./tag-policy.ts";
import { tellUnsaid } from "./unsaid.ts";

/** What a rule says of one key, and the field of the rule that it comes from. */
type KeyEntry = { readonly field: "key" | "forbidden"; readonly key: string; readonly entry: DocumentEntry };

const KEY_FIELDS = ["id", "key", "any_case", "aliases", "required", "values", "pattern", "format", "allow_empty"];
const FORBIDDEN_FIELDS = ["id", "forbidden", "any_case"];

/** What of a rule a tag policy can say. `types`: those that the rule's policy is about. `tell` hears of all the rest. */
export function entriesOf(rule: Rule, types: readonly ResourceType[], tell: Tell): readonly KeyEntry[] {
  if ("key" in rule) return [{ field: "key", key: rule.key, entry: keyEntry(rule, types, tell) }];
  if ("forbidden" in rule) return forbiddenEntries(rule, tell);
  tellUnsaid(rule, ["id"], tell);
  return [];
}

function forbiddenEntries(rule: ForbiddenRule, tell: Tell): KeyEntry[] {
  tellUnsaid(rule, FORBIDDEN_FIELDS, tell);
  tellOtherCases(rule, tell);
  return rule.forbidden.flatMap((key) => {
    if (!key.includes("*"))
      return [{ field: "forbidden", key, entry: { tag_key: { "@@assign": key }, tag_value: { "@@assign": [] } } }];
    tell("forbidden", `${shown(key)}: an entry of a tag policy is one key, without a wildcard`);
    return [];
  });
}

function keyEntry(rule: KeyRule, types: readonly ResourceType[], tell: Tell): DocumentEntry {
  tellUnsaid(rule, KEY_FIELDS, tell);
  tellOtherCases(rule, tell);
  const others = (rule.aliases ?? []).filter((alias) => foldKey(alias) !== foldKey(rule.key));
  if (others.length > 0)
    tell("aliases", `to a tag policy, ${others.map(shown).join(", ")} and the key are different keys`);
  const values = valuesOf(rule, tell);
  const required = requiredOf(rule, types, tell);
  const mayBeEmpty = values === null || anyWildcard(values)("");
  if (required.length > 0 && mayBeEmpty && !rule.allow_empty && !rule.values?.includes(""))
    tell("required", "to AWS, a key with an empty value is there");
  const reported = REPORTED_TYPES.filter((type) => required.includes(type));
  return {
    tag_key: { "@@assign": rule.key },
    ...(values !== null && { tag_value: { "@@assign": values } }),
    ...(reported.length > 0 && { report_required_tag_for: { "@@assign": reported.map(tagPolicyType) } }),
  };
}

/** A tag policy always looks at every case of a key. */
function tellOtherCases(rule: KeyRule | ForbiddenRule, tell: Tell): void {
  const isSaid = "any_case" in rule && rule.any_case;
  if (!isSaid) tell("any_case", "a tag policy refuses the key in any other case as well, which this rule does not");
}

/** The values that a tag policy can list; null: it cannot, or nothing restricts them. */
function valuesOf(rule: KeyRule, tell: Tell): readonly string[] | null {
  // The values of a rule pass its pattern and its format, or it would not have been read: only wildcards leave them something to say.
  const isListed = rule.values?.every((value) => !value.includes("*")) ?? false;
  for (const field of ["pattern", "format"] as const) {
    if (rule[field] !== undefined && !isListed)
      tell(field, "a tag policy knows values with one `*`, and no other form");
  }
  if (rule.values === undefined) return null;
  const values = rule.values.map((value) => value.replace(/\*+/g, "*"));
  const many = values.filter((value) => value.split("*").length > 2);
  if (many.length > 0) {
    const names = many.map(shown).join(", ");
    tell("values", `${names}: AWS allows one \`*\` in a value; the document says nothing of this key's values`);
    return null;
  }
  return rule.allow_empty && !values.includes("") ? [...values, ""] : values;
}

/** The types that the key is required of. What AWS cannot report of them is told. */
function requiredOf(rule: KeyRule, types: readonly ResourceType[], tell: Tell): readonly ResourceType[] {
  const required: unknown = rule.required;
  if (required === undefined || required === false) return [];
  const named = required === true ? types : typeof required === "string" ? typesOfCondition(required) : null;
  if (named === null) {
    tell("required", "a condition that does more than name types");
    return [];
  }
  const wanted = types.filter((type) => named.includes(type));
  const unreported = wanted.filter((type) => !REPORTED_TYPES.includes(type));
  if (unreported.length > 0) {
    const others = unreported.length > 3 ? `the other ${unreported.length} types` : unreported.join(", ");
    tell("required", `AWS reports a missing key of ${REPORTED_TYPES.join(", ")} only, not of ${others}`);
  }
  return wanted;
}
