import { eq } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import { reasonOf } from "../db/reason.ts";
import { countedSince } from "../inventory/aws/call-counts.ts";
import { pause } from "../inventory/aws/pause.ts";
import type { Target } from "../inventory/resource.ts";
import { scans } from "../inventory/schema.ts";
import { log } from "../log.ts";
import { accountReader, type ConfiguredAccounts } from "./accounts.ts";
import { type EndState, finishScan } from "./finish.ts";
import { forEachLimited } from "./for-each-limited.ts";
import { Leases, openTargets, type ScanTargetKey } from "./leases.ts";
import { beatScans, failScan, HEARTBEAT_MS, type Scan, startScan } from "./store.ts";
import { requestStop } from "./stop.ts";
import { type BegunTarget, scanTarget, type TargetDeps } from "./target.ts";

/** What a running scan tells whoever watches: counts so far. */
export type ScanProgress = {
  readonly units_done: number;
  readonly units: number;
  readonly resources: number;
  readonly calls: number;
  readonly throttled: number;
};

/** What a scan by one process works with. */
export type ScanDeps = Omit<TargetDeps, "onUnit" | "readAccount"> & {
  readonly settings: TargetDeps["settings"] & {
    readonly targets_at_once: number;
    readonly accounts: ConfiguredAccounts;
  };
  /** What `aws` had counted before the scan's first call; as it begins, when absent. */
  readonly calls_before?: Record<string, number>;
  readonly onProgress?: (progress: ScanProgress) => void;
  readonly signal?: AbortSignal;
};

/** How long to wait before asking again for a target on which another process works. Milliseconds. */
const BUSY_MS = 1000;

/**
 * Runs a scan to its end in this process: every unit is audited, whatever happens to the others, and the scan's row says how it
 * ended. Throws what the database throws, after an attempt to mark the scan as failed.
 */
export async function runScan(deps: ScanDeps, scan: Scan, begun?: BegunTarget): Promise<EndState> {
  const { database, aws, settings, now } = deps;
  const { calls_before = aws.calls.toJSON() } = deps;
  const calls = () => countedSince(aws.calls.toJSON(), calls_before);
  const stopping = new AbortController();
  const signal = deps.signal ? AbortSignal.any([deps.signal, stopping.signal]) : stopping.signal;
  await startScan(database, scan.id, deps.set.id, now());
  const leases = new Leases(database);
  const heartbeat = setInterval(() => {
    beatScans(database, [scan.id]).then(
      (stopped) => stopped.length > 0 && stopping.abort(new Error("the scan is to end")),
      (error: unknown) => log.warn({ error: reasonOf(error), scan_id: scan.id }, "heartbeat failed"),
    );
  }, HEARTBEAT_MS);
  try {
    const onUnit = countProgress(deps, scan, calls);
    const readAccount = accountReader({ database, aws, configured: settings.accounts, now });
    const targets = await openTargets(database, scan.id);
    await forEachLimited(targets, settings.targets_at_once, async (target) =>
      workOn(
        { ...deps, onUnit, readAccount },
        leases,
        scan,
        target,
        signal,
        sameTarget(begun?.target, target) ? begun : undefined,
      ),
    );
    return await endOf(database, scan.id, now(), { calls: calls(), mass_close: settings.mass_close });
  } catch (cause) {
    if (signal.aborted) {
      await requestStop(database, scan.id, "cancelled", scan.requested_by, now());
      return await endOf(database, scan.id, now(), { calls: calls() });
    }
    await failScan(database, scan.id, reasonOf(cause), now());
    throw cause;
  } finally {
    clearInterval(heartbeat);
    leases.close();
  }
}

/** Takes a target, waiting for whoever works there for another scan, and audits it. */
async function workOn(
  deps: TargetDeps,
  leases: Leases,
  scan: Scan,
  target: Target & ScanTargetKey,
  signal: AbortSignal,
  begun: BegunTarget | undefined,
): Promise<void> {
  const counts = deps.aws.callsIn(target);
  const before = counts.toJSON();
  const calls = () => countedSince(counts.toJSON(), before);
  for (;;) {
    signal.throwIfAborted();
    const lease = await leases.take(target, calls);
    if (lease === "over") return;
    if (lease === "busy") {
      await pause(BUSY_MS, signal);
      continue;
    }
    try {
      const warnings = await scanTarget(deps, scan, lease, AbortSignal.any([signal, lease.signal]), begun);
      await leases.end(lease, { api_calls: calls(), warnings }, deps.now());
    } catch (error) {
      await leases.giveBack(lease, { api_calls: calls(), warnings: [] }).catch(() => leases.drop(lease));
      throw error;
    }
    return;
  }
}

/** How the scan ended, now or before. */
async function endOf(
  database: Database,
  scan_id: string,
  now: Date,
  ended: Parameters<typeof finishScan>[3],
): Promise<EndState> {
  const state = await finishScan(database, scan_id, now, ended);
  if (state !== null) return state;
  const [row] = await database.select({ state: scans.state }).from(scans).where(eq(scans.id, scan_id));
  if (!row || row.state === "queued" || row.state === "running")
    throw new Error(`scan ${scan_id} has no targets left and is not over`);
  return row.state;
}

function countProgress(
  deps: ScanDeps,
  scan: Scan,
  calls: () => Record<string, number>,
): NonNullable<TargetDeps["onUnit"]> {
  const units = scan.targets * scan.types.length;
  let units_done = 0;
  let resources = 0;
  return (_unit, outcome) => {
    units_done++;
    resources += outcome.resources;
    const { total = 0, throttled = 0 } = calls();
    deps.onProgress?.({ units_done, units, resources, calls: total, throttled });
  };
}

function sameTarget(one: Target | undefined, other: Target): boolean {
  return one?.account_id === other.account_id && one.region === other.region;
}
