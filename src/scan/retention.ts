import { sql, type SQL } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import { dropMonthsBefore, ensureMonths, startOfMonth } from "../db/partitions.ts";
import { reasonOf } from "../db/reason.ts";
import { rowsOf } from "../db/rows.ts";
import { repairDrift } from "../findings/db/rollup-drift.ts";
import { log } from "../log.ts";

/** How long what is kept: `retention` of the configuration. */
export type RetentionSettings = {
  /** Whole calendar months of the history of findings, beside the current one. */
  readonly events_months: number;
  readonly scans_days: number;
  readonly rollups_years: number;
};

/** What one run did. */
export type RetentionReport = {
  /** Partitions of the history that were made, dropped, and too busy to be dropped. */
  readonly made: readonly string[];
  readonly dropped: readonly string[];
  readonly postponed: readonly string[];
  /** Rows that were deleted. */
  readonly scan_units: number;
  readonly scan_targets: number;
  readonly schedule_slots: number;
  readonly scans: number;
  readonly rollups: number;
  /** Daily numbers that were not what a recount says, and were put right: anything but 0 is a bug. */
  readonly drift: number;
};

const DAY_MS = 24 * 3_600_000;
/** Rows that one transaction deletes. */
const BATCH = 5000;
/** Held while rows are deleted, so that of several processes one does it at a time. */
const RETENTION_LOCK = 7_201_004;

/**
 * Makes the months ahead, drops and deletes what is older than it has to be kept, and recounts the daily numbers. Each step is
 * a short transaction of its own, finds nothing to do the second time, and may run while scans record.
 */
export async function runRetention(
  database: Database,
  settings: RetentionSettings,
  now: Date,
): Promise<RetentionReport> {
  const made = await ensureMonths(database, now);
  const months = await dropMonthsBefore(database, startOfMonth(now, -settings.events_months));
  const before = new Date(now.getTime() - settings.scans_days * DAY_MS);
  const scan_units = await deleteAll(database, sql`scan_units`, outdatedUnits(before));
  const scan_targets = await deleteAll(database, sql`scan_targets`, outdatedTargets(before));
  const schedule_slots = await deleteAll(database, sql`schedule_slots`, outdatedSlots(before));
  const scans = await deleteAll(database, sql`scans`, outdatedScans(before));
  const first = new Date(Date.UTC(now.getUTCFullYear() - settings.rollups_years, now.getUTCMonth(), now.getUTCDate()));
  let rollups = 0;
  for (const { table, key } of ROLLUPS) rollups += await deleteAll(database, table, outdatedDays(table, key, first));
  return {
    made,
    ...months,
    scan_units,
    scan_targets,
    schedule_slots,
    scans,
    rollups,
    drift: await repairDrift(database, now),
  };
}

/** Runs it now and every 24 hours, in the background. What fails is logged, and tried again the next day. */
export function startRetention(
  database: Database,
  settings: RetentionSettings,
  now: () => Date,
): { stop(): Promise<void> } {
  const run = () =>
    runRetention(database, settings, now()).then(
      (report) => {
        if (report.drift > 0)
          log.warn({ drift: report.drift }, "daily numbers differed from a recount and were put right");
        log.info(report, "retention ran");
      },
      (error: unknown) => log.error({ error: reasonOf(error) }, "retention failed"),
    );
  let running = run();
  const timer = setInterval(() => {
    running = running.then(run);
  }, DAY_MS);
  timer.unref();
  return {
    stop: async () => {
      clearInterval(timer);
      await running;
    },
  };
}

/** Deletes batch by batch until none is left, and returns how many. `which`: selects the `ctid` of outdated rows. Nothing while another process does it. */
async function deleteAll(database: Database, table: SQL, which: SQL): Promise<number> {
  let total = 0;
  for (;;) {
    const deleted = await database.transaction(async (transaction) => {
      const [lock] = await rowsOf<{ held: boolean }>(
        transaction,
        sql`select pg_try_advisory_xact_lock(${RETENTION_LOCK}) as held`,
      );
      if (lock?.held !== true) return 0;
      const rows = await rowsOf(
        transaction,
        sql`delete from ${table} where ctid = any(array(${which} limit ${BATCH})) returning 1 as one`,
      );
      return rows.length;
    });
    total += deleted;
    if (deleted < BATCH) return total;
  }
}

const ended = sql`s.state not in ('queued', 'running')`;

/** How units ended in scans of long ago; not what is the last that is known of a unit, nor where closures wait. */
function outdatedUnits(before: Date): SQL {
  const same = (other: string) =>
    sql.raw(`${other}.account_id = su.account_id and ${other}.region = su.region and ${other}.type = su.type`);
  return sql`
    select su.ctid from scan_units su join scans s on s.id = su.scan_id
    where s.created_at < ${before.toISOString()}::timestamptz and ${ended}
      and not exists (select from units u where u.last_scan_id = su.scan_id and ${same("u")})
      and not exists (select from held_closures h where h.scan_id = su.scan_id and ${same("h")})`;
}

/** Who worked on which target in scans of long ago. */
function outdatedTargets(before: Date): SQL {
  return sql`
    select st.ctid from scan_targets st join scans s on s.id = st.scan_id
    where s.created_at < ${before.toISOString()}::timestamptz and ${ended}`;
}

/** Slots of long ago, but for the last one of each schedule: from it on slots are counted. */
function outdatedSlots(before: Date): SQL {
  return sql`
    select l.ctid from schedule_slots l where l.slot < ${before.toISOString()}::timestamptz
      and l.slot < (select max(newer.slot) from schedule_slots newer where newer.schedule_id = l.schedule_id)`;
}

/** Scans of long ago to which nothing refers, but for the last of each schedule, which says what was scanned. */
function outdatedScans(before: Date): SQL {
  const unnamed = [
    "scan_units r where r.scan_id",
    "units r where r.last_scan_id",
    "findings r where r.last_scan_id",
    "resources r where r.recorded_scan_id",
    "finding_events r where r.scan_id",
    "held_closures r where r.scan_id",
    "held_decisions r where r.scan_id",
    "plans r where r.scan_id",
  ].map((one) => sql.raw(`not exists (select from ${one} = s.id)`));
  return sql`
    select s.ctid from scans s
    where s.created_at < ${before.toISOString()}::timestamptz and ${ended} and ${sql.join(unnamed, sql` and `)}
      and (s.schedule_id is null or exists (
        select from scans later where later.schedule_id = s.schedule_id and later.slot > s.slot))`;
}

const ROLLUPS = [
  { table: sql`rollup_daily_account`, key: ["account_id"] },
  { table: sql`rollup_daily_account_rule`, key: ["account_id", "policy_id", "rule_id"] },
  { table: sql`rollup_daily_account_owner`, key: ["account_id", "owner"] },
];

/** Days before the first that is kept; not the one from which its numbers carry over. */
function outdatedDays(table: SQL, key: readonly string[], first: Date): SQL {
  const same = sql.raw(key.map((column) => `later.${column} = r.${column}`).join(" and "));
  const day = sql`${first.toISOString().slice(0, 10)}::date`;
  return sql`
    select r.ctid from ${table} r
    where r.day < ${day} and exists (select from ${table} later where ${same} and later.day > r.day and later.day <= ${day})`;
}
