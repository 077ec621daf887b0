import { tagsFrom, tagValue, type Tags } from "../tags/tags.ts";
import { aliasesSeen, type CompiledKeyRule, type CompiledPolicy, type CompiledRule } from "./compile.ts";
import type { Look } from "./facts.ts";
import { decideGiven, type Given, isAnswered } from "./given.ts";
import { appliesTo, holds, isBeingDeleted, verdictOf } from "./judge.ts";
import type { PolicySet } from "./load.ts";
import { Looks, type ReadFrom } from "./looks.ts";
import type { Subject } from "./subject.ts";
import type { FindingKind, Violation } from "./verdict.ts";

/**
 * What a rule asks for, to repair one violation.
 * - `change`: these keys, to these values; null removes. `reads`: keys that decided, those that its conditions and the source
 *   of its value asked for included, and must still be as they were when it is applied; `reads_from`: tags of resources above
 *   it that did. `from`: where the value comes from, in words. `auto`:
 *   may be applied without a person, so never for a protected rule.
 * - `review`: a person decides, for this reason. - `off`: the policy reports only.
 */
export type Fix =
  | {
      readonly kind: "change";
      readonly changes: readonly Change[];
      readonly reads: readonly string[];
      readonly reads_from: readonly ReadFrom[];
      readonly from: string | null;
      readonly protected: boolean;
      readonly auto: boolean;
    }
  | { readonly kind: "review"; readonly reason: string }
  | { readonly kind: "off" };

type Change = { readonly key: string; readonly after: string | null };
type Decision =
  | { readonly changes: readonly Change[]; readonly reads: readonly string[]; readonly from?: string | null }
  | string;

/**
 * What the set asks for exactly this violation, on a resource that has these tags now. Pure.
 * A violation that these tags no longer show, of a rule that is gone or is no longer about this resource, comes back as `review`.
 * After the changes of a `change` the rule passes. They touch no `aws:` tag and overwrite no value that the rule's fix does not name.
 * What a person gives takes the place of what the rule's fix says.
 */
export function fixFor(
  set: PolicySet,
  violation: Pick<Violation, "policy_id" | "rule_id" | "key"> & { readonly kind: FindingKind },
  subject: Subject,
  given: Given | null = null,
): Fix {
  const policy = set.policies.find(({ id }) => id === violation.policy_id);
  const rule = policy?.rules.find(({ rule_id }) => rule_id === violation.rule_id);
  if (!policy || !rule) return review("no active policy has this rule");
  const looks = new Looks(subject);
  const applies = isBeingDeleted(subject.resource) ? { applies: false } : appliesTo(policy, subject, looks.look);
  if ("unknown" in applies)
    return review(`it is not known whether the policy is about this resource: ${applies.unknown}`);
  if (!applies.applies) return review("the policy is no longer about this resource");
  const { violations, unknown } = verdictOf(rule, subject, looks.look);
  if (unknown !== null) return review(`the rule cannot be judged: ${unknown}`);
  const shown = violations.find(({ key, kind }) => key === violation.key && kind === violation.kind);
  if (!shown) return review("the tags no longer violate the rule in this way");
  if (policy.remediation === "off") return { kind: "off" };
  const decision =
    given !== null && isAnswered(rule, given)
      ? decideGiven(rule, subject.tags, given)
      : decide(rule, shown, subject, looks.look);
  if (typeof decision === "string") return review(decision);
  const against = whyNotRepaired(rule, shown, decision.changes, subject, looks.look);
  if (against !== null) return review(against);
  // Whether it is managed elsewhere by its own tags is asked again before anything is written; what stands above has to be read for that.
  if (policy.managed !== null) holds(policy.managed, subject, looks.lookAbove);
  return change(policy, rule, decision, looks);
}

/** What the rule would still say of the key after these changes, such as that a value is not the parent's; null: it would pass. */
function whyNotRepaired(
  rule: CompiledRule,
  { key }: Violation,
  changes: readonly Change[],
  subject: Subject,
  look: Look,
): string | null {
  const after = new Map(Object.entries(subject.tags));
  for (const change of changes) {
    if (change.after === null) after.delete(change.key);
    else after.set(change.key, change.after);
  }
  const { violations, unknown } = verdictOf(rule, { ...subject, tags: tagsFrom(after) }, look);
  if (unknown !== null) return `the rule could not be judged after the change: ${unknown}`;
  const left = violations.find((violation) => violation.key === key);
  return left ? `the rule would not pass after the change: ${left.detail.message}` : null;
}

