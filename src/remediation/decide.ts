import type { Resource } from "../inventory/resource.ts";
import type { PolicySet } from "../policy/load.ts";
import type { Given } from "../policy/given.ts";
import { judge } from "../policy/judge.ts";
import { obstacleOf, policiesAbout } from "../policy/obstacle.ts";
import type { Surroundings } from "../inventory/surroundings.ts";
import { tagValue, type Tags } from "../tags/tags.ts";
import { fits, remainingChanges, sameChanges, valueOrNull, withChanges, withoutChanges } from "./change-tags.ts";
import { isSame } from "./merge-fixes.ts";
import { foughtKey, whyFought } from "./fought.ts";
import { type Action, type PlanMode, planResource, valueAfter } from "./plan.ts";
import type { ActionState, TagChange } from "./schema.ts";

/** What the database says, right before an action, about its resource and the findings behind it. */
export type Known = {
  /** Null: not in the inventory, or gone. */
  readonly resource: Resource | null;
  readonly stack: string | null;
  /** As last recorded; null: never read. */
  readonly tags: Tags | null;
  /** What stands around it: as stored, and what the decision read of it as just read anew. */
  readonly around: Surroundings;
  /** The set of policies that is active; null: none is. */
  readonly policy_set_id: string | null;
  /** The action's findings that are open, and whether an exemption accepts them now. */
  readonly open: ReadonlyMap<string, { readonly exempt: boolean }>;
  /** Keys of the resource that others fight us over. */
  readonly fights: readonly string[];
};

/** An end of an action, with the reason for a person. The note never holds a tag value. */
export type End = { readonly state: Exclude<ActionState, "planned" | "intended">; readonly note: string | null };

/** What to send. `untag_first`: there is no room for the new keys before the old ones are gone. */
export type Write = {
  readonly tag: readonly { readonly key: string; readonly value: string }[];
  readonly untag: readonly string[];
  readonly untag_first: boolean;
  /** A key's value is on the resource no more, and not yet under its new key: this write must not be given up. */
  readonly owed: boolean;
};

/** A key's value is on the resource no more, and it cannot be put back now: the action has no end yet. */
type Open = { readonly state: "open"; readonly note: string };

/** Judges actions anew at the moment of applying. */
export type Judging = { readonly set: PolicySet; readonly mode: PlanMode; readonly now: Date };

/** Whether an action is still wanted, by what is known without asking AWS. Null: it is. */
export function endBeforeReading(action: Action, known: Known, judging: Judging): End | null {
  const { resource } = known;
  if (resource === null) return { state: "skipped", note: "the resource is gone" };
  if (isUndo(action)) return obstacleEnd(action, resource, known.tags ?? {}, known, judging);
  for (const { finding_id, policy_id, rule_id } of action.reasons) {
    const finding = known.open.get(finding_id);
    if (!finding) return { state: "skipped", note: `${policy_id}/${rule_id}: the finding is no longer open` };
    if (finding.exempt) return { state: "skipped", note: `${policy_id}/${rule_id}: an exemption accepts the finding` };
  }
  const decided = Object.entries(action.decided_on).map(([key, after]) => ({ key, after }));
  const tags = withChanges(withoutChanges(known.tags ?? {}, action.changes), decided);
  const end = obstacleEnd(action, resource, known.tags ?? {}, known, judging);
  if (end) return end;
  return sameChanges(askedFor(action, resource, tags, known, judging), action.changes) ? null : noLongerAsked();
}

/**
 * What to do with an action, by the tags that the service just answered. `resumed`: an earlier run may have written, so a
 * key may be as before, as planned, or the whole between the two calls of a rename.
 */
export function decide(
  action: Action,
  fresh: Tags,
  known: Known,
  resumed: boolean,
  judging: Judging,
): End | Open | Write {
  const remaining = remainingChanges(fresh, action.changes);
  if (remaining.length === 0) {
    return resumed
      ? { state: "verified", note: "an earlier run had written it" }
      : { state: "unchanged", note: "it already was as planned" };
  }
  const moved = action.changes.find(({ key, before, after }) => ![before, after].includes(valueOrNull(fresh, key)));
  if (moved) return { state: "conflict", note: `${moved.key} was changed by someone else since the plan` };

  const owed = resumed && owesValue(action.changes, remaining);
  if (!owed) {
    const end = endBeforeWriting(action, fresh, known, remaining, resumed, judging);
    if (end) return end;
  }
  if (!fits(withChanges(fresh, remaining))) {
    return owed
      ? {
          state: "open",
          note: "a value is off the resource, and other tags have taken its room (AWS allows 50): remove one",
        }
      : { state: "conflict", note: "other tags have taken the room: AWS allows 50" };
  }
  return { ...toWrite(fresh, remaining), owed };
}

