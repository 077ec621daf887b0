import { and, desc, eq, gt, inArray, lt, ne, type SQL, sql } from "drizzle-orm";
import { union } from "drizzle-orm/pg-core";
import type { Database } from "../../db/client.ts";
import type { Target, Unit, UnitOutcome } from "../../inventory/resource.ts";
import type { ResourceType } from "../../inventory/resource-types.ts";
import { resources, scan_units, scans, type ScanUnitState, units } from "../../inventory/schema.ts";
import { policy_sets } from "../../policy/schema.ts";
import { findings } from "../schema.ts";

/** The counts and the state in which a unit of a scan ended. */
export type UnitCounts = {
  readonly state: ScanUnitState;
  readonly opened: number;
  readonly reopened: number;
  readonly changed: number;
  readonly resolved: number;
  readonly unchanged: number;
  readonly held: number;
};

/**
 * Keeps the active set from changing until the transaction ends, and says whether this set may still judge: it may not once
 * another one is active. Taken before the lock on a unit, always.
 */
export async function lockPolicySet(transaction: Database, id: string): Promise<"current" | "retired"> {
  const active = await transaction
    .select({ id: policy_sets.id })
    .from(policy_sets)
    .where(eq(policy_sets.active, true))
    .for("share");
  return active.every((set) => set.id === id) ? "current" : "retired";
}

/** Makes everyone else who writes findings of this unit wait until the transaction ends. */
export async function lockUnit(
  transaction: Database,
  unit: Unit,
): Promise<{ applied_epoch: number; last_scan_id: string | null; listed: boolean }> {
  const { partition, account_id, region, type } = unit;
  const lock = () =>
    transaction
      .select({ applied_epoch: units.applied_epoch, last_scan_id: units.last_scan_id, listed: units.listed })
      .from(units)
      .where(isUnit(units, unit))
      .for("update");
  const [row] = await lock();
  if (row) return row;
  await transaction.insert(units).values({ partition, account_id, region, type }).onConflictDoNothing();
  const [created] = await lock();
  if (!created) throw new Error(`the row of unit ${account_id}/${region}/${type} vanished`);
  return created;
}

/** Epoch of the newest scan that was applied to a unit; 0: none was. */
export async function appliedEpoch(database: Database, unit: Unit): Promise<number> {
  return (await appliedEpochs(database, unit)).get(unit.type) ?? 0;
}

/** Epochs of the newest scans that were applied to the units of a target, by type; a unit that no scan ended in may be absent. */
export async function appliedEpochs(database: Database, target: Target): Promise<Map<ResourceType, number>> {
  const { account_id, region } = target;
  const rows = await database
    .select({ type: units.type, epoch: units.applied_epoch })
    .from(units)
    .where(and(eq(units.account_id, account_id), eq(units.region, region)));
  return new Map(rows.map(({ type, epoch }) => [type, epoch]));
}

/** ARNs in a unit that scans between two epochs, both excluded, wrote something about. */
export async function writtenBetween(database: Database, unit: Unit, after: number, before: number): Promise<string[]> {
  const others = database
    .select({ id: scans.id })
    .from(scans)
    .where(and(gt(scans.epoch, after), lt(scans.epoch, before)));
  const byResource = database
    .select({ arn: resources.arn })
    .from(resources)
    .where(and(isUnit(resources, unit), inArray(resources.recorded_scan_id, others)));
  const byFinding = database
    .select({ arn: findings.arn })
    .from(findings)
    .where(and(isUnit(findings, unit), inArray(findings.last_scan_id, others)));
  return (await union(byResource, byFinding)).map(({ arn }) => arn);
}

/** Writes how a unit ended in this scan; and, unless a newer result stands there, what is now known of the unit. */
export async function endUnit(
  transaction: Database,
  end: { scan: { id: string; epoch: number }; unit: Unit; outcome: UnitOutcome; summary: UnitCounts; now: Date },
): Promise<void> {
  const { scan, unit, outcome, summary, now } = end;
  const { account_id, region, type } = unit;
  const { listed, resources, pages, unread, error } = outcome;
  const { index = 0, service = 0, stored = 0, sampled = 0, mismatched = 0 } = outcome.readings ?? {};
  const readings = {
    readings_index: index,
    readings_service: service,
    readings_stored: stored,
    readings_sampled: sampled,
    readings_mismatched: mismatched,
  };
  const ended = { ...summary, listed, resources, pages, unread, ...readings, error, finished_at: now };
  await transaction
    .insert(scan_units)
    .values({ scan_id: scan.id, account_id, region, type, ...ended })
    .onConflictDoUpdate({
      target: [scan_units.scan_id, scan_units.account_id, scan_units.region, scan_units.type],
      set: ended,
    });
  if (summary.state === "superseded") return;
  await transaction
    .update(units)
    .set({
      state: outcome.state,
      listed,
      error,
      applied_epoch: scan.epoch,
      last_scan_id: scan.id,
      attempted_at: now,
      ...(listed && { listed_at: now }),
      ...(outcome.state === "complete" && { completed_at: now }),
    })
    .where(isUnit(units, unit));
}

/** A person decided about what a scan held in a unit: nothing waits there any longer. `resolved`: findings that closed by it. */
export async function endHeldUnit(
  database: Database,
  scan_id: string,
  unit: Unit,
  { state, resolved }: { readonly state: "complete" | "rejected"; readonly resolved: number },
): Promise<void> {
  await database
    .update(scan_units)
    .set({ state, held: 0, resolved: sql`${scan_units.resolved} + ${resolved}` })
    .where(and(eq(scan_units.scan_id, scan_id), isUnit(scan_units, unit)));
}

/** The set by which a scan judged; "" for a scan whose row does not say. */
export async function policySetOf(database: Database, scan_id: string): Promise<string> {
  const [row] = await database.select({ id: scans.policy_set_id }).from(scans).where(eq(scans.id, scan_id));
  return row?.id ?? "";
}

/** What came of a unit in a scan that was recorded before. */
export async function storedSummary(database: Database, scan_id: string, unit: Unit): Promise<UnitCounts> {
  const { state, opened, reopened, changed, resolved, unchanged, held } = scan_units;
  const [row] = await database
    .select({ state, opened, reopened, changed, resolved, unchanged, held })
    .from(scan_units)
    .where(and(eq(scan_units.scan_id, scan_id), isUnit(scan_units, unit)));
  if (!row)
    throw new Error(
      `unit ${unit.account_id}/${unit.region}/${unit.type} of scan ${scan_id} was applied and has no row`,
    );
  return row;
}

/** What the last whole listings of a unit counted, newest first, those that were held included, but not those that a person rejected. */
export async function earlierListings(
  database: Database,
  scan_id: string,
  unit: Unit,
): Promise<{ state: ScanUnitState; resources: number }[]> {
  return database
    .select({ state: scan_units.state, resources: scan_units.resources })
    .from(scan_units)
    .where(
      and(isUnit(scan_units, unit), inArray(scan_units.state, ["complete", "held"]), ne(scan_units.scan_id, scan_id)),
    )
    .orderBy(desc(scan_units.finished_at))
    .limit(20);
}

/** Rows of a table that belong to a unit. */
export function isUnit(
  table: typeof units | typeof scan_units | typeof resources | typeof findings,
  unit: Unit,
): SQL | undefined {
  return and(eq(table.account_id, unit.account_id), eq(table.region, unit.region), eq(table.type, unit.type));
}
