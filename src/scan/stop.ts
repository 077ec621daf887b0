import { and, eq } from "drizzle-orm";
import { appendAudit } from "../audit-log/store.ts";
import type { Database } from "../db/client.ts";
import { scans } from "../inventory/schema.ts";
import { finishScan } from "./finish.ts";
import { scan_targets } from "./schema.ts";
import { notEnded, type Scan } from "./store.ts";

/**
 * Asks for the end of a scan before it is done: nobody begins a further target of it, whoever works on one stops within a heartbeat, and units
 * that were read stand. Returns whether the scan had not ended; the first who asks has the word. `by`: who; null for a time-out.
 */
export async function requestStop(
  database: Database,
  scan_id: string,
  reason: NonNullable<Scan["stop_reason"]>,
  by: string | null,
  now: Date,
): Promise<boolean> {
  return database.transaction(async (transaction) => {
    const [scan] = await transaction
      .select({ stop_requested_at: scans.stop_requested_at })
      .from(scans)
      .where(and(eq(scans.id, scan_id), notEnded))
      .for("update");
    if (!scan) return false;
    if (scan.stop_requested_at === null) {
      await transaction
        .update(scans)
        .set({ stop_requested_at: now, stop_reason: reason, stopped_by: by })
        .where(eq(scans.id, scan_id));
    }
    await transaction
      .update(scan_targets)
      .set({ state: "cancelled", finished_at: now })
      .where(and(eq(scan_targets.scan_id, scan_id), eq(scan_targets.state, "queued")));
    if (scan.stop_requested_at === null && by !== null) {
      await appendAudit(transaction, { at: now, actor: by, action: "scan.cancelled", subject: scan_id, detail: {} });
    }
    return true;
  });
}

/** Cancels a scan for a person. Where nobody works on it, this is its end. Returns false when it had ended. */
export async function cancelScan(database: Database, scan_id: string, by: string, now: Date): Promise<boolean> {
  const stopping = await requestStop(database, scan_id, "cancelled", by, now);
  if (stopping) await finishScan(database, scan_id, now, {});
  return stopping;
}
