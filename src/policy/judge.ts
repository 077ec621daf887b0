import type { Resource } from "../inventory/resource.ts";
import { isReserved } from "../tags/limits.ts";
import { nearest } from "../tags/spelling.ts";
import { NO_TAGS, tagsFrom, tagValue, type Tags } from "../tags/tags.ts";
import {
  aliasesSeen,
  type CompiledAssertRule,
  type CompiledForbiddenRule,
  type CompiledKeyRule,
  type CompiledLimitRule,
  type CompiledPolicy,
  type CompiledRule,
} from "./compile.ts";
import type { Expression } from "./condition.ts";
import { Facts, type Look } from "./facts.ts";
import type { PolicySet } from "./load.ts";
import { NOT_LOOKED_UP } from "../inventory/surroundings.ts";
import type { Subject } from "./subject.ts";
import type { Judgement, Violation, ViolationDetail, ViolationKind } from "./verdict.ts";

/** Whether a policy is about a resource; or why that is not known. */
export type Applies = { readonly applies: boolean } | { readonly unknown: string };

/** What one rule says: what it found, if anything, or why it could not be judged. */
export type RuleVerdict = { readonly violations: readonly Violation[]; readonly unknown: string | null };

const PASS: RuleVerdict = { violations: [], unknown: null };

/**
 * What a set of policies says about one subject. Pure: the same arguments give the same answer, whatever the order of tags.
 * A resource that is being deleted, or that no policy is about, has no rules. `aws:` tags are neither judged nor counted. A
 * condition that cannot be evaluated, or that asks for what was not read, leaves its rules unknown.
 */
export function judge(set: PolicySet, subject: Subject): Judgement {
  const violations: Violation[] = [];
  const unknowns: Judgement["unknowns"][number][] = [];
  let rules = 0;
  if (!isBeingDeleted(subject.resource)) {
    const judged = new Judged(subject);
    for (const policy of set.policies) {
      if (!policy.appliesTo(subject.resource)) continue;
      const applies = judged.applies(policy);
      if ("applies" in applies && !applies.applies) continue;
      rules += policy.rules.length;
      for (const rule of policy.rules) {
        const verdict = "unknown" in applies ? { violations: [], unknown: applies.unknown } : judged.verdict(rule);
        violations.push(...verdict.violations);
        if (verdict.unknown !== null)
          unknowns.push({ policy_id: rule.policy_id, rule_id: rule.rule_id, reason: verdict.unknown });
      }
    }
  }
  return { rules, violations, unknowns };
}

/** Statuses are an open set with spaces and underscores mixed: `DELETE PENDING`, `DELETE IN_PROGRESS`. */
export function isBeingDeleted(resource: Resource): boolean {
  return resource.status.startsWith("DELETE");
}

/** Whether a policy is about a subject by its scope and its condition. `look`: hears of the tags that the condition asks for. */
export function appliesTo(policy: CompiledPolicy, subject: Subject, look?: Look): Applies {
  return policy.appliesTo(subject.resource) ? new Judged(subject, look).applies(policy) : { applies: false };
}

/** What one rule says of a subject: nothing, one violation, or for `forbidden` one for each key seen. `look`: hears of tags that decide beside the rule's own keys. */
export function verdictOf(rule: CompiledRule, subject: Subject, look?: Look): RuleVerdict {
  return new Judged(subject, look).verdict(rule);
}

/** Whether a condition holds for a subject; null with the reason where that cannot be told. */
export function holds(
  condition: Expression<boolean>,
  subject: Subject,
  look?: Look,
): { value: boolean } | { unknown: string } {
  return new Judged(subject, look).holds(condition);
}

/** A subject with what is made of it once for all rules, and only when one asks. */
class Judged {
  readonly subject: Subject;
  readonly keys: readonly string[];
  readonly look: Look | undefined;
  #facts: Facts | null = null;

