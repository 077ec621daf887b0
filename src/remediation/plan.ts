import { createHash } from "node:crypto";
import type { Resource } from "../inventory/resource.ts";
import { RESOURCE_TYPE_NAMES } from "../inventory/resource-types.ts";
import type { Surroundings } from "../inventory/surroundings.ts";
import type { ReadFrom } from "../policy/looks.ts";
import { ruleOf } from "../policy/fix.ts";
import { type Given, isAnswered } from "../policy/given.ts";
import type { PolicySet } from "../policy/load.ts";
import { obstacleOf } from "../policy/obstacle.ts";
import { hashTags } from "../tags/hash-tags.ts";
import { isReserved } from "../tags/limits.ts";
import type { Tags } from "../tags/tags.ts";
import { countUserTags, fits, valueOrNull, withChanges } from "./change-tags.ts";
import { type Candidate, candidatesOf, dropDependent, dropDisputed, dropLosing, dropRefused } from "./merge-fixes.ts";
import { apart, whyFought } from "./fought.ts";
import { originsOf } from "./origins.ts";
import type { Origin, Reason, TagChange } from "./schema.ts";

/** A resource that has open findings nobody exempted, as the database knows it. */
export type PlannableResource = {
  readonly resource: Resource;
  /** As last read; null: never read. */
  readonly tags: Tags | null;
  /** Why the last reading failed, by the error's name; null: it did not. */
  readonly unread: string | null;
  /** The CloudFormation stack that was ever seen to manage it. */
  readonly stack: string | null;
  /** What stands around it, as stored. */
  readonly around: Surroundings;
  readonly findings: readonly Reason[];
  /** Keys that others fight us over: see findings/fights.ts. Absent: none. */
  readonly fights?: readonly string[];
};

/** One resource's change in a plan: everything that approval binds to. */
export type Action = Pick<Resource, "account_id" | "region" | "type" | "arn"> & {
  readonly changes: readonly TagChange[];
  readonly decided_on: Readonly<Record<string, string | null>>;
  /** Tags of resources above it on which the decision rests. */
  readonly reads_from: readonly ReadFrom[];
  /** Of every changed key, which rules ask for it and where its value comes from. */
  readonly origins: Readonly<Record<string, Origin>>;
  /** Keys whose value a person gave. */
  readonly given: readonly string[];
  readonly tags_hash: string;
  readonly reasons: readonly Reason[];
  readonly protected: boolean;
  /** Of an undo: the position of the action that it undoes. Absent or null: it repairs. */
  readonly undoes_position?: number | null;
  /** Keys that an undo leaves as they are, each with the reason. */
  readonly left_out?: Readonly<Record<string, string>>;
};

/** A change that a rule asks for and that must not be made, with the reason for a person. */
export type BlockedAction = Action & { readonly note: string };

/** A finding that needs a person, with the reason. */
export type Review = Pick<Resource, "account_id" | "region" | "type" | "arn" | "name"> &
  Reason & { readonly reason: string };

/** What a plan would do, what it must not do, and what only a person can decide. */
export type Draft = {
  readonly actions: readonly Action[];
  readonly blocked: readonly BlockedAction[];
  readonly review: readonly Review[];
};

/** `auto`: only what policies with `remediation: auto` ask for, and nothing protected. */
export type PlanMode = "plan" | "auto";

/**
 * How a plan is made. `selected`: which findings are wanted; the others still count when rules disagree. `given`: what a person
 * gives for a resource; where it is there, nothing is wanted but findings that this answers.
 */
export type PlanOptions = {
  readonly mode: PlanMode;
  readonly now: Date;
  readonly selected?: ((resource: Resource, finding: Reason) => boolean) | undefined;
  readonly given?: ((resource: Resource) => Given) | undefined;
};

