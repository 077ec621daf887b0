import { createHash } from "node:crypto";
import { and, eq, inArray, lt, or, type SQL, sql } from "drizzle-orm";
import type { AuditEntry } from "../audit-log/entry.ts";
import { appendAudit } from "../audit-log/store.ts";
import type { Database } from "../db/client.ts";
import { uuidv7 } from "../db/uuid.ts";
import type { Target } from "../inventory/resource.ts";
import type { ResourceType } from "../inventory/resource-types.ts";
import { resources, scan_units, scans, units } from "../inventory/schema.ts";
import { followMembers } from "./members.ts";
import { scan_targets } from "./schema.ts";
import type { OrganizationMember } from "./targets.ts";

/** A scan as its row has it. */
export type Scan = typeof scans.$inferSelect;

/** What someone asks for. */
export type ScanRequest = {
  readonly targets: readonly Target[];
  /** All accounts of the organization, where it was listed as a whole. */
  readonly members?: readonly OrganizationMember[] | null;
  readonly types: readonly ResourceType[];
  readonly confirm_all: boolean;
  readonly trigger: Scan["trigger"];
  readonly requested_by: string;
  readonly schedule?: { readonly id: string; readonly slot: Date };
};

/** How often a process says that it works on a scan or a target. Milliseconds. */
export const HEARTBEAT_MS = 3000;

/** A scan or a target whose process has not said so for this long was left behind. Milliseconds; long enough for a busy database. */
export const LEASE_MS = 15_000;

/** Serialises the creation of scans, so that two requests for one scope become one scan. */
const CREATE_LOCK = 7_201_001;

/** The condition of a scan that waits or runs. */
export const notEnded = inArray(scans.state, ["queued", "running"]);

/**
 * Creates a scan with its targets and units, or returns the one of the same scope that is queued or running (`deduplicated`), or
 * null when its schedule's slot was taken by another replica or its schedule's last scan still runs.
 */
export async function createScan(
  database: Database,
  request: ScanRequest,
  now: Date,
): Promise<{ scan: Scan; deduplicated: boolean } | null> {
  return database.transaction(async (transaction) => {
    await transaction.execute(sql`select pg_advisory_xact_lock(${CREATE_LOCK})`);
    const { schedule } = request;
    const scope_hash = scopeHash(request);
    const [running] = schedule
      ? await transaction
          .select({ id: scans.id })
          .from(scans)
          .where(and(notEnded, eq(scans.schedule_id, schedule.id)))
      : [];
    if (running) return null;
    const [twin] = await transaction
      .select()
      .from(scans)
      .where(and(notEnded, eq(scans.scope_hash, scope_hash)));
    if (twin) return schedule ? null : { scan: twin, deduplicated: true };
    const { departed, warnings } = await followMembers(transaction, request.members ?? null);
    const [scan] = await transaction
      .insert(scans)
      .values({
        id: uuidv7(now),
        state: "queued",
        trigger: request.trigger,
        requested_by: request.requested_by,
        schedule_id: schedule?.id ?? null,
        slot: schedule?.slot ?? null,
        targets: request.targets.length,
        types: [...request.types],
        confirm_all: request.confirm_all,
        scope_hash,
        created_at: now,
        heartbeat_at: sql`clock_timestamp()`,
        departed,
        warnings,
        api_calls: {},
      })
      .onConflictDoNothing()
      .returning();
    if (!scan) return null;
    await insertTargets(transaction, scan, request.targets);
    if (ASKED_BY_PERSONS.includes(scan.trigger)) await appendAudit(transaction, requested(scan));
    return { scan, deduplicated: false };
  });
}

/** Scans that begin by themselves, by a schedule or with the service, are nobody's order. */
const ASKED_BY_PERSONS: readonly Scan["trigger"][] = ["cli", "api"];

function requested({ id, created_at, requested_by, trigger, targets, types, confirm_all }: Scan): AuditEntry {
  const detail = { trigger, targets, types, confirm_all };
  return { at: created_at, actor: requested_by, action: "scan.requested", subject: id, detail };
}

/** Rows for a scan's targets and units, set by set: an organization has hundreds of thousands of units. */
async function insertTargets(transaction: Database, scan: Scan, targets: readonly Target[]): Promise<void> {
  const given = sql`jsonb_to_recordset(${JSON.stringify(targets)}::text::jsonb) as t(partition text, account_id text, region text)`;
  const types = sql`jsonb_array_elements_text(${JSON.stringify(scan.types)}::text::jsonb) as type`;
  const size = sql`(select account_id, region, count(*) as resources from ${resources} where gone_at is null group by account_id, region)`;
  await transaction.execute(sql`
    insert into ${scan_targets} (scan_id, account_id, region, partition, rank, expected, state, api_calls, warnings)
    select ${scan.id}, t.account_id, t.region, t.partition,
      row_number() over (order by coalesce(known.resources, 0), t.account_id, t.region) - 1,
      coalesce(known.resources, 0), 'queued', '{}', '[]'
    from ${given} left join ${size} as known on known.account_id = t.account_id and known.region = t.region`);
  await transaction.execute(sql`
    insert into ${scan_units} (scan_id, account_id, region, type, state)
    select ${scan.id}, t.account_id, t.region, type, 'pending' from ${given} cross join ${types}`);
  await transaction.execute(sql`
    insert into ${units} (partition, account_id, region, type)
    select t.partition, t.account_id, t.region, type from ${given} cross join ${types} on conflict do nothing`);
}