  constructor(subject: Subject, look?: Look) {
    this.subject = subject;
    this.look = look;
    const keys = Object.keys(subject.tags);
    this.keys = keys.some(isReserved) ? keys.filter((key) => !isReserved(key)) : keys;
  }

  applies(policy: CompiledPolicy): Applies {
    if (policy.where === null) return { applies: true };
    const answer = this.holds(policy.where);
    return "value" in answer ? { applies: answer.value } : { unknown: `applies_to.where: ${answer.unknown}` };
  }

  verdict(rule: CompiledRule): RuleVerdict {
    if (rule.about === "key") return keyVerdict(rule, this);
    if (rule.about === "forbidden") return forbiddenVerdict(rule, this);
    return rule.about === "assert" ? assertVerdict(rule, this) : limitVerdict(rule, this);
  }

  holds(condition: Expression<boolean>): { value: boolean } | { unknown: string } {
    const { lineage, account } = this.subject.around ?? NOT_LOOKED_UP;
    if (condition.needs.lineage) {
      const gap = lineageGap(lineage);
      if (gap !== null) return { unknown: gap };
    }
    if (condition.needs.account && !account.known) return { unknown: account.reason };
    this.#facts ??= new Facts(this.subject, this.look);
    const answer = condition.evaluate(this.#facts);
    return "value" in answer ? answer : { unknown: answer.error };
  }
}

/** Why not all that stands above a resource is known; null: it is. */
function lineageGap(lineage: (typeof NOT_LOOKED_UP)["lineage"]): string | null {
  if (!lineage.known) return lineage.reason;
  const unread = lineage.ancestors.find(({ tags }) => tags === null);
  return unread ? `the tags of ${unread.type} ${unread.name} are not known: ${unread.unread}` : null;
}

/** One violation at most: a value that is not allowed hides a variant, a variant hides that the key is missing. */
function keyVerdict(rule: CompiledKeyRule, judged: Judged): RuleVerdict {
  const { tags } = judged.subject;
  const value = tagValue(tags, rule.key);
  let unknown: string | null = null;
  if (value !== undefined) {
    const allowed = isAllowed(rule, value, judged);
    if ("unknown" in allowed) unknown = allowed.unknown;
    else if (!allowed.value) {
      const message = `\`${rule.key}\` ${value === "" ? "is empty" : "has a value that is not allowed"}.`;
      return violated(rule, rule.key, "invalid", { message, observed: seen(rule, tags), expected: rule.expected });
    } else if (rule.agrees_with_parent) {
      const agreement = disagreement(rule, value, judged);
      if (typeof agreement === "string") unknown = agreement;
      else if (agreement) return violated(rule, rule.key, "invalid", { ...agreement, observed: seen(rule, tags) });
    }
  }
  const aliases = aliasesSeen(rule, tags);
  if (aliases.length > 0) {
    const message = `${aliases.map((alias) => `\`${alias}\``).join(", ")} should be \`${rule.key}\`.`;
    const expected = `the key ${rule.key} alone, with ${rule.expected}`;
    return violated(rule, rule.key, "variant", { message, observed: seen(rule, tags), expected });
  }
  if (value !== undefined) return unknown === null ? PASS : { violations: [], unknown };
  const required = isRequired(rule, judged);
  if ("unknown" in required) return { violations: [], unknown: required.unknown };
  return required.value ? violated(rule, rule.key, "missing", missingDetail(rule, judged.keys)) : PASS;
}

function isRequired({ required }: CompiledKeyRule, judged: Judged): { value: boolean } | { unknown: string } {
  if (typeof required === "boolean") return { value: required };
  const answer = judged.holds(required);
  return "value" in answer ? answer : { unknown: `required: ${answer.unknown}` };
}

