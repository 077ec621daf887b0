import { NO_ACTIONS } from "../../remediation/counts.ts";
import { and, inArray, sql } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import { exemptions } from "../../exemptions/schema.ts";
import { held_closures } from "../../findings/schema.ts";
import { type ScanState, type ScanUnitState, scan_units, scans } from "../../inventory/schema.ts";
import type { Severity } from "../../policy/verdict.ts";
import { type ActionState, plan_actions } from "../../remediation/schema.ts";
import type { ScanRow } from "../db/scans.ts";
import { type Compliance, compliance, openBySeverity } from "../store.ts";
import { type TargetState, v1_scan_targets } from "./views.ts";

/** How many days before its end an exemption counts as expiring. */
export const EXPIRING_DAYS = 14;

/** Numbers of scans as of one instant. Instants are seconds since 1970, ages and durations seconds. */
export type ScanFigures = {
  readonly as_of: number;
  readonly scans: Readonly<Record<ScanState, number>>;
  /** Of scans that have not ended. */
  readonly targets: Readonly<Record<TargetState, number>>;
  readonly units: Readonly<Record<ScanUnitState, number>>;
  /** 0: nothing waits. */
  readonly oldest_queued_target_age: number;
  /** End of the newest scan that succeeded, by what began it. */
  readonly last_success: Readonly<Partial<Record<ScanRow["trigger"], number>>>;
  /** End of the newest scan, by how it ended. */
  readonly last_end: Readonly<Partial<Record<ScanState, number>>>;
  /** Of the newest scan that read something to its end, by what began it. */
  readonly duration: Readonly<Partial<Record<ScanRow["trigger"], number>>>;
};

/** Numbers of findings, resources and repairs as of one instant. */
export type ComplianceFigures = {
  /** Seconds since 1970. */
  readonly as_of: number;
  readonly open_findings: Readonly<Record<Severity, number>>;
  readonly compliance: Compliance;
  readonly held_closures: number;
  readonly actions: Readonly<Record<ActionState, number>>;
  /** Exemptions in force that end within EXPIRING_DAYS. */
  readonly exemptions_expiring: number;
};

/** Numbers of scans. Gives up after `limit_ms`, where the database is a server. */
export function scanFigures(database: Database, limit_ms: number): Promise<ScanFigures> {
  return inSnapshot(database, limit_ms, async (snapshot) => {
    const open = inArray(scans.state, ["queued", "running"]);
    const ids = snapshot.select({ id: scans.id }).from(scans).where(open);
    const states = await snapshot
      .select({ name: scans.state, count: sql<number>`count(*)::integer` })
      .from(scans)
      .groupBy(scans.state);
    const targets = await snapshot
      .select({ name: v1_scan_targets.state, count: sql<number>`count(*)::integer` })
      .from(v1_scan_targets)
      .where(inArray(v1_scan_targets.scan_id, ids))
      .groupBy(v1_scan_targets.state);
    const units = await snapshot
      .select({ name: scan_units.state, count: sql<number>`count(*)::integer` })
      .from(scan_units)
      .where(inArray(scan_units.scan_id, ids))
      .groupBy(scan_units.state);
    const [oldest] = await snapshot
      .select({ age: sql<number>`coalesce(greatest(${epochOf(sql`now() - min(${scans.created_at})`)}, 0), 0)` })
      .from(scans)
      .where(
        and(
          open,
          sql`exists (select from ${v1_scan_targets} where ${v1_scan_targets.scan_id} = ${scans.id} and ${v1_scan_targets.state} = 'queued')`,
        ),
      );
    const last_success = await snapshot
      .select({ name: scans.trigger, count: epochOf(sql`max(${scans.finished_at})`) })
      .from(scans)
      .where(sql`${scans.state} = 'succeeded'`)
      .groupBy(scans.trigger);
    const last_end = await snapshot
      .select({ name: scans.state, count: epochOf(sql`max(${scans.finished_at})`) })
      .from(scans)
      .where(sql`${scans.finished_at} is not null`)
      .groupBy(scans.state);
    const duration = await snapshot
      .selectDistinctOn([scans.trigger], {
        name: scans.trigger,
        count: epochOf(sql`${scans.finished_at} - ${scans.started_at}`),
      })
      .from(scans)
      .where(and(inArray(scans.state, ["succeeded", "partial"]), sql`${scans.started_at} is not null`))
      .orderBy(scans.trigger, sql`${scans.finished_at} desc`);
    return {
      as_of: await instantOf(snapshot),
      scans: { ...NO_SCANS, ...byName(states) },
      targets: { ...NO_TARGETS, ...byName(targets) },
      units: { ...NO_UNITS, ...byName(units) },
      oldest_queued_target_age: oldest?.age ?? 0,
      last_success: byName(last_success),
      last_end: byName(last_end),
      duration: byName(duration),
    };
  });
}

/** Numbers of findings, resources and repairs: seconds of work where there are a million. Gives up after `limit_ms`, where the database is a server. */
export function complianceFigures(database: Database, limit_ms: number): Promise<ComplianceFigures> {
  return inSnapshot(database, limit_ms, async (snapshot) => {
    const actions = await snapshot
      .select({ name: plan_actions.state, count: sql<number>`count(*)::integer` })
      .from(plan_actions)
      .groupBy(plan_actions.state);
    const { revoked_at, starts_at, expires_at } = exemptions;
    return {
      as_of: await instantOf(snapshot),
      open_findings: await openBySeverity(snapshot),
      compliance: await compliance(snapshot),
      held_closures: await snapshot.$count(held_closures),
      actions: { ...NO_ACTIONS, ...byName(actions) },
      exemptions_expiring: await snapshot.$count(
        exemptions,
        sql`${revoked_at} is null and ${starts_at} <= now() and ${expires_at} > now() and ${expires_at} <= now() + ${EXPIRING_DAYS} * interval '1 day'`,
      ),
    };
  });
}

/** All as of one instant; the server ends a statement that takes longer than the limit. The embedded database knows no such limit. */
function inSnapshot<T>(database: Database, limit_ms: number, read: (snapshot: Database) => Promise<T>): Promise<T> {
  return database.transaction(
    async (snapshot) => {
      await snapshot.execute(sql`select set_config('statement_timeout', ${String(limit_ms)}, true)`);
      return read(snapshot);
    },
    { isolationLevel: "repeatable read", accessMode: "read only" },
  );
}

async function instantOf(snapshot: Database): Promise<number> {
  const [row] = await snapshot.select({ at: epochOf(sql`now()`) }).from(sql`(values (1)) as one`);
  if (!row) throw new Error("the database did not say what time it is");
  return row.at;
}

function epochOf(span: ReturnType<typeof sql>) {
  return sql<number>`extract(epoch from ${span})::double precision`;
}

function byName<Name extends string>(rows: readonly { name: Name; count: number }[]): Partial<Record<Name, number>> {
  return Object.fromEntries(rows.map(({ name, count }) => [name, count])) as Partial<Record<Name, number>>;
}

const NO_SCANS: ScanFigures["scans"] = { queued: 0, running: 0, succeeded: 0, partial: 0, failed: 0, cancelled: 0 };
const NO_TARGETS: ScanFigures["targets"] = { queued: 0, running: 0, ended: 0, cancelled: 0 };
const NO_UNITS: ScanFigures["units"] = {
  pending: 0,
  running: 0,
  complete: 0,
  partial: 0,
  denied: 0,
  failed: 0,
  held: 0,
  rejected: 0,
  superseded: 0,
  cancelled: 0,
};
