import type { Resource } from "../inventory/resource.ts";
import { isReserved } from "../tags/limits.ts";
import { nearest } from "../tags/spelling.ts";
import { NO_TAGS, tagsFrom, tagValue, type Tags } from "../tags/tags.ts";
import type { CompiledForbiddenRule, CompiledKeyRule, CompiledLimitRule, CompiledRule } from "./compile.ts";
import type { PolicySet } from "./load.ts";
import type { FindingKind, Judgement, Violation, ViolationDetail } from "./verdict.ts";

/**
 * What a set of policies says about one resource with these tags. Pure: the same arguments give the same answer.
 * A resource that is being deleted, or that no policy is about, has no rules. `aws:` tags are neither judged nor counted.
 * @param _now the instant to judge at, for rules that look at the time; no rule of this version does.
 */
export function judge(set: PolicySet, resource: Resource, tags: Tags, _now: Date): Judgement {
  const violations: Violation[] = [];
  let rules = 0;
  if (!isBeingDeleted(resource)) {
    const keys = userKeys(tags);
    for (const policy of set.policies) {
      if (!policy.appliesTo(resource)) continue;
      rules += policy.rules.length;
      for (const rule of policy.rules) addViolations(rule, tags, keys, violations);
    }
  }
  return { rules, violations, unknowns: [] };
}

/** Statuses are an open set with spaces and underscores mixed: `DELETE PENDING`, `DELETE IN_PROGRESS`. */
export function isBeingDeleted(resource: Resource): boolean {
  return resource.status.startsWith("DELETE");
}

/** What one rule finds in these tags: nothing, one violation, or for `forbidden` one for each key seen. */
export function violationsOf(rule: CompiledRule, tags: Tags): Violation[] {
  const violations: Violation[] = [];
  addViolations(rule, tags, userKeys(tags), violations);
  return violations;
}

/** The aliases of a rule that are there, in the order of the rule. */
export function aliasesSeen(rule: CompiledKeyRule, tags: Tags): string[] {
  return rule.aliases.filter((alias) => Object.hasOwn(tags, alias));
}

function userKeys(tags: Tags): string[] {
  const keys = Object.keys(tags);
  return keys.some(isReserved) ? keys.filter((key) => !isReserved(key)) : keys;
}

function addViolations(rule: CompiledRule, tags: Tags, keys: readonly string[], violations: Violation[]): void {
  switch (rule.about) {
    case "key":
      return addKeyViolation(rule, tags, keys, violations);
    case "forbidden":
      return addForbiddenViolations(rule, tags, keys, violations);
    case "max_tags":
      return addLimitViolation(rule, keys, violations);
  }
}

/** One violation at most: a value that is not allowed hides a variant, a variant hides that the key is missing. */
function addKeyViolation(rule: CompiledKeyRule, tags: Tags, keys: readonly string[], violations: Violation[]): void {
  const value = tagValue(tags, rule.key);
  if (value !== undefined && !rule.passes(value)) {
    const message = `\`${rule.key}\` ${value === "" ? "is empty" : "has a value that is not allowed"}.`;
    const observed = pick(tags, [rule.key, ...aliasesSeen(rule, tags)]);
    violations.push(violation(rule, rule.key, "invalid", { message, observed, expected: rule.expected }));
  } else if (rule.aliases.some((alias) => Object.hasOwn(tags, alias))) {
    const aliases = aliasesSeen(rule, tags);
    const message = `${aliases.map((alias) => `\`${alias}\``).join(", ")} should be \`${rule.key}\`.`;
    const observed = pick(tags, [rule.key, ...aliases]);
    const expected = `the key ${rule.key} alone, with ${rule.expected}`;
    violations.push(violation(rule, rule.key, "variant", { message, observed, expected }));
  } else if (value === undefined && rule.required) {
    violations.push(violation(rule, rule.key, "missing", missingDetail(rule, keys)));
  }
}

function missingDetail(rule: CompiledKeyRule, keys: readonly string[]): ViolationDetail {
  const near_miss = nearest(keys, rule.slipsTo);
  const common = { observed: NO_TAGS, expected: rule.expected };
  if (near_miss === null) return { message: `\`${rule.key}\` is missing.`, ...common };
  return { message: `\`${rule.key}\` is missing; \`${near_miss}\` looks like it.`, ...common, near_miss };
}

function addForbiddenViolations(
  rule: CompiledForbiddenRule,
  tags: Tags,
  keys: readonly string[],
  violations: Violation[],
): void {
  if (!keys.some(rule.forbids)) return;
  for (const key of keys.filter(rule.forbids).sort()) {
    const detail = { message: `\`${key}\` is forbidden.`, observed: pick(tags, [key]), expected: rule.expected };
    violations.push(violation(rule, key, "forbidden", detail));
  }
}

function addLimitViolation(rule: CompiledLimitRule, keys: readonly string[], violations: Violation[]): void {
  const count = keys.length;
  if (count <= rule.max_tags) return;
  const message = `${count} tags, at most ${rule.max_tags} allowed.`;
  const detail = {
    message,
    observed: NO_TAGS,
    expected: `at most ${rule.max_tags} ${rule.max_tags === 1 ? "tag" : "tags"}`,
    count,
  };
  violations.push(violation(rule, "", "too_many", detail));
}

function violation(rule: CompiledRule, key: string, kind: FindingKind, detail: ViolationDetail): Violation {
  const { policy_id, rule_id, severity, message } = rule;
  return { policy_id, rule_id, key, kind, severity, detail: message === null ? detail : { ...detail, message } };
}

function pick(tags: Tags, keys: readonly string[]): Tags {
  return tagsFrom(keys.flatMap((key) => (Object.hasOwn(tags, key) ? [[key, tags[key] ?? ""] as const] : [])));
}