/** Whether the rule is asked for makes a difference for an empty value only. */
function isAllowed(rule: CompiledKeyRule, value: string, judged: Judged): { value: boolean } | { unknown: string } {
  if (value !== "") return { value: rule.passes(value, true) };
  if (rule.passes("", true)) return { value: true };
  if (!rule.passes("", false)) return { value: false };
  const required = isRequired(rule, judged);
  return "value" in required ? { value: !required.value } : required;
}

/** How a value contradicts the nearest ancestor that has one which passes; null: it does not; a text: why that is not known. */
function disagreement(
  rule: CompiledKeyRule,
  value: string,
  { subject, look }: Judged,
): Pick<ViolationDetail, "message" | "expected"> | string | null {
  const { lineage } = subject.around ?? NOT_LOOKED_UP;
  for (const { arn, type, name, tags, unread } of lineage.ancestors) {
    if (tags === null) return `the tags of ${type} ${name} are not known: ${unread}`;
    look?.(arn, rule.key);
    const other = tagValue(tags, rule.key);
    if (other === undefined || other === "" || !rule.passes(other, true)) continue;
    if (other === value) return null;
    return {
      message: `\`${rule.key}\` is not what ${type} ${name} has.`,
      expected: `the same value as on ${type} ${name}`,
    };
  }
  return lineage.known ? null : lineage.reason;
}

function seen(rule: CompiledKeyRule, tags: Tags): Tags {
  return pick(tags, [rule.key, ...aliasesSeen(rule, tags)]);
}

function missingDetail(rule: CompiledKeyRule, keys: readonly string[]): ViolationDetail {
  const near_miss = nearest(keys, rule.slipsTo);
  const common = { observed: NO_TAGS, expected: rule.expected };
  if (near_miss === null) return { message: `\`${rule.key}\` is missing.`, ...common };
  return { message: `\`${rule.key}\` is missing; \`${near_miss}\` looks like it.`, ...common, near_miss };
}

function forbiddenVerdict(rule: CompiledForbiddenRule, { subject, keys }: Judged): RuleVerdict {
  if (!keys.some(rule.forbids)) return PASS;
  const violations = keys
    .filter(rule.forbids)
    .sort()
    .map((key) => {
      const observed = pick(subject.tags, [key]);
      return violation(rule, key, "forbidden", {
        message: `\`${key}\` is forbidden.`,
        observed,
        expected: rule.expected,
      });
    });
  return { violations, unknown: null };
}

function limitVerdict(rule: CompiledLimitRule, { keys }: Judged): RuleVerdict {
  const count = keys.length;
  if (count <= rule.max_tags) return PASS;
  return violated(rule, "", "too_many", {
    message: `${count} tags, at most ${rule.max_tags} allowed.`,
    observed: NO_TAGS,
    expected: `at most ${rule.max_tags} ${rule.max_tags === 1 ? "tag" : "tags"}`,
    count,
  });
}

function assertVerdict(rule: CompiledAssertRule, judged: Judged): RuleVerdict {
  const answer = judged.holds(rule.condition);
  if ("unknown" in answer) return { violations: [], unknown: `assert: ${answer.unknown}` };
  if (answer.value) return PASS;
  return violated(rule, "", "assertion", {
    message: "A condition over the tags does not hold.",
    observed: pick(judged.subject.tags, rule.condition.tag_keys),
    expected: rule.condition.text,
  });
}

function violated(rule: CompiledRule, key: string, kind: ViolationKind, detail: ViolationDetail): RuleVerdict {
  return { violations: [violation(rule, key, kind, detail)], unknown: null };
}

function violation(rule: CompiledRule, key: string, kind: ViolationKind, detail: ViolationDetail): Violation {
  const { policy_id, rule_id, severity, message } = rule;
  return { policy_id, rule_id, key, kind, severity, detail: message === null ? detail : { ...detail, message } };
}

function pick(tags: Tags, keys: readonly string[]): Tags {
  return tagsFrom(keys.flatMap((key) => (Object.hasOwn(tags, key) ? [[key, tags[key] ?? ""] as const] : [])));
}
