import { aliasesSeen } from "../policy/compile.ts";
import { fixFor, type Fix } from "../policy/fix.ts";
import type { Given } from "../policy/given.ts";
import { judge } from "../policy/judge.ts";
import type { PolicySet } from "../policy/load.ts";
import type { Subject } from "../policy/subject.ts";
import type { Violation } from "../policy/verdict.ts";
import { isReserved } from "../tags/limits.ts";
import { tagsFrom, type Tags } from "../tags/tags.ts";
import { sameChanges, valueOrNull, withChanges } from "./change-tags.ts";
import type { Reason } from "./schema.ts";

/** A finding with the change that its rule asks for. */
export type Candidate = { readonly finding: Reason; readonly fix: Extract<Fix, { kind: "change" }> };

/** Hears of every finding that cannot be planned, and why. */
type ToPerson = (finding: Reason, reason: string) => void;

/** What a resource is judged with, and what a person gives for it. */
type World = { readonly set: PolicySet; readonly subject: Subject; readonly given: Given | null };

/** The change that each finding's rule asks for; what needs a person is told, what a policy does not repair is left out. */
export function candidatesOf(
  { set, subject, given }: World,
  findings: readonly Reason[],
  toPerson: ToPerson,
): Candidate[] {
  const { tags } = subject;
  const isProtected = protectedKeys(set, subject);
  const candidates: Candidate[] = [];
  for (const finding of findings) {
    const fix = fixFor(set, finding, subject, given);
    if (fix.kind === "review") toPerson(finding, fix.reason);
    if (fix.kind === "off" && given !== null) toPerson(finding, `${finding.policy_id} says remediation: off`);
    if (fix.kind !== "change") continue;
    const changes = effective(fix.changes, tags);
    if (changes.some(({ key }) => isReserved(key))) toPerson(finding, "tags that begin with aws: belong to AWS");
    else if (changes.length === 0) toPerson(finding, "its tags are as the fix would leave them");
    else {
      const by_key = changes.some(({ key }) => isProtected(key));
      candidates.push({ finding, fix: { ...fix, changes, protected: fix.protected || by_key } });
    }
  }
  return candidates;
}

/** The changes that these tags do not have already. */
function effective(changes: Candidate["fix"]["changes"], tags: Tags): Candidate["fix"]["changes"] {
  return changes.filter(({ key, after }) => valueOrNull(tags, key) !== after);
}

/** Keys of which some protected rule about the resource speaks, whichever rule asks for the change. */
function protectedKeys(set: PolicySet, { resource }: Subject): (key: string) => boolean {
  const rules = set.policies
    .flatMap((policy) => policy.rules.map((rule) => ({ policy, rule })))
    .filter(({ policy, rule }) => rule.protected && policy.appliesTo(resource))
    .map(({ rule }) => rule);
  return (key) =>
    rules.some(
      (rule) => rule.about === "key" && (rule.key === key || aliasesSeen(rule, tagsFrom([[key, ""]])).length > 0),
    );
}

/** Leaves out what rules do not agree about: two values for one key. */
export function dropDisputed(candidates: readonly Candidate[], toPerson: ToPerson): Candidate[] {
  const wants = new Map<string, Map<string | null, string>>();
  for (const { finding, fix } of candidates) {
    for (const { key, after } of fix.changes) {
      const values = wants.get(key) ?? new Map<string | null, string>();
      wants.set(key, values.set(after, `${finding.policy_id}/${finding.rule_id}`));
    }
  }
  return candidates.filter(({ finding, fix }) => {
    const disputed = fix.changes.find(({ key }) => (wants.get(key)?.size ?? 0) > 1);
    if (!disputed) return true;
    const rules = [...new Set(wants.get(disputed.key)?.values())].sort().join(" and ");
    toPerson(finding, `${rules} want different values for ${disputed.key}`);
    return false;
  });
}

/**
 * Leaves out fixes that would no longer be asked for, or with other values, once the others are made: the next plan sees them in
 * a new light.
 */
