import type { Resource } from "../inventory/resource.ts";
import type { Surroundings } from "../inventory/surroundings.ts";
import { ruleOf } from "../policy/fix.ts";
import type { PolicySet } from "../policy/load.ts";
import { obstacleOf, policiesAbout } from "../policy/obstacle.ts";
import { hashTags } from "../tags/hash-tags.ts";
import { isReserved } from "../tags/limits.ts";
import { tagsFrom, type Tags } from "../tags/tags.ts";
import { countUserTags, fits, valueOrNull, withChanges } from "./change-tags.ts";
import { foughtKey, whyFought } from "./fought.ts";
import type { Action, BlockedAction } from "./plan.ts";
import type { Origin, TagChange } from "./schema.ts";
import type { ActionRow } from "./store.ts";

/** What the journal has of an action that a run began. */
type JournaledAction = Pick<
  ActionRow,
  | "position"
  | "account_id"
  | "region"
  | "type"
  | "arn"
  | "changes"
  | "reasons"
  | "origins"
  | "protected"
  | "tags_before"
  | "tags_after"
  | "intended_at"
  | "finished_at"
>;

/** A journaled action, and what the database says of its resource now. */
export type Undoable = {
  readonly done: JournaledAction;
  /** Null: not in the inventory, or gone. */
  readonly resource: Resource | null;
  /** As last recorded, and when these tags were first read. */
  readonly tags: Tags | null;
  readonly tags_read_at: Date | null;
  readonly stack: string | null;
  readonly around: Surroundings;
  /** Keys of the resource that others fight us over. */
  readonly fights: readonly string[];
};

/** What an undo would do, what it must not do, and where nothing is left to do. */
export type UndoDraft = {
  readonly actions: readonly Action[];
  readonly blocked: readonly BlockedAction[];
  readonly skipped: readonly BlockedAction[];
};

const CHANGED = "changed since";
const BACK = "it is as it was before already";

/**
 * Plans how to put back what the actions of a plan wrote: every key that we changed, to what it was right before, and only where
 * it still is as we left it. An action that wrote nothing has no place in it.
 */
export function planUndo(set: PolicySet, all: readonly Undoable[], now: Date): UndoDraft {
  const draft = { actions: [] as Action[], blocked: [] as BlockedAction[], skipped: [] as BlockedAction[] };
  for (const one of all) {
    const recorded = recordedSince(one);
    const written = writtenBy(one.done, recorded);
    if (written.length === 0) continue;
    const known = knownTags(one.done, recorded);
    const { changes, left_out } = puttingBack(written, known);
    const action = toAction(set, one.done, known, changes, left_out);
    const skip = one.resource === null ? "the resource is gone" : changes.length === 0 ? nothingLeft(left_out) : null;
    const block = skip === null && one.resource !== null ? blockOf(set, one, one.resource, action, known, now) : null;
    if (skip !== null) draft.skipped.push({ ...action, note: skip });
    else if (block !== null) draft.blocked.push({ ...action, note: block });
    else draft.actions.push(action);
  }
  return draft;
}

/** The tags as recorded by something that read them after the journal did; null: nothing has. */
function recordedSince({ done: { intended_at, finished_at }, tags, tags_read_at }: Undoable): Tags | null {
  const journaled_at = finished_at ?? intended_at;
  return tags_read_at !== null && journaled_at !== null && tags_read_at > journaled_at ? tags : null;
}

/**
 * The changes of which the journal shows that we made them, or what was recorded since: a write that failed as not seen may have shown
 * later. Where nothing could be read after the write it may not have been made: then the fresh reading before an undo finds the key as it
 * was, and writes nothing.
 */
function writtenBy({ changes, tags_before, tags_after }: JournaledAction, recorded: Tags | null): TagChange[] {
  if (tags_before === null) return [];
  const before = tagsFrom(Object.entries(tags_before));
  const after = tags_after === null ? null : tagsFrom(Object.entries(tags_after));
  const hasValue = (tags: Tags, { key, after: value }: TagChange) => valueOrNull(tags, key) === value;
  return changes
    .map((change) => ({ ...change, before: valueOrNull(before, change.key) }))
    .filter(({ key }) => !isReserved(key))
    .filter((change) => change.before !== change.after)
    .filter((change) => after === null || hasValue(after, change) || (recorded !== null && hasValue(recorded, change)));
}