/** The calls that make the remaining changes: tag first, so that no value is ever off the resource, unless there is no room. */
function toWrite(fresh: Tags, remaining: readonly TagChange[]): Omit<Write, "owed"> {
  const tag = remaining.flatMap(({ key, after }) => (after === null ? [] : [{ key, value: after }]));
  const untag = remaining.filter(({ after }) => after === null).map(({ key }) => key);
  const peak = withChanges(
    fresh,
    remaining.filter(({ after }) => after !== null),
  );
  return { tag, untag, untag_first: untag.length > 0 && tag.length > 0 && !fits(peak) };
}

/** Whether a value was taken off the resource and is not yet back under another key. */
export function owesValue(changes: readonly TagChange[], remaining: readonly TagChange[]): boolean {
  const toDo = new Set(remaining.map(({ key }) => key));
  const toWrite = new Set(remaining.map(({ after }) => after));
  return changes.some(
    ({ key, before, after }) => before !== null && after === null && !toDo.has(key) && toWrite.has(before),
  );
}

function endBeforeWriting(
  action: Action,
  fresh: Tags,
  known: Known,
  remaining: readonly TagChange[],
  resumed: boolean,
  judging: Judging,
): End | null {
  const read = Object.entries(action.decided_on).find(([key, value]) => valueOrNull(fresh, key) !== value);
  if (read) return { state: "conflict", note: `${read[0]}, on which the decision rests, was changed since the plan` };
  if (resumed) {
    const end = endBeforeReading(action, { ...known, tags: fresh }, judging);
    if (end) return end;
  }
  const { resource } = known;
  if (resource === null) return { state: "skipped", note: "the resource is gone" };
  const obstacle = obstacleEnd(action, resource, fresh, known, judging);
  if (obstacle) return obstacle;
  // No rule asks for an undo: that each key is as we left it, or back already, was looked at before.
  if (isUndo(action)) return null;
  if (resumed || sameChanges(askedFor(action, resource, fresh, known, judging), remaining)) return null;
  // A change above that leads to the same value, such as one of this plan's own, has passed by now.
  const above = action.reads_from.find(({ arn, key, value }) => valueAbove(known.around, arn, key) !== value);
  if (above) {
    const note = `${above.key} of ${above.arn}, on which the decision rests, was changed since the plan`;
    return { state: "conflict", note };
  }
  // Some key is already as planned, and that changed what the rules ask for: someone did half of it, in another way.
  if (remaining.length < action.changes.length) {
    return { state: "conflict", note: "someone else made part of the change since the plan" };
  }
  return noLongerAsked();
}

/** What the active rules behind an action ask for, on these tags. */
function askedFor(
  action: Action,
  resource: Resource,
  tags: Tags,
  { around }: Pick<Known, "around">,
  { set, mode, now }: Judging,
): readonly TagChange[] {
  const violations = judge(set, { resource, tags, now, around }).violations;
  const findings = action.reasons.filter((reason) => violations.some((violation) => isSame(violation, reason)));
  const plannable = { resource, tags, unread: null, stack: null, around, findings };
  const given = givenBy(action);
  const draft = planResource(set, plannable, { mode, now, ...(given && { given: () => given }) });
  // Whether there is room is another question, with another answer.
  return [...draft.actions, ...draft.blocked].flatMap(({ changes }) => changes);
}

/**
 * The values that a person gave for an action, to be judged anew. That one of them replaces a value was decided when the plan
 * was made and approved: the action names that value, and another one is a conflict.
 */
function givenBy({ changes, given, decided_on }: Action): Given | null {
  if (given.length === 0) return null;
  const values = given.flatMap((key) => {
    const value = valueAfter({ changes, decided_on }, key);
    return value === null ? [] : [[key, value] as const];
  });
  return { values: new Map(values), overwrite: true, from: "" };
}

function obstacleEnd(
  action: Action,
  resource: Resource,
  tags: Tags,
  { stack, around, fights }: Known,
  { set, now }: Judging,
): End | null {
  const key = foughtKey(action, fights);
  if (key !== null) return { state: "blocked", note: whyFought(key) };
  const asking = action.reasons.map(({ policy_id }) => policy_id);
  const policies = isUndo(action) ? [...asking, ...policiesAbout(set, resource)] : asking;
  const note = obstacleOf(set, { resource, tags, now, around }, stack, policies);
  return note === null ? null : { state: "blocked", note };
}

/** Whether an action puts back what another one wrote. */
export function isUndo({ undoes_position = null }: Pick<Action, "undoes_position">): boolean {
  return undoes_position !== null;
}

/** What a resource above the changed one has; null: no such key, or no such resource any longer. */
function valueAbove({ lineage }: Surroundings, arn: string, key: string): string | null {
  const ancestor = lineage.ancestors.find((one) => one.arn === arn);
  return (ancestor?.tags && tagValue(ancestor.tags, key)) ?? null;
}

function noLongerAsked(): End {
  return { state: "skipped", note: "the active policies no longer ask for exactly this: plan again" };
}
