import { appendAudit } from "../audit-log/store.ts";
import type { Database } from "../db/client.ts";
import { followNames } from "../exemptions/store.ts";
import type { PolicySet } from "../policy/load.ts";
import { activeSet, lockPolicySets, markActive, recordActivation, storeSet } from "../policy/store.ts";
import { releaseHeld } from "./db/held.ts";
import { activation, judgedAnew, renamesOf } from "./db/judged-anew.ts";
import { openByUnit, type UnitKey, unitKey } from "./db/known.ts";
import { driftOf } from "./db/rollup-drift.ts";
import { writeTally } from "./db/rollups.ts";
import { renameRules } from "./db/rename-rules.ts";
import { restoreDigests, writeChanges } from "./db/write-changes.ts";
import { isMassClose, type MassCloseLimits } from "./mass-close.ts";
import { newTally } from "./tally.ts";

/** What the activation of a set did. */
export type ActivationSummary = {
  readonly policy_set_id: string;
  /** False: it was the active set already, and nothing was done. */
  readonly activated: boolean;
  /** Findings that came along from former names of rules. */
  readonly renamed: number;
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

/**
 * Stores a set, makes it the active one and judges all stored resources anew by their stored tags, in one transaction and
 * without asking AWS. What a removed rule found resolves as `rule_removed`, what a changed rule lets pass as `rule_changed`;
 * what fails now opens with the cause `rule_changed`. Findings of rules that have another name now come along with their
 * history, and exemptions with them. Scans that judge by the old set and end later are discarded.
 */
export async function activateSet(
  database: Database,
  set: PolicySet,
  actor: string,
  now: Date,
): Promise<ActivationSummary> {
  return database.transaction(async (transaction) => {
    await lockPolicySets(transaction);
    const counts = { renamed: 0, resources: 0, opened: 0, reopened: 0, changed: 0, resolved: 0 };
    if ((await activeSet(transaction))?.id === set.id) return { policy_set_id: set.id, activated: false, ...counts };
    await storeSet(transaction, set, now);
    await markActive(transaction, set.id, actor, now);
    const occasion = activation(set, actor, now);
    counts.renamed = await renameRules(transaction, renamesOf(set));
    const tally = newTally();
    const followed = await followNames(transaction, set.policies, actor);
    for await (const batch of judgedAnew(transaction, set, occasion)) {
      const known = new Map(batch.map(({ stored }) => [stored.resource.arn, stored]));
      const all = batch.map((one) => one.changes);
      const changes = all.flatMap(({ findings }) => findings);
      if (counts.renamed > 0) await restoreDigests(transaction, [...known.values()]);
      await writeChanges(transaction, known, all, occasion, tally);
      const closed = changes.filter(({ event }) => event === "resolved");
      await releaseHeld(
        transaction,
        closed.map(({ finding }) => finding.id),
      );
      counts.resources += batch.length;
      for (const { event } of changes) counts[event]++;
    }
    await writeTally(transaction, tally, now);
    // Findings that moved to another name of their rule are no change of theirs, but of the numbers of both names.
    if (counts.renamed > 0) await writeTally(transaction, await driftOf(transaction), now);
    await recordActivation(transaction, { policy_set_id: set.id, at: now, actor, ...counts });
    const entry = { at: now, actor, action: "policies.activated", subject: set.id, detail: { ...counts } } as const;
    await appendAudit(transaction, entry, ...followed);
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
  const batches =
    active?.id === set.id ? [] : judgedAnew(database, set, activation(set, "", now), { renamed: renamesOf(set) });
  for await (const batch of batches) {
    resources += batch.length;
    for (const { event, finding } of batch.flatMap(({ changes }) => changes.findings)) {
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

function countClosure(counts: Map<string, UnitKey & { closes: number }>, { account_id, region, type }: UnitKey): void {
  const key = unitKey({ account_id, region, type });
  const unit = counts.get(key);
  if (unit) unit.closes++;
  else counts.set(key, { account_id, region, type, closes: 1 });
}
