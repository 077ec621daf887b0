import { and, eq, inArray, lt, or, type SQL, sql } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import { uuidv7 } from "../db/uuid.ts";
import type { Target, Unit } from "../inventory/resource.ts";
import type { ResourceType } from "../inventory/resource-types.ts";
import { type ScanState, scan_units, scans, units } from "../inventory/schema.ts";

/** A scan as its row has it. */
export type Scan = typeof scans.$inferSelect;

/** What someone asks for. */
export type ScanRequest = {
  readonly targets: readonly Target[];
  readonly types: readonly ResourceType[];
  readonly confirm_all: boolean;
  readonly trigger: Scan["trigger"];
  readonly requested_by: string;
  readonly schedule?: { readonly id: string; readonly slot: Date };
};

/** How often a process says that its scans live. Milliseconds. */
export const HEARTBEAT_MS = 3000;

/** A scan whose process has not said so for this long was left behind. Milliseconds; long enough for a busy database. */
export const LEASE_MS = 15_000;

/** Serialises the creation of scans, so that two requests for one scope become one scan. */
const CREATE_LOCK = 7_201_001;

const notEnded = inArray(scans.state, ["queued", "running"]);

/**
 * Creates a scan with its units, or returns the one of the same scope that is queued or running (`deduplicated`), or null
 * when its schedule's slot was taken by another replica or its schedule's last scan still runs.
 */
export async function createScan(
  database: Database,
  request: ScanRequest,
  now: Date,
): Promise<{ scan: Scan; deduplicated: boolean } | null> {
  return database.transaction(async (transaction) => {
    await transaction.execute(sql`select pg_advisory_xact_lock(${CREATE_LOCK})`);
    const active = await transaction.select().from(scans).where(notEnded);
    const { schedule } = request;
    if (schedule && active.some((scan) => scan.schedule_id === schedule.id)) return null;
    const twin = active.find((scan) => sameScope(scan, request));
    if (twin) return schedule ? null : { scan: twin, deduplicated: true };
    const [scan] = await transaction
      .insert(scans)
      .values({
        id: uuidv7(now),
        state: "queued",
        trigger: request.trigger,
        requested_by: request.requested_by,
        schedule_id: schedule?.id ?? null,
        slot: schedule?.slot ?? null,
        targets: [...request.targets],
        types: [...request.types],
        confirm_all: request.confirm_all,
        created_at: now,
        heartbeat_at: now,
        warnings: [],
        api_calls: {},
      })
      .onConflictDoNothing()
      .returning();
    if (!scan) return null;
    const all = unitsOf(scan);
    for (let start = 0; start < all.length; start += 1000) {
      const some = all.slice(start, start + 1000);
      await transaction.insert(scan_units).values(
        some.map(({ account_id, region, type }) => ({
          scan_id: scan.id,
          account_id,
          region,
          type,
          state: "pending" as const,
        })),
      );
      await transaction.insert(units).values(some).onConflictDoNothing();
    }
    return { scan, deduplicated: false };
  });
}

/** Every unit of a scan: targets × types. */
export function unitsOf(scan: Pick<Scan, "targets" | "types">): Unit[] {
  return scan.targets.flatMap((target) => scan.types.map((type) => ({ ...target, type })));
}

function sameScope(scan: Scan, request: ScanRequest): boolean {
  const key = (scope: Pick<ScanRequest, "targets" | "types" | "confirm_all">) =>
    JSON.stringify([
      scope.targets.map(({ account_id, region }) => `${account_id}/${region}`).toSorted(),
      scope.types.toSorted(),
      scope.confirm_all,
    ]);
  return key(scan) === key(request);
}

/** Marks a scan as begun by this process. */
export async function startScan(database: Database, scan_id: string, policy_set_id: string, now: Date): Promise<void> {
  await database
    .update(scans)
    .set({ state: "running", started_at: now, heartbeat_at: now, policy_set_id })
    .where(eq(scans.id, scan_id));
}

/** Says that the scan's process lives, and how many calls it has made. One that has ended stays as it is. */
export async function beatScan(
  database: Database,
  scan_id: string,
  api_calls: Record<string, number>,
  now: Date,
): Promise<void> {
  await database
    .update(scans)
    .set({ heartbeat_at: now, api_calls })
    .where(and(eq(scans.id, scan_id), notEnded));
}

/** Marks the units of a target as begun. */
export async function startUnits(database: Database, scan_id: string, target: Target, now: Date): Promise<void> {
  const { account_id, region } = target;
  await database
    .update(scan_units)
    .set({ state: "running", started_at: now })
    .where(and(eq(scan_units.scan_id, scan_id), eq(scan_units.account_id, account_id), eq(scan_units.region, region)));
}

/** How a scan ended. */
export type ScanEnd = {
  readonly state: Exclude<ScanState, "queued" | "running">;
  readonly warnings: string[];
  readonly api_calls: Record<string, number>;
  readonly error: string | null;
};

/** Ends a scan; units that never ended are `cancelled`, and what was not read stays as it was. */
export async function endScan(database: Database, scan_id: string, end: ScanEnd, now: Date): Promise<void> {
  await database.transaction(async (transaction) => {
    await transaction
      .update(scans)
      .set({ ...end, finished_at: now })
      .where(eq(scans.id, scan_id));
    await cancelOpenUnits(transaction, scan_id, now);
  });
}

async function cancelOpenUnits(transaction: Database, scan_id: string, now: Date): Promise<void> {
  await transaction
    .update(scan_units)
    .set({ state: "cancelled", finished_at: now })
    .where(and(eq(scan_units.scan_id, scan_id), inArray(scan_units.state, ["pending", "running"])));
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
    if (failed.length > 0) await cancelOpenUnits(transaction, scan_id, now);
    return failed.length > 0;
  });
}

/**
 * Ends, as failed, scans whose process is gone: their heartbeat is older than the lease, or, where this process is the only
 * one that can use the database (`alone`), any that is not ended. Units that they completed stand. Returns their ids.
 */
export async function endAbandonedScans(database: Database, alone: boolean, now: Date): Promise<string[]> {
  const silent = alone ? undefined : lt(scans.heartbeat_at, new Date(now.getTime() - LEASE_MS));
  const error = "Its process ended before the scan did. Units that it completed stand; scan again for the rest.";
  const abandoned: string[] = [];
  for (const { id } of await database.select({ id: scans.id }).from(scans).where(and(notEnded, silent))) {
    // It may have ended or shown a sign of life since.
    if (await failScan(database, id, error, now, silent)) abandoned.push(id);
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

/** States of the units of a scan. */
export async function unitStates(
  database: Database,
  scan_id: string,
): Promise<{ state: string; listed: boolean; resources: number }[]> {
  return database
    .select({ state: scan_units.state, listed: scan_units.listed, resources: scan_units.resources })
    .from(scan_units)
    .where(eq(scan_units.scan_id, scan_id));
}