/**
 * The newest that is known of the tags: as recorded, or as the journal has them, where that is newer. Where nothing could be read
 * after the write, what is recorded may be older than it, whatever its time: a key that seems untouched counts as written.
 */
function knownTags({ changes, tags_before, tags_after }: JournaledAction, recorded: Tags | null): Tags {
  if (tags_after !== null) return recorded ?? tagsFrom(Object.entries(tags_after));
  const before = tagsFrom(Object.entries(tags_before ?? {}));
  const known = recorded ?? before;
  const untouched = changes.filter(({ key }) => valueOrNull(known, key) === valueOrNull(before, key));
  return withChanges(known, untouched);
}

/** The changes back, and which keys stay as they are, and why. */
function puttingBack(
  written: readonly TagChange[],
  known: Tags,
): { changes: TagChange[]; left_out: Record<string, string> } {
  const left_out: Record<string, string> = Object.create(null);
  for (const { key, before, after } of written) {
    const value = valueOrNull(known, key);
    if (value !== after) left_out[key] = value === before ? BACK : CHANGED;
  }
  const back = written.filter(({ key }) => !Object.hasOwn(left_out, key));
  for (const { key, before, after } of back) {
    if (before !== null) continue;
    // A rename of ours: the value would be on the resource no more, were the new key removed and the old one left as someone has it.
    const from = written.find((one) => left_out[one.key] === CHANGED && one.after === null && one.before === after);
    if (from) left_out[key] = `its value came from ${from.key}, which was changed since`;
  }
  const changes = back
    .filter(({ key }) => !Object.hasOwn(left_out, key))
    .map(({ key, before, after }) => ({ key, before: after, after: before }));
  return { changes, left_out };
}

function toAction(
  set: PolicySet,
  done: JournaledAction,
  known: Tags,
  changes: readonly TagChange[],
  left_out: Readonly<Record<string, string>>,
): Action {
  const { account_id, region, type, arn, reasons, position } = done;
  return {
    account_id,
    region,
    type,
    arn,
    changes,
    decided_on: {},
    reads_from: [],
    origins: originsBack(done, changes),
    given: [],
    tags_hash: hashTags(known),
    reasons,
    protected: done.protected || reasons.some((reason) => ruleOf(set, reason.policy_id, reason.rule_id)?.protected),
    undoes_position: position,
    left_out,
  };
}

/** By whose rules a key was written that is put back now. */
function originsBack({ origins }: JournaledAction, changes: readonly TagChange[]): Record<string, Origin> {
  const back: Record<string, Origin> = Object.create(null);
  for (const { key, after } of changes) {
    const rules = Object.hasOwn(origins, key) ? origins[key]?.rules : undefined;
    back[key] = { rules: rules ?? [], from: after === null ? "it was not there before" : "what was there before" };
  }
  return back;
}

function blockOf(
  set: PolicySet,
  { stack, around, fights }: Undoable,
  resource: Resource,
  action: Action,
  known: Tags,
  now: Date,
): string | null {
  const { changes, reasons } = action;
  const key = foughtKey(action, fights);
  if (key !== null) return whyFought(key);
  const policies = [...reasons.map(({ policy_id }) => policy_id), ...policiesAbout(set, resource)];
  const obstacle = obstacleOf(set, { resource, tags: known, now, around }, stack, policies);
  if (obstacle !== null) return obstacle;
  const after = withChanges(known, changes);
  return fits(after) ? null : `no room: it would have ${countUserTags(after)} tags, and AWS allows 50`;
}

function nothingLeft(left_out: Readonly<Record<string, string>>): string {
  const keys = Object.entries(left_out).map(([key, why]) => `${key}: ${why}`);
  return `nothing is left to undo: ${keys.join("; ")}`;
}
