import type { Database } from "../../db/client.ts";
import { loadSurroundings } from "../../inventory/db/surroundings.ts";
import { NOT_LOOKED_UP } from "../../inventory/surroundings.ts";
import { judge } from "../../policy/judge.ts";
import type { PolicySet } from "../../policy/load.ts";
import { wantedForJudging } from "../../policy/needs.ts";
import type { Tags } from "../../tags/tags.ts";
import type { Occasion } from "../changes.ts";
import { reconcile } from "../reconcile.ts";
import { NEVER_SEEN } from "../sights.ts";
import { newTally } from "../tally.ts";
import { releaseHeld } from "./held.ts";
import { loadKnown } from "./known.ts";
import { writeTally } from "./rollups.ts";
import { lockPolicySet, lockUnit } from "./units.ts";
import { writeChanges, writeServiceReadings } from "./write-changes.ts";

/** A verified write of ours: what the service says of the resource since, and which findings it was to repair. */
export type Repair = {
  readonly arn: string;
  readonly finding_ids: readonly string[];
  /** All tags as the service returned them after the write. */
  readonly tags: Tags;
  readonly read_at: Date;
  readonly actor: string;
  readonly scan_id?: string | null;
  /** It put back what an earlier write of ours had changed: what is in violation again was not reverted by someone. */
  readonly undo?: boolean;
};

/**
 * Records the tags of a resource after a verified write and judges them: findings that the write was to repair and that no
 * longer hold resolve as `fixed_by_remediation`, others as any scan would have it. Returns the identities of what resolved.
 * By a set that is no longer active nothing is judged; the tags are recorded, and the next scan judges them.
 * Throws when the resource was never recorded.
 */
export async function resolveRepaired(
  database: Database,
  set: PolicySet,
  repair: Repair,
  now: Date,
): Promise<string[]> {
  const { arn, tags, read_at, actor, scan_id = null } = repair;
  return database.transaction(async (transaction) => {
    const standing = await lockPolicySet(transaction, set.id);
    const unit = (await loadKnown(transaction, [arn])).get(arn)?.resource;
    if (!unit) throw new Error(`${arn} was repaired, but is not in the inventory`);
    await lockUnit(transaction, { ...unit, partition: arn.split(":")[1] ?? "aws" });
    const stored = await loadKnown(transaction, [arn]);
    const known = stored.get(arn) ?? NEVER_SEEN;
    const resource = known.resource ?? unit;
    const finding_ids = new Set(repair.finding_ids);
    const by = repair.undo === true ? "undo" : "repair";
    const occasion: Occasion = { by, at: now, scan_id, actor, policy_set_id: set.id, finding_ids };
    const reading = { tags, source: "service", read_at } as const;
    const wanted = wantedForJudging(set.needs, resource.type);
    const around = (await loadSurroundings(transaction, [resource], wanted)).get(arn) ?? NOT_LOOKED_UP;
    const judgement = standing === "retired" ? null : judge(set, { resource, tags, now, around });
    const evidence = { resource, in_index: resource.in_index, reading, error: null, judgement, confirmed: true };
    const changes = reconcile(known, evidence, occasion);
    const tally = newTally();
    await writeChanges(transaction, stored, [changes], occasion, tally);
    await writeServiceReadings(transaction, [{ arn, read_at }]);
    const ids = changes.findings.flatMap(({ event, finding }) => (event === "resolved" ? finding.id : []));
    await releaseHeld(transaction, ids);
    await writeTally(transaction, tally, now);
    return ids;
  });
}