/** The same for two requests that cover the same, in whatever order they name it. */
function scopeHash({ targets, types, confirm_all }: Pick<ScanRequest, "targets" | "types" | "confirm_all">): string {
  const names = targets.map(({ account_id, region }) => `${account_id}/${region}`);
  return createHash("sha256")
    .update(JSON.stringify([names.toSorted(), types.toSorted(), confirm_all]))
    .digest("hex");
}

/** A scan's row; null: there is none. */
export async function readScan(database: Database, scan_id: string): Promise<Scan | null> {
  const [scan] = await database.select().from(scans).where(eq(scans.id, scan_id));
  return scan ?? null;
}

/** The accounts and regions of a scan. */
export async function scannedTargets(
  database: Database,
  scan_id: string,
): Promise<Pick<Target, "account_id" | "region">[]> {
  const { account_id, region } = scan_targets;
  return database.select({ account_id, region }).from(scan_targets).where(eq(scan_targets.scan_id, scan_id));
}

/** Marks a scan as begun by this process, which works on all its targets itself. */
export async function startScan(database: Database, scan_id: string, policy_set_id: string, now: Date): Promise<void> {
  await database
    .update(scans)
    .set({ state: "running", started_at: now, heartbeat_at: sql`clock_timestamp()`, policy_set_id })
    .where(eq(scans.id, scan_id));
}

/** Says that this process works on some scans. Returns which of them somebody wants to end. One that has ended stays as it is. */
export async function beatScans(database: Database, scan_ids: readonly string[]): Promise<string[]> {
  if (scan_ids.length === 0) return [];
  const beaten = await database
    .update(scans)
    .set({ heartbeat_at: sql`clock_timestamp()` })
    .where(and(inArray(scans.id, [...scan_ids]), notEnded))
    .returning({ id: scans.id, stop_requested_at: scans.stop_requested_at });
  return beaten.flatMap(({ id, stop_requested_at }) => (stop_requested_at === null ? [] : id));
}

/** Ends a scan as failed unless it has ended, or does not meet `condition`; returns whether it did. Its calls and warnings stay. */
export async function failScan(
  database: Database,
  scan_id: string,
  error: string,
  now: Date,
  condition?: SQL,
): Promise<boolean> {
  return database.transaction(async (transaction) => {
    const failed = await transaction
      .update(scans)
      .set({ state: "failed", error, finished_at: now })
      .where(and(eq(scans.id, scan_id), notEnded, condition))
      .returning({ id: scans.id });
    if (failed.length > 0) await cancelOpen(transaction, scan_id, now);
    return failed.length > 0;
  });
}

/** What has not ended of a scan is cancelled: nobody may take it any more, and what was known of it stays. */
export async function cancelOpen(transaction: Database, scan_id: string, now: Date): Promise<void> {
  await transaction
    .update(scan_targets)
    .set({ state: "cancelled", finished_at: now, lease_owner: null, lease_expires_at: null })
    .where(and(eq(scan_targets.scan_id, scan_id), inArray(scan_targets.state, ["queued", "running"])));
  await transaction
    .update(scan_units)
    .set({ state: "cancelled", finished_at: now })
    .where(and(eq(scan_units.scan_id, scan_id), inArray(scan_units.state, ["pending", "running"])));
}

/** Scans that no process works on and no worker was told of: the process that made them is gone. */
export const isAbandoned = (): SQL | undefined =>
  and(
    notEnded,
    eq(scans.dispatched, false),
    lt(scans.heartbeat_at, sql`clock_timestamp() - ${LEASE_MS} * interval '1 millisecond'`),
  );

/**
 * Ends, as failed, scans whose process is gone and that no worker takes over: for a command, which can only begin anew. `alone`:
 * this process is the only one that can use the database, so any that is not ended was left behind. Units that they completed
 * stand. Returns their ids.
 */
export async function endAbandonedScans(database: Database, alone: boolean, now: Date): Promise<string[]> {
  const left = alone ? notEnded : isAbandoned();
  const error = "Its process ended before the scan did. Units that it completed stand; scan again for the rest.";
  const abandoned: string[] = [];
  for (const { id } of await database.select({ id: scans.id }).from(scans).where(left)) {
    // It may have ended or shown a sign of life since.
    if (await failScan(database, id, error, now, left)) abandoned.push(id);
  }
  return abandoned;
}

/** Whether any scan ever ended with something read. */
export async function hasScanned(database: Database): Promise<boolean> {
  const [row] = await database
    .select({ id: scans.id })
    .from(scans)
    .where(or(eq(scans.state, "succeeded"), eq(scans.state, "partial")))
    .limit(1);
  return row !== undefined;
}