/** Plans resources as they come, page by page, so that only what is to be done stays in memory. */
export async function planChanges(
  set: PolicySet,
  pages: AsyncIterable<readonly PlannableResource[]>,
  options: PlanOptions,
): Promise<Draft> {
  const actions: Action[] = [];
  const blocked: BlockedAction[] = [];
  const review: Review[] = [];
  for await (const page of pages) {
    for (const resource of page) {
      const draft = planResource(set, resource, options);
      actions.push(...draft.actions);
      blocked.push(...draft.blocked);
      review.push(...draft.review);
    }
  }
  // Account, region, type (parents first), ARN: the same world gives the same plan.
  return { actions: actions.sort(inOrder), blocked: blocked.sort(inOrder), review: review.sort(inOrder) };
}

/** Plans one resource: the fixes of all its findings merged into at most one action; what cannot be is blocked or for a person. */
export function planResource(set: PolicySet, plannable: PlannableResource, options: PlanOptions): Draft {
  const { resource, tags, unread, around, findings } = plannable;
  const { mode, now, selected = () => true } = options;
  const given = options.given?.(resource) ?? null;
  const isWanted = (finding: Reason) =>
    selected(resource, finding) &&
    (given === null || isAnswered(ruleOf(set, finding.policy_id, finding.rule_id), given));
  const review: Review[] = [];
  const toPerson = (finding: Reason, reason: string) => {
    if (isWanted(finding)) review.push({ ...placeOf(resource), name: resource.name, ...finding, reason });
  };
  if (tags === null || unread !== null) {
    for (const finding of findings) toPerson(finding, `its tags could not be read${unread ? `: ${unread}` : ""}`);
    return { actions: [], blocked: [], review };
  }

  const world = { set, subject: { resource, tags, now, around }, given };
  const all = dropDisputed(candidatesOf(world, findings, toPerson), toPerson);
  const wanted = all.filter(
    ({ finding, fix }) => isWanted(finding) && (mode === "plan" || (fix.auto && !fix.protected)),
  );
  const { fought, free } = apart(wanted, plannable.fights ?? []);
  const agreed = dropRefused(world, dropDependent(world, free, toPerson), toPerson);
  const kept = dropLosing(tags, agreed, all, toPerson);
  const left = fought.map(({ candidate, key }) => ({
    ...toAction(resource, tags, [candidate], given),
    note: whyFought(key),
  }));
  if (kept.length === 0) return { actions: [], blocked: left, review };

  const policies = kept.map(({ finding }) => finding.policy_id);
  const obstacle = obstacleOf(set, world.subject, plannable.stack, policies);
  if (obstacle)
    return { actions: [], blocked: [...left, { ...toAction(resource, tags, kept, given), note: obstacle }], review };

  const { fitting, crowded } = makeRoom(tags, kept);
  return {
    actions: fitting.length === 0 ? [] : [toAction(resource, tags, fitting, given)],
    blocked: [
      ...left,
      ...(crowded.length === 0 ? [] : [{ ...toAction(resource, tags, crowded, given), note: noRoom(tags, kept) }]),
    ],
    review,
  };
}

/** SHA-256, hex, over everything that actions would do and why: what an approval binds to. */
export function planHash(actions: readonly Action[]): string {
  const hash = createHash("sha256");
  for (const action of actions) {
    const { account_id, region, type, arn, changes, decided_on, reads_from, tags_hash, reasons } = action;
    const { undoes_position = null, left_out = {} } = action;
    const canonical = [
      [account_id, region, type, arn, tags_hash, action.protected, ...action.given.toSorted()],
      changes.map(({ key, before, after }) => [key, before, after]).sort(byFirst),
      Object.entries(decided_on).sort(byFirst),
      reads_from.map(({ arn, key, value }) => [`${arn} ${key}`, value]).sort(byFirst),
      reasons.map((r) => [r.finding_id, r.policy_id, r.rule_id, r.key, r.kind]).sort(byFirst),
      Object.entries(action.origins)
        .map(([key, { rules, from }]) => [key, from, ...rules])
        .sort(byFirst),
      Object.entries(left_out).sort(byFirst),
      ...(undoes_position === null ? [] : [`undoes ${undoes_position}`]),
    ];
    hash.update(`${JSON.stringify(canonical)}\n`);
  }
  return hash.digest("hex");
}

