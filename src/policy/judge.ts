import type { Resource } from "../inventory/resource.ts";
import { isReserved } from "../tags/limits.ts";
import { nearMiss, sameWord } from "../tags/spelling.ts";
import { tagsFrom, tagValue, userTags, type Tags } from "../tags/tags.ts";
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
    for (const policy of set.policies) {
      if (!policy.appliesTo(resource)) continue;
      rules += policy.rules.length;
      for (const rule of policy.rules) addViolations(rule, tags, violations);
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
  addViolations(rule, tags, violations);
  return violations;
}

/** The aliases of a rule that are there, in the order of the rule. */
export function aliasesSeen(rule: CompiledKeyRule, tags: Tags): string[] {
  return rule.aliases.filter((alias) => Object.hasOwn(tags, alias));
}

function addViolations(rule: CompiledRule, tags: Tags, violations: Violation[]): void {
  switch (rule.about) {
    case "key":
      return addKeyViolation(rule, tags, violations);
    case "forbidden":
      return addForbiddenViolations(rule, tags, violations);
    case "max_tags":
      return addLimitViolation(rule, tags, violations);
  }
}

/** One violation at most: a value that is not allowed hides a variant, a variant hides that the key is missing. */
function addKeyViolation(rule: CompiledKeyRule, tags: Tags, violations: Violation[]): void {
  const value = tagValue(tags, rule.key);
  if (value !== undefined && !rule.passes(value)) {
    const wrong = value === "" ? "is empty" : "has a value that is not allowed";
    const observed = pick(tags, [rule.key, ...aliasesSeen(rule, tags)]);
    violations.push(
      violation(rule, rule.key, "invalid", `\`${rule.key}\` ${wrong}.`, { observed, expected: rule.expected }),
    );
    return;
  }
  const aliases = aliasesSeen(rule, tags);
  if (aliases.length > 0) {
    const message = `${aliases.map((alias) => `\`${alias}\``).join(", ")} should be \`${rule.key}\`.`;
    const observed = pick(tags, [rule.key, ...aliases]);
    const expected = `the key ${rule.key} alone, with ${rule.expected}`;
    violations.push(violation(rule, rule.key, "variant", message, { observed, expected }));
    return;
  }
  if (value === undefined && rule.required) {
    const near = misspellingOf(rule, tags);
    const message = `\`${rule.key}\` is missing${near === null ? "" : `; \`${near}\` looks like it`}.`;
    const detail = { observed: tagsFrom([]), expected: rule.expected, ...(near === null ? {} : { near_miss: near }) };
    violations.push(violation(rule, rule.key, "missing", message, detail));
  }
}

/** A key on the resource that looks like the rule's and is no key that another rule names, unless both are the same word. */
function misspellingOf(rule: CompiledKeyRule, tags: Tags): string | null {
  const candidates = Object.keys(tags).filter(
    (key) => !isReserved(key) && (!rule.known_keys.has(key) || sameWord(rule.key, key)),
  );
  return nearMiss(rule.key, candidates);
}

function addForbiddenViolations(rule: CompiledForbiddenRule, tags: Tags, violations: Violation[]): void {
  const seen = Object.keys(tags).filter((key) => !isReserved(key) && rule.forbids(key));
  for (const key of seen.sort()) {
    const detail = { observed: pick(tags, [key]), expected: rule.expected };
    violations.push(violation(rule, key, "forbidden", `\`${key}\` is forbidden.`, detail));
  }
}

function addLimitViolation(rule: CompiledLimitRule, tags: Tags, violations: Violation[]): void {
  // Most resources hold so few tags that counting all of them is enough.
  if (Object.keys(tags).length <= rule.max_tags) return;
  const count = Object.keys(userTags(tags)).length;
  if (count <= rule.max_tags) return;
  const detail = { observed: tagsFrom([]), expected: `at most ${rule.max_tags} tags`, count };
  violations.push(violation(rule, "", "too_many", `${count} tags, where ${rule.max_tags} are allowed.`, detail));
}

function violation(
  rule: CompiledRule,
  key: string,
  kind: FindingKind,
  message: string,
  detail: Omit<ViolationDetail, "message">,
): Violation {
  return {
    policy_id: rule.policy_id,
    rule_id: rule.rule_id,
    key,
    kind,
    severity: rule.severity,
    detail: { message: rule.message ?? message, ...detail },
  };
}

function pick(tags: Tags, keys: readonly string[]): Tags {
  return tagsFrom(keys.flatMap((key) => (Object.hasOwn(tags, key) ? [[key, tags[key] ?? ""] as const] : [])));
}
