import type { Resource } from "../inventory/resource.ts";
import { nearestWord } from "../tags/spelling.ts";
import { tagsFrom, tagValue, type Tags } from "../tags/tags.ts";
import { aliasesSeen, type CompiledPolicy, type CompiledRule, scopeMatchers } from "./compile.ts";
import { fixFor, type Fix } from "./fix.ts";
import { appliesTo, isBeingDeleted, verdictOf } from "./judge.ts";
import type { PolicySet } from "./load.ts";
import { obstacleOf } from "./obstacle.ts";
import type { Subject } from "./subject.ts";
import type { Violation, ViolationKind } from "./verdict.ts";

/** What is there, and what was probably meant: a key, or a value of one. */
type NearMiss = { readonly of: "key" | "value"; readonly found: string; readonly meant: string };

/** One thing that a rule found, and what would be done about it. */
export type ExplainedViolation = {
  readonly key: string;
  readonly kind: ViolationKind;
  readonly message: string;
  readonly near_miss: NearMiss | null;
  readonly fix: Fix;
  /** Why a change would not be made; null: it would, or there is none. A stack that was seen only in the past is not looked at. */
  readonly blocked: string | null;
};

/** What one rule made of a subject, and why. */
export type ExplainedRule = {
  readonly policy_id: string;
  readonly rule_id: string;
  readonly severity: Violation["severity"];
  readonly verdict: "pass" | "violation" | "unknown" | "not_applicable";
  /** One sentence. */
  readonly why: string;
  /** The tags that the rule looked at and found. */
  readonly saw: Tags;
  /** What would pass, in words. */
  readonly expected: string;
  readonly violations: readonly ExplainedViolation[];
};

/** Explains every rule of a set on one subject, in the order of the set. Pure. */
export function explain(set: PolicySet, subject: Subject): ExplainedRule[] {
  return set.policies.flatMap((policy) => {
    const outside = whyOutside(policy, subject);
    return policy.rules.map((rule) => explainRule(set, rule, subject, outside));
  });
}

type Outside = { readonly verdict: "unknown" | "not_applicable"; readonly why: string } | null;

/** Why a policy is not about a subject, or why that is not known; null: it is. */
function whyOutside(policy: CompiledPolicy, subject: Subject): Outside {
  if (isBeingDeleted(subject.resource))
    return { verdict: "not_applicable", why: `the resource is being deleted (${subject.resource.status})` };
  const field = scopeFieldAgainst(policy, subject.resource);
  if (field !== null) return { verdict: "not_applicable", why: field };
  const applies = appliesTo(policy, subject);
  if ("unknown" in applies) return { verdict: "unknown", why: applies.unknown };
  if (!applies.applies)
    return { verdict: "not_applicable", why: `\`applies_to.where\` is false: ${policy.where?.text ?? ""}` };
  return null;
}

function scopeFieldAgainst({ scope }: CompiledPolicy, resource: Resource): string | null {
  const matchers = scopeMatchers(scope);
  const { type, account_id, region, name } = resource;
  for (const [field, value] of [
    ["types", type],
    ["accounts", account_id],
    ["regions", region],
    ["names", name],
  ] as const) {
    if (matchers[field]?.(value) === false)
      return `\`applies_to.${field}\` is ${(scope[field] ?? []).join(", ")}, and the resource has ${value}`;
  }
  return null;
}

function explainRule(set: PolicySet, rule: CompiledRule, subject: Subject, outside: Outside): ExplainedRule {
  const { policy_id, rule_id, severity } = rule;
  const common = { policy_id, rule_id, severity, saw: seenBy(rule, subject.tags), expected: expectedBy(rule) };
  if (outside) return { ...common, ...outside, violations: [] };
  const { violations, unknown } = verdictOf(rule, subject);
  if (unknown !== null) return { ...common, verdict: "unknown", why: unknown, violations: [] };
  const [first] = violations;
  if (!first) return { ...common, verdict: "pass", why: whyPass(rule, subject.tags), violations: [] };
  const explained = violations.map((violation) => {
    const fix = fixFor(set, violation, subject);
    return {
      key: violation.key,
      kind: violation.kind,
      message: violation.detail.message,
      near_miss: nearMissOf(rule, violation, subject.tags),
      fix,
      blocked: fix.kind === "change" ? obstacleOf(set, subject, null, [policy_id]) : null,
    };
  });
  return { ...common, verdict: "violation", why: first.detail.message, violations: explained };
}

function whyPass(rule: CompiledRule, tags: Tags): string {
  if (rule.about === "key") {
    if (tagValue(tags, rule.key) !== undefined) return `\`${rule.key}\` has a value that the rule lets pass.`;
    return `\`${rule.key}\` is not there, and need not be.`;
  }
  if (rule.about === "forbidden") return "No key is there that the rule forbids.";
  return rule.about === "assert" ? "The condition holds." : "There are not too many tags.";
}

function seenBy(rule: CompiledRule, tags: Tags): Tags {
  const keys = keysOf(rule, tags).filter((key) => Object.hasOwn(tags, key));
  return tagsFrom(keys.map((key) => [key, tags[key] ?? ""]));
}

function keysOf(rule: CompiledRule, tags: Tags): readonly string[] {
  if (rule.about === "key") return [rule.key, ...aliasesSeen(rule, tags)];
  if (rule.about === "forbidden") return Object.keys(tags).filter(rule.forbids).sort();
  return rule.about === "assert" ? rule.condition.tag_keys : [];
}

function expectedBy(rule: CompiledRule): string {
  if (rule.about === "max_tags") return `at most ${rule.max_tags} tags`;
  if (rule.about === "assert") return rule.condition.text;
  if (rule.about === "forbidden") return rule.expected;
  const required =
    typeof rule.required === "boolean" ? (rule.required ? "required: " : "") : `required if ${rule.required.text}: `;
  const agrees = rule.agrees_with_parent ? ", as on the resource above it" : "";
  return `${required}${rule.expected}${agrees}`;
}

/** The key that is there in place of the right one, or the allowed value that is nearest to the one found. */
function nearMissOf(rule: CompiledRule, violation: Violation, tags: Tags): NearMiss | null {
  if (rule.about !== "key") return null;
  const { near_miss } = violation.detail;
  if (near_miss !== undefined) return { of: "key", found: near_miss, meant: rule.key };
  const [alias] = aliasesSeen(rule, tags);
  if (violation.kind === "variant" && alias !== undefined) return { of: "key", found: alias, meant: rule.key };
  const value = tagValue(tags, rule.key);
  if (violation.kind !== "invalid" || !value) return null;
  const meant = nearestWord(value, rule.values);
  return meant === null || meant === value ? null : { of: "value", found: value, meant };
}
