import type { Resource } from "../inventory/resource.ts";
import { tagValue, type Tags } from "../tags/tags.ts";
import type { CompiledKeyRule, CompiledPolicy, CompiledRule } from "./compile.ts";
import { aliasesSeen, isBeingDeleted, violationsOf } from "./judge.ts";
import type { PolicySet } from "./load.ts";
import type { Violation } from "./verdict.ts";

/**
 * What a rule asks for, to repair one violation.
 * - `change`: these keys, to these values; null removes. `reads`: keys that decided, and must still be as they were when
 *   it is applied. `auto`: may be applied without a person, so never for a protected rule.
 * - `review`: a person decides, for this reason. - `off`: the policy reports only.
 */
export type Fix =
  | {
      readonly kind: "change";
      readonly changes: readonly { readonly key: string; readonly after: string | null }[];
      readonly reads: readonly string[];
      readonly protected: boolean;
      readonly auto: boolean;
    }
  | { readonly kind: "review"; readonly reason: string }
  | { readonly kind: "off" };

type Change = { readonly key: string; readonly after: string | null };
type Decision = { readonly changes: readonly Change[]; readonly reads: readonly string[] } | string;

/**
 * What the set asks for exactly this violation, on a resource that has these tags now. Pure.
 * A violation that these tags no longer show, of a rule that is gone or is no longer about this resource, comes back as `review`.
 * After the changes of a `change` the rule passes. They touch no `aws:` tag and overwrite no value that no `map` names.
 */
export function fixFor(
  set: PolicySet,
  violation: Pick<Violation, "policy_id" | "rule_id" | "key" | "kind">,
  resource: Resource,
  tags: Tags,
): Fix {
  const policy = set.policies.find(({ id }) => id === violation.policy_id);
  const rule = policy?.rules.find(({ rule_id }) => rule_id === violation.rule_id);
  if (!policy || !rule) return review("no active policy has this rule");
  if (isBeingDeleted(resource) || !policy.appliesTo(resource))
    return review("the policy is no longer about this resource");
  const holds = violationsOf(rule, tags).find(({ key, kind }) => key === violation.key && kind === violation.kind);
  if (!holds) return review("the tags no longer violate the rule in this way");
  if (policy.remediation === "off") return { kind: "off" };
  const decision = decide(rule, holds, tags);
  return typeof decision === "string" ? review(decision) : change(policy, rule, decision);
}

/** The rule of this name; undefined when the set has none. */
export function ruleOf(set: PolicySet, policy_id: string, rule_id: string): CompiledRule | undefined {
  return set.policies.find(({ id }) => id === policy_id)?.rules.find((rule) => rule.rule_id === rule_id);
}

function review(reason: string): Fix {
  return { kind: "review", reason };
}

function change(policy: CompiledPolicy, rule: CompiledRule, decision: Exclude<Decision, string>): Fix {
  const auto = policy.remediation === "auto" && !rule.protected;
  return { kind: "change", ...decision, protected: rule.protected, auto };
}

/** The changes, or the reason why a person has to decide. */
function decide(rule: CompiledRule, violation: Violation, tags: Tags): Decision {
  if (rule.about === "max_tags") return "a person chooses which tags go";
  if (rule.about === "forbidden") {
    if (!rule.fix.remove) return "the rule leaves forbidden keys to a person";
    return { changes: [{ key: violation.key, after: null }], reads: [violation.key] };
  }
  if (violation.kind === "missing") return decideMissing(rule, violation);
  return violation.kind === "variant" ? decideVariant(rule, tags) : decideInvalid(rule, tags);
}

function decideMissing(rule: CompiledKeyRule, violation: Violation): Decision {
  const near = violation.detail.near_miss;
  if (!rule.fix.default) return "the rule has no value to write where the key is missing";
  if (near !== undefined && !rule.fix.default.despite_near_miss) {
    return `\`${near}\` looks like \`${rule.key}\`; declare it as an alias, or let a person decide`;
  }
  return { changes: [{ key: rule.key, after: rule.fix.default.value }], reads: [rule.key, ...rule.aliases] };
}

/** Renames only when every spelling says the same, and that passes: then no value is lost. */
function decideVariant(rule: CompiledKeyRule, tags: Tags): Decision {
  if (!rule.fix.rename) return "the rule leaves other spellings to a person";
  const aliases = aliasesSeen(rule, tags);
  const present = tagValue(tags, rule.key);
  const values = new Set(aliases.map((alias) => tagValue(tags, alias)));
  if (present !== undefined) values.add(present);
  const [value, ...others] = values;
  if (value === undefined || others.length > 0) return "the spellings of the key have different values";
  if (!rule.passes(value)) return "the value of the other spelling is not allowed";
  const set = present === undefined ? [{ key: rule.key, after: value }] : [];
  return { changes: [...set, ...removals(aliases)], reads: [rule.key, ...rule.aliases] };
}

/** Writes what the map names. Aliases beside it must already say the same, or their values would be overruled unseen. */
function decideInvalid(rule: CompiledKeyRule, tags: Tags): Decision {
  const after = rule.fix.map.get(tagValue(tags, rule.key) ?? "");
  if (after === undefined) return "the rule does not say what this value should be";
  const aliases = aliasesSeen(rule, tags);
  if (aliases.some((alias) => tagValue(tags, alias) !== after))
    return "another spelling of the key has a different value";
  if (aliases.length > 0 && !rule.fix.rename) return "another spelling of the key is there as well";
  return { changes: [{ key: rule.key, after }, ...removals(aliases)], reads: [rule.key, ...rule.aliases] };
}

function removals(keys: readonly string[]): Change[] {
  return keys.map((key) => ({ key, after: null }));
}