/** The rule of this name; undefined when the set has none. */
export function ruleOf(set: PolicySet, policy_id: string, rule_id: string): CompiledRule | undefined {
  return set.policies.find(({ id }) => id === policy_id)?.rules.find((rule) => rule.rule_id === rule_id);
}

/**
 * Why a policy behind a change says that the resource is managed elsewhere and not to be repaired; null: none does. A condition
 * that cannot be evaluated counts as true.
 */
export function managedBy(set: PolicySet, policy_ids: readonly string[], subject: Subject): string | null {
  for (const { id, managed } of set.policies) {
    if (managed === null || !policy_ids.includes(id)) continue;
    const answer = holds(managed, subject);
    if ("unknown" in answer) return `policy ${id} cannot tell whether it is managed elsewhere: ${answer.unknown}`;
    if (answer.value) return `policy ${id} says that it is managed elsewhere (${managed.text})`;
  }
  return null;
}

function review(reason: string): Fix {
  return { kind: "review", reason };
}

function change(policy: CompiledPolicy, rule: CompiledRule, decision: Exclude<Decision, string>, looks: Looks): Fix {
  const auto = policy.remediation === "auto" && !rule.protected;
  const { changes, from = null } = decision;
  const reads = [...new Set([...decision.reads, ...looks.own])];
  return { kind: "change", changes, reads, reads_from: looks.above, from, protected: rule.protected, auto };
}

/** The changes, or the reason why a person has to decide. */
function decide(rule: CompiledRule, violation: Violation, subject: Subject, look: Look): Decision {
  if (rule.about === "max_tags") return "a person chooses which tags go";
  if (rule.about === "assert") return "a person decides how the condition is met";
  if (rule.about === "forbidden") {
    if (!rule.fix.remove) return "the rule leaves forbidden keys to a person";
    return { changes: [{ key: violation.key, after: null }], reads: [violation.key] };
  }
  if (violation.kind === "missing") return decideMissing(rule, violation, subject, look);
  return violation.kind === "variant" ? decideVariant(rule, subject.tags) : decideInvalid(rule, subject.tags);
}

function decideMissing(rule: CompiledKeyRule, violation: Violation, subject: Subject, look: Look): Decision {
  const near = violation.detail.near_miss;
  const { missing } = rule.fix;
  if (!missing) return "the rule has no value to write where the key is missing";
  if (near !== undefined && !missing.despite_near_miss) {
    return `\`${near}\` looks like \`${rule.key}\`; declare it as an alias, or let a person decide`;
  }
  const derived = missing.derive(subject, look);
  if (derived.kind === "unknown") return `the value cannot be told: ${derived.reason}`;
  if (derived.kind === "none") return `there is no value to write: ${derived.reason}`;
  const { value, from } = derived;
  return { changes: [{ key: rule.key, after: value }], reads: [rule.key, ...rule.aliases], from };
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
  if (!rule.passes(value, rule.required !== false)) return "the value of the other spelling is not allowed";
  const set = present === undefined ? [{ key: rule.key, after: value }] : [];
  return { changes: [...set, ...removals(aliases)], reads: readsOf(rule, aliases) };
}

/** Writes what the fix names. Aliases beside it must already say the same, or their values would be overruled unseen. */
function decideInvalid(rule: CompiledKeyRule, tags: Tags): Decision {
  const value = tagValue(tags, rule.key) ?? "";
  if (value !== "" && rule.passes(value, true))
    return "the value is allowed, and contradicts that of a resource above it";
  const after = rule.fix.invalid(value);
  if (after === null) return "the rule does not say what this value should be";
  const aliases = aliasesSeen(rule, tags);
  if (aliases.some((alias) => tagValue(tags, alias) !== after))
    return "another spelling of the key has a different value";
  if (aliases.length > 0 && !rule.fix.rename) return "another spelling of the key is there as well";
  return { changes: [{ key: rule.key, after }, ...removals(aliases)], reads: readsOf(rule, aliases) };
}

function readsOf(rule: CompiledKeyRule, aliases: readonly string[]): string[] {
  return [...new Set([rule.key, ...rule.aliases, ...aliases])];
}

function removals(keys: readonly string[]): Change[] {
  return keys.map((key) => ({ key, after: null }));
}