/** Drops fixes that add keys, last first, until at most 50 user tags would remain. */
function makeRoom(tags: Tags, kept: readonly Candidate[]): { fitting: Candidate[]; crowded: Candidate[] } {
  const fitting = [...kept];
  const crowded: Candidate[] = [];
  while (fitting.length > 0 && !fits(withChanges(tags, changesOf(fitting)))) {
    const adding = fitting.findLastIndex(
      (candidate) => countUserTags(withChanges(tags, candidate.fix.changes)) > countUserTags(tags),
    );
    crowded.unshift(...fitting.splice(adding < 0 ? 0 : adding, adding < 0 ? fitting.length : 1));
  }
  return { fitting, crowded };
}

function noRoom(tags: Tags, kept: readonly Candidate[]): string {
  const count = countUserTags(withChanges(tags, changesOf(kept)));
  return `no room: it would have ${count} tags, and AWS allows 50`;
}

function toAction(resource: Resource, tags: Tags, candidates: readonly Candidate[], given: Given | null): Action {
  const changes = changesOf(candidates).map(({ key, after }) => ({ key, before: valueOrNull(tags, key), after }));
  const changed = new Set(changes.map(({ key }) => key));
  const decided_on: Record<string, string | null> = Object.create(null);
  for (const key of candidates.flatMap(({ fix }) => fix.reads).sort()) {
    if (!changed.has(key) && !isReserved(key)) decided_on[key] = valueOrNull(tags, key);
  }
  return {
    ...placeOf(resource),
    changes,
    decided_on,
    reads_from: [
      ...new Map(
        candidates.flatMap(({ fix }) => fix.reads_from).map((read) => [`${read.arn} ${read.key}`, read]),
      ).values(),
    ],
    origins: originsOf(candidates),
    given: [...(given?.values ?? [])]
      .filter(([key, value]) => valueAfter({ changes, decided_on }, key) === value)
      .map(([key]) => key)
      .sort(),
    tags_hash: hashTags(tags),
    reasons: candidates.map(({ finding }) => finding).sort((a, b) => (a.finding_id < b.finding_id ? -1 : 1)),
    protected: candidates.some(({ fix }) => fix.protected),
  };
}

/**
 * The value that a key has once an action is made, as far as the action knows: one that is there already is not changed, though it
 * may have been given, as where another spelling of its key gives way. Null: it has none, or the action is not about it.
 */
export function valueAfter(
  { changes, decided_on }: Pick<Action, "changes" | "decided_on">,
  key: string,
): string | null {
  const change = changes.find((one) => one.key === key);
  if (change) return change.after;
  return Object.hasOwn(decided_on, key) ? (decided_on[key] ?? null) : null;
}

/** All changes, each key once, sorted by key. Disputed keys were dropped before, so equal keys have equal values. */
function changesOf(candidates: readonly Candidate[]): { key: string; after: string | null }[] {
  const changes = new Map(candidates.flatMap(({ fix }) => fix.changes).map(({ key, after }) => [key, after]));
  return [...changes].map(([key, after]) => ({ key, after })).sort((a, b) => (a.key < b.key ? -1 : 1));
}

function placeOf({
  account_id,
  region,
  type,
  arn,
}: Resource): Pick<Resource, "account_id" | "region" | "type" | "arn"> {
  return { account_id, region, type, arn };
}

function inOrder(a: Action | Review, b: Action | Review): number {
  const key = (one: Action | Review) =>
    `${one.account_id} ${one.region} ${String(RESOURCE_TYPE_NAMES.indexOf(one.type)).padStart(2, "0")} ${one.arn}`;
  const [first, second] = [key(a), key(b)];
  return first < second ? -1 : first > second ? 1 : 0;
}

function byFirst(a: readonly unknown[], b: readonly unknown[]): number {
  return String(a[0]) < String(b[0]) ? -1 : 1;
}
