import type { Database } from "../db/client.ts";
import type { Resource } from "../inventory/resource.ts";
import { judge } from "../policy/judge.ts";
import { ruleOf } from "../policy/fix.ts";
import type { PolicySet } from "../policy/load.ts";
import { activeSet, lockPolicySets, markActive, storeSet } from "../policy/store.ts";
import { releaseHeld } from "./db/held.ts";
import { loadLiveAfter, openByUnit, type UnitKey, unitKey } from "./db/known.ts";
import { writeChanges } from "./db/write-changes.ts";
import { isMassClose, type MassCloseLimits } from "./mass-close.ts";
import { type Changes, type Known, type Occasion, reconcile, type ResourceRow } from "./reconcile.ts";

/** What the activation of a set did. */
export type ActivationSummary = {
  readonly policy_set_id: string;
  /** False: it was the active set already, and nothing was done. */
  readonly activated: boolean;
  /** Stored resources that were judged anew. */
  readonly resources: number;
  readonly opened: number;
  readonly reopened: number;
  readonly changed: number;
  readonly resolved: number;
};

/** How many findings a set would open (again), change and close. */
type ActivationCounts = { opens: number; changes: number; closes: number };

/** What the activation of a set would do. */
export type ActivationPreview = Readonly<ActivationCounts> & {
  readonly resources: number;
  /** By `policy/rule`, in order of appearance. */
  readonly by_rule: Readonly<Record<string, Readonly<ActivationCounts>>>;
  /** Some unit would lose more of its open findings at once than the guard allows: ask a person first. */
  readonly exceeds_guard: boolean;
  /** Those units. */
  readonly units: readonly (UnitKey & { readonly closes: number; readonly open: number })[];
};

/** Resources in memory at a time. */
const BATCH = 1000;

/**
 * Stores a set, makes it the active one and judges all stored resources anew by their stored tags, in one transaction and
 * without asking AWS. What a removed rule found resolves as `rule_removed`, what a changed rule lets pass as `rule_changed`;
 * what fails now opens with the cause `rule_changed`. Scans that judge by the old set and end later are discarded.
 */
export async function activateSet(
  database: Database,
  set: PolicySet,
  actor: string,
  now: Date,
): Promise<ActivationSummary> {
  return database.transaction(async (transaction) => {
    await lockPolicySets(transaction);
    const counts = { resources: 0, opened: 0, reopened: 0, changed: 0, resolved: 0 };
    if ((await activeSet(transaction))?.id === set.id) return { policy_set_id: set.id, activated: false, ...counts };
    await storeSet(transaction, set, now);
    await markActive(transaction, set.id, actor, now);
    const occasion = activation(set, actor, now);
    for await (const { known, batch } of rejudged(transaction, set, occasion)) {
      const changes = batch.flatMap(({ findings }) => findings);
      await writeChanges(transaction, known, batch, occasion);
      const closed = changes.filter(({ event }) => event === "resolved");
      await releaseHeld(
        transaction,
        closed.map(({ finding }) => finding.id),
      );
      counts.resources += batch.length;
      for (const { event } of changes) counts[event]++;
    }
    return { policy_set_id: set.id, activated: true, ...counts };
  });
}

/** Says what `activateSet` would do, without doing it. A set that is active already does nothing. */
export async function previewActivation(
  database: Database,
  set: PolicySet,
  limits: MassCloseLimits,
  now: Date,
): Promise<ActivationPreview> {
  const total: ActivationCounts = { opens: 0, changes: 0, closes: 0 };
  const by_rule: Record<string, ActivationCounts> = {};
  const closesByUnit = new Map<string, UnitKey & { closes: number }>();
  let resources = 0;
  const active = await activeSet(database);
  const batches = active?.id === set.id ? [] : rejudged(database, set, activation(set, "", now));
  for await (const { batch } of batches) {
    resources += batch.length;
    for (const { event, finding } of batch.flatMap(({ findings }) => findings)) {
      const field = event === "resolved" ? "closes" : event === "changed" ? "changes" : "opens";
      const rule = (by_rule[`${finding.policy_id}/${finding.rule_id}`] ??= { opens: 0, changes: 0, closes: 0 });
      rule[field]++;
      total[field]++;
      if (field === "closes") countClosure(closesByUnit, finding);
    }
  }
  const open = closesByUnit.size === 0 ? new Map<string, number>() : await openByUnit(database);
  const units = [...closesByUnit]
    .map(([key, unit]) => ({ ...unit, open: open.get(key) ?? 0 }))
    .filter((unit) => isMassClose(unit.closes, unit.open, limits));
  return { ...total, resources, by_rule, exceeds_guard: units.length > 0, units };
}

/** Judges all live resources by a set, batch by batch in order of ARN, and says what that changes. */
async function* rejudged(
  database: Database,
  set: PolicySet,
  occasion: Occasion,
): AsyncGenerator<{ readonly known: ReadonlyMap<string, Known>; readonly batch: readonly Changes[] }> {
  let last = "";
  for (;;) {
    const live = await loadLiveAfter(database, last, BATCH);
    const end = live.at(-1);
    if (end === undefined) return;
    last = end.resource.arn;
    const known = new Map(live.map((one) => [one.resource.arn, one]));
    yield { known, batch: live.map((one) => rejudge(one, set, occasion)) };
  }
}

/**
 * A resource whose tags were never read has nothing to judge. One whose last reading failed is judged by the one before. One
 * that the judge cannot cope with is unknown, and the others go on.
 */
function rejudge(known: Known & { resource: ResourceRow }, set: PolicySet, occasion: Occasion): Changes {
  const { tags, source, tags_read_at, reading_error: error, in_index } = known.resource;
  if (tags === null || source === null || tags_read_at === null) return { resource: null, findings: [], unchanged: 0 };
  const resource: Resource = known.resource;
  const rest = { resource, in_index, confirmed: false };
  try {
    const judgement = judge(set, resource, tags, occasion.at);
    const reading = { tags, source, read_at: tags_read_at };
    return reconcile(known, { ...rest, reading, error, judgement }, occasion);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    const failed = { name: "JudgeError", message, operation: "judge" };
    return reconcile(known, { ...rest, reading: null, error: failed, judgement: null }, occasion);
  }
}

function activation(set: PolicySet, actor: string, now: Date): Occasion {
  const has_rule = (policy_id: string, rule_id: string) => ruleOf(set, policy_id, rule_id) !== undefined;
  return { by: "activation", at: now, scan_id: null, actor, policy_set_id: set.id, has_rule };
}

function countClosure(counts: Map<string, UnitKey & { closes: number }>, { account_id, region, type }: UnitKey): void {
  const key = unitKey({ account_id, region, type });
  const unit = counts.get(key);
  if (unit) unit.closes++;
  else counts.set(key, { account_id, region, type, closes: 1 });
}