export function dropDependent(world: World, candidates: readonly Candidate[], toPerson: ToPerson): Candidate[] {
  const { set, subject, given } = world;
  return candidates.filter((candidate) => {
    const { finding, fix } = candidate;
    const own = new Set(fix.changes.map(({ key }) => key));
    const others = candidates
      .filter((other) => other !== candidate)
      .flatMap((other) => other.fix.changes)
      .filter(({ key }) => !own.has(key));
    const [first] = others;
    if (!first) return true;
    const tags = withChanges(subject.tags, others);
    const again = fixFor(set, finding, { ...subject, tags }, given);
    if (again.kind === "change" && sameChanges(effective(again.changes, tags), fix.changes)) return true;
    const read = others.find(({ key }) => fix.reads.includes(key));
    // Such as a default beside a key that looks like its own and only comes with this plan: it is asked for now, and with this value.
    if (!read && again.kind !== "change") return true;
    toPerson(finding, `it depends on ${(read ?? first).key}, which another rule changes: plan again after that`);
    return false;
  });
}

/** Leaves out fixes whose result some rule refuses: a value that is not allowed, a key that is needed or must not be. */
export function dropRefused(world: World, candidates: readonly Candidate[], toPerson: ToPerson): Candidate[] {
  if (candidates.length === 0) return [];
  const { set, subject } = world;
  const before = judge(set, subject).violations;
  let kept = [...candidates];
  for (;;) {
    const changes = kept.flatMap(({ fix }) => fix.changes);
    const after = judge(set, { ...subject, tags: withChanges(subject.tags, changes) }).violations;
    const refusal = after
      .map((violation) => ({ violation, keys: refusedKeys(violation, before, changes) }))
      .find(({ keys }) => keys.length > 0);
    if (!refusal) return kept;
    const { violation, keys } = refusal;
    kept = kept.filter(({ finding, fix }) => {
      const refused = fix.changes.some(({ key }) => keys.includes(key));
      if (refused)
        toPerson(
          finding,
          `${violation.policy_id}/${violation.rule_id} would be violated by the result (${violation.kind} ${violation.key})`,
        );
      return !refused;
    });
  }
}

/**
 * Leaves out removals that would lose a value which another rule renames, where that rule is not among those that are
 * planned now. `all`: what every rule asks for.
 */
export function dropLosing(
  tags: Tags,
  kept: readonly Candidate[],
  all: readonly Candidate[],
  toPerson: ToPerson,
): Candidate[] {
  const written = new Set(kept.flatMap(({ fix }) => fix.changes).map(({ after }) => after));
  const renames = all.filter((other) => !kept.includes(other) && other.fix.changes.some(({ after }) => after !== null));
  return kept.filter(({ finding, fix }) => {
    const lost = fix.changes.filter(({ key, after }) => after === null && !written.has(valueOrNull(tags, key)));
    const renaming = renames.find((other) =>
      other.fix.changes.some(({ key, after }) => after === null && lost.some((change) => change.key === key)),
    );
    if (!renaming) return true;
    const { policy_id, rule_id } = renaming.finding;
    toPerson(finding, `it would lose a value that ${policy_id}/${rule_id} renames: plan both, or that one first`);
    return false;
  });
}

/** The changed keys by which a violation would come about, or stay although we write. */
function refusedKeys(
  violation: Violation,
  before: readonly Violation[],
  changes: readonly { key: string; after: string | null }[],
): string[] {
  const { kind, key } = violation;
  if (kind === "invalid" || kind === "forbidden") {
    return changes.filter((change) => change.key === key && change.after !== null).map((change) => change.key);
  }
  if (kind === "missing") {
    return changes.filter((change) => change.key === key && change.after === null).map((change) => change.key);
  }
  // A key that we write is an alias of another rule's key, which would rename it.
  if (kind === "variant" && !before.some((known) => isSame(known, { ...violation }))) {
    return changes
      .filter((c) => c.after !== null && Object.hasOwn(violation.detail.observed, c.key))
      .map((change) => change.key);
  }
  return [];
}

/** Whether a violation is what a finding says. */
export function isSame(
  violation: Pick<Violation, "policy_id" | "rule_id" | "key" | "kind">,
  finding: Pick<Reason, "policy_id" | "rule_id" | "key" | "kind">,
): boolean {
  return (
    violation.policy_id === finding.policy_id &&
    violation.rule_id === finding.rule_id &&
    violation.key === finding.key &&
    violation.kind === finding.kind
  );
}
