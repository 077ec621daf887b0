import { UsageError } from "../config.ts";
import type { Database } from "../db/client.ts";
import { pause } from "../inventory/aws/pause.ts";
import { createScan, endAbandonedScans, LEASE_MS, type Scan, type ScanRequest } from "./store.ts";

const POLL_MS = 500;

/**
 * Creates a scan for a person who waits. One of the same scope that seems to run is watched until it shows a sign of life, and
 * then a UsageError names it, or until its lease ends: its process is dead, and this scan takes its place.
 * Throws the signal's reason when that aborts meanwhile.
 */
export async function beginScan(
  database: Database,
  request: ScanRequest,
  options: { alone: boolean; now: () => Date; onWait: (milliseconds: number) => void; signal: AbortSignal },
): Promise<Scan> {
  const { alone, now, onWait, signal } = options;
  let seen = null as Scan | null;
  for (;;) {
    await endAbandonedScans(database, alone, now());
    const created = await createScan(database, request, now());
    if (!created) throw new Error("a request without a schedule always has a scan");
    const { scan, deduplicated } = created;
    if (!deduplicated) return scan;
    if (scan.dispatched) {
      throw new UsageError(
        `Scan ${scan.id} of the same targets is with the workers, asked for by ${scan.requested_by}. Watch it: tagwarden scans show ${scan.id}. End it: tagwarden scans cancel ${scan.id}`,
      );
    }
    if (seen?.id === scan.id && (scan.heartbeat_at?.getTime() ?? 0) > (seen.heartbeat_at?.getTime() ?? 0)) {
      throw new UsageError(
        `Scan ${scan.id} of the same targets is running, asked for by ${scan.requested_by}. Watch it: tagwarden scans show ${scan.id}`,
      );
    }
    if (seen?.id !== scan.id) {
      seen = scan;
      onWait(LEASE_MS);
    }
    await pause(POLL_MS, signal);
  }
}
