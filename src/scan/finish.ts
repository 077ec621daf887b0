import { and, eq, inArray, sql } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import { leaveScope } from "../findings/db/leave-scope.ts";
import type { MassCloseLimits } from "../findings/mass-close.ts";
import { type ScanState, scan_units, scans } from "../inventory/schema.ts";
import { activeSet } from "../policy/store.ts";
import { scan_targets } from "./schema.ts";
import { cancelOpen, type Scan } from "./store.ts";

/** How a scan can end. */
export type EndState = Exclude<ScanState, "queued" | "running">;

/** The most warnings that a scan keeps: one that cannot enter ten thousand accounts need not say so ten thousand times. */
const MOST_WARNINGS = 500;

const RETIRED =
  "While this scan ran other policies were activated, and what it had judged by the former ones was discarded. Scan again.";

/**
 * Ends a scan once all its targets have ended or somebody wants its end and nobody works on it any more; its row then says how. Returns how it ended,
 * or null: it is not over, or had ended before. Of many processes that ask at the same time one ends it.
 * `calls`: what the one process that did all the work has counted, the calls that belong to no target included. `mass_close`:
 * above which closures in accounts that departed wait for confirmation; absent: those accounts keep their findings.
 */
export async function finishScan(
  database: Database,
  scan_id: string,
  now: Date,
  { calls, mass_close }: { calls?: Record<string, number>; mass_close?: MassCloseLimits },
): Promise<EndState | null> {
  return database.transaction(async (transaction) => {
    const [scan] = await transaction.select().from(scans).where(eq(scans.id, scan_id)).for("update");
    if (!scan || (scan.state !== "running" && !(scan.state === "queued" && scan.stop_requested_at))) return null;
    const working = scan.stop_requested_at ? (["running"] as const) : (["queued", "running"] as const);
    const [open] = await transaction
      .select({ scan_id: scan_targets.scan_id })
      .from(scan_targets)
      .where(and(eq(scan_targets.scan_id, scan_id), inArray(scan_targets.state, [...working])))
      .limit(1);
    if (open) return null;
    if (scan.stop_requested_at) await cancelOpen(transaction, scan_id, now);
    const retired = await isRetired(transaction, scan);
    const state = await endState(transaction, scan, retired);
    if (mass_close && state !== "cancelled" && !retired) await leaveScope(transaction, scan, mass_close, now);
    const warnings = [...(retired ? [RETIRED] : []), ...scan.warnings, ...(await warningsOf(transaction, scan_id))];
    const api_calls = calls ?? (await callsOf(transaction, scan_id));
    const error = scan.stop_reason === "timed_out" ? TIMED_OUT : null;
    await transaction
      .update(scans)
      .set({ state, warnings: upTo(MOST_WARNINGS, warnings), api_calls, error, finished_at: now })
      .where(eq(scans.id, scan_id));
    return state;
  });
}

const TIMED_OUT =
  "It ran longer than limits.scan_hours allows and was ended. Units that were read stand; what is left is read by the next scan.";

/** `failed`: nothing at all could be listed. `partial`: some unit or reading is missing. */
async function endState(transaction: Database, scan: Scan, retired: boolean): Promise<EndState> {
  if (scan.stop_reason === "cancelled") return "cancelled";
  if (retired) return "partial";
  const { state, resources } = scan_units;
  const [units] = await transaction
    .select({
      fine: sql<boolean>`coalesce(bool_and(${state} in ('complete', 'held', 'rejected', 'superseded')), true)`,
      nothing: sql<boolean>`coalesce(bool_and(${state} in ('failed', 'denied', 'cancelled') and ${resources} = 0), false)`,
    })
    .from(scan_units)
    .where(eq(scan_units.scan_id, scan.id));
  if (units?.fine) return "succeeded";
  return units?.nothing ? "failed" : "partial";
}

/** Whether units were discarded because another set of policies became the active one: then no newer result stands in their place. */
async function isRetired(transaction: Database, scan: Scan): Promise<boolean> {
  const [superseded] = await transaction
    .select({ type: scan_units.type })
    .from(scan_units)
    .where(and(eq(scan_units.scan_id, scan.id), eq(scan_units.state, "superseded")))
    .limit(1);
  if (!superseded) return false;
  const active = await activeSet(transaction);
  return active !== null && active.id !== scan.policy_set_id;
}

async function warningsOf(transaction: Database, scan_id: string): Promise<string[]> {
  const rows = await transaction
    .selectDistinct({ warning: sql<string>`jsonb_array_elements_text(${scan_targets.warnings})` })
    .from(scan_targets)
    .where(eq(scan_targets.scan_id, scan_id));
  return rows.map(({ warning }) => warning).toSorted();
}

async function callsOf(transaction: Database, scan_id: string): Promise<Record<string, number>> {
  const rows = await transaction
    .select({ name: sql<string>`call.key`, count: sql<number>`sum(call.value::bigint)::double precision` })
    .from(sql`${scan_targets} cross join jsonb_each_text(${scan_targets.api_calls}) as call`)
    .where(eq(scan_targets.scan_id, scan_id))
    .groupBy(sql`call.key`);
  return { total: 0, throttled: 0, ...Object.fromEntries(rows.map(({ name, count }) => [name, count])) };
}

function upTo(most: number, warnings: readonly string[]): string[] {
  const all = [...new Set(warnings)];
  return all.length <= most ? all : [...all.slice(0, most), `And ${all.length - most} more warnings.`];
}
