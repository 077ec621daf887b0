import { and, asc, eq, inArray, isNull, lt, or, sql } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import { scans } from "../inventory/schema.ts";
import type { Queue, QueuedTarget } from "./queue.ts";
import { scan_targets } from "./schema.ts";
import { notEnded } from "./store.ts";

/** A job that has not been taken for so long is made again, in case it was lost; one that still waits stays alone. Milliseconds. */
const REQUEUE_MS = 60_000;

/** How many jobs are made again at a time. */
const REQUEUE_MOST = 500;

/**
 * Begins a scan whose targets workers take: they are told of all of them in the same transaction. Returns false when it has begun
 * or ended already, or is to end.
 */
export async function dispatchScan(
  database: Database,
  queue: Queue,
  scan_id: string,
  policy_set_id: string,
  now: Date,
): Promise<boolean> {
  const begun = await database.transaction(async (transaction) => {
    const [scan] = await transaction
      .update(scans)
      .set({
        state: "running",
        dispatched: true,
        policy_set_id,
        started_at: sql`coalesce(${scans.started_at}, ${now.toISOString()}::timestamptz)`,
        heartbeat_at: sql`clock_timestamp()`,
      })
      .where(and(eq(scans.id, scan_id), notEnded, eq(scans.dispatched, false), isNull(scans.stop_requested_at)))
      .returning({ id: scans.id });
    if (!scan) return false;
    const targets = await markQueued(transaction, eq(scan_targets.scan_id, scan_id));
    await queue.enqueue(transaction, targets);
    return true;
  });
  if (begun) queue.wake();
  return begun;
}

/** Makes jobs for targets of begun scans that wait and whose job was lost, or may have been. Returns how many. */
export async function requeueWaiting(database: Database, queue: Queue): Promise<number> {
  return database.transaction(async (transaction) => {
    const stale = lt(scan_targets.queued_at, sql`clock_timestamp() - ${REQUEUE_MS} * interval '1 millisecond'`);
    const begun = transaction
      .select({ id: scans.id })
      .from(scans)
      .where(and(eq(scans.state, "running"), eq(scans.dispatched, true), isNull(scans.stop_requested_at)));
    const next = transaction
      .select({ ctid: sql`${scan_targets}.ctid` })
      .from(scan_targets)
      .where(
        and(
          eq(scan_targets.state, "queued"),
          inArray(scan_targets.scan_id, begun),
          or(isNull(scan_targets.queued_at), stale),
        ),
      )
      .orderBy(asc(scan_targets.rank))
      .limit(REQUEUE_MOST)
      .for("update", { skipLocked: true });
    const targets = await markQueued(transaction, sql`${scan_targets}.ctid = any(array(${next}))`);
    await queue.enqueue(transaction, targets);
    return targets.length;
  });
}

async function markQueued(transaction: Database, which: ReturnType<typeof sql>): Promise<QueuedTarget[]> {
  const { scan_id, account_id, region, rank } = scan_targets;
  return transaction
    .update(scan_targets)
    .set({ queued_at: sql`clock_timestamp()` })
    .where(and(eq(scan_targets.state, "queued"), which))
    .returning({ scan_id, account_id, region, rank });
}
