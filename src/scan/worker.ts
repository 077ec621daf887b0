import type { Database } from "../db/client.ts";
import { reasonOf } from "../db/reason.ts";
import { countedSince } from "../inventory/aws/call-counts.ts";
import { log } from "../log.ts";
import { compilePolicies, type PolicySet } from "../policy/load.ts";
import { filesOfSet } from "../policy/store.ts";
import { accountReader, type ConfiguredAccounts } from "./accounts.ts";
import { finishScan } from "./finish.ts";
import { type Lease, LeaseLostError, Leases, type ScanTargetKey, ScanStoppedError } from "./leases.ts";
import type { Queue } from "./queue.ts";
import { readScan, type Scan } from "./store.ts";
import { endUnits, openTypes, scanTarget, type TargetDeps } from "./target.ts";

/** What a worker works with. */
export type WorkerDeps = Pick<TargetDeps, "database" | "aws" | "now"> & {
  readonly queue: Queue;
  readonly settings: TargetDeps["settings"] & {
    /** How long one process may work on a target. Milliseconds. */
    readonly target_ms: number;
    readonly accounts: ConfiguredAccounts;
  };
  /** What comes after a scan that has ended: repairs. Runs once, in the process that ended it. */
  readonly afterScan: (scan: Scan, set: PolicySet, signal: AbortSignal) => Promise<void>;
};

/**
 * A target is what its processes die of, when so many began it in a row and none ended as much as a unit of it: it is given up.
 * Where processes die of something else, some unit ends before that.
 */
const MOST_FRUITLESS = 8;

/** The longest that a stopping process waits for what it has begun. Milliseconds. */
const STOP_MS = 8000;

/**
 * Works on targets of scans, several at a time, as the queue brings them. Any number of processes do so side by side, and each may die at
 * any moment: what it had recorded stands, and another one goes on from there.
 */
export class Worker {
  readonly #deps: WorkerDeps;
  readonly #leases: Leases;
  readonly #stopping = new AbortController();
  readonly #sets: (id: string) => Promise<PolicySet>;
  readonly #readAccount: TargetDeps["readAccount"];

  constructor(deps: WorkerDeps) {
    const { database, aws, settings, now } = deps;
    this.#deps = deps;
    this.#leases = new Leases(database);
    this.#sets = setReader(database);
    this.#readAccount = accountReader({ database, aws, configured: settings.accounts, now });
  }

  /** Begins to take targets, so many at a time. */
  async start(at_once: number): Promise<void> {
    await this.#deps.queue.work(at_once, (key) => this.#handle(key));
  }

  /** Gives back what is under way and ends. What cannot be given back in time is taken by another process when its lease runs out. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error("the process stops"));
    await this.#deps.queue.stop(STOP_MS);
    this.#leases.close();
  }

  /** On how many targets it works. */
  get leases_held(): number {
    return this.#leases.held;
  }

  /** Ends a scan if it is over, with all that comes after it. */
  async endScan(scan_id: string): Promise<void> {
    const { database, now, afterScan, settings } = this.#deps;
    const state = await finishScan(database, scan_id, now(), { mass_close: settings.mass_close });
    if (state === null) return;
    log.info({ scan_id, state }, "scan ended");
    const scan = await readScan(database, scan_id);
    if (state === "cancelled" || !scan?.policy_set_id) return;
    await afterScan(scan, await this.#sets(scan.policy_set_id), this.#stopping.signal).catch((error: unknown) =>
      log.error({ scan_id, error: reasonOf(error) }, "what comes after a scan failed"),
    );
  }

  async #handle(key: ScanTargetKey): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    const { database, aws } = this.#deps;
    const counts = aws.callsIn(key);
    const before = counts.toJSON();
    const calls = () => countedSince(counts.toJSON(), before);
    const lease = await this.#leases.take(key, calls);
    if (typeof lease === "string") return;
    const scan = await readScan(database, key.scan_id);
    if (scan === null) throw new Error(`there is no scan ${key.scan_id}`);
    try {
      const warnings = await this.#audit(scan, lease);
      await this.#leases.end(lease, { api_calls: calls(), warnings }, this.#deps.now());
    } catch (error) {
      await this.#leave(lease, calls(), error);
    }
    await this.endScan(scan.id);
  }

  /** Audits a target to its end, or for as long as is allowed. */
  async #audit(scan: Scan, lease: Lease): Promise<string[]> {
    const { settings } = this.#deps;
    const deps = { ...this.#deps, set: await this.#sets(scan.policy_set_id ?? ""), readAccount: this.#readAccount };
    if (lease.fruitless > MOST_FRUITLESS) {
      const message = `${MOST_FRUITLESS} processes one after the other began to read this target, and none ended a single unit of it`;
      await this.#giveUp(deps, scan, lease, { name: "WorkersLost", message, operation: "scan" });
      return [];
    }
    const tooLong = AbortSignal.timeout(settings.target_ms);
    const signal = AbortSignal.any([this.#stopping.signal, lease.signal, tooLong]);
    try {
      return await scanTarget(deps, scan, lease, signal);
    } catch (error) {
      if (!tooLong.aborted || this.#stopping.signal.aborted || lease.signal.aborted) throw error;
      const message = `it was not done within ${settings.target_ms / 3_600_000} hours (limits.target_hours)`;
      await this.#giveUp(deps, scan, lease, { name: "TimedOut", message, operation: "scan" });
      return [];
    }
  }

  async #giveUp(deps: TargetDeps, scan: Scan, lease: Lease, error: Parameters<typeof endUnits>[4]): Promise<void> {
    const { account_id, region } = lease;
    log.error({ scan_id: scan.id, account_id, region, error: error.name }, "a target was given up");
    await endUnits(deps, scan, lease, await openTypes(deps.database, scan, lease), error);
  }

  /** Leaves a target that could not be ended. */
  async #leave(lease: Lease, api_calls: Record<string, number>, error: unknown): Promise<void> {
    const { scan_id, account_id, region, signal } = lease;
    const reason: unknown = signal.aborted ? signal.reason : error;
    const about = { scan_id, account_id, region };
    if (reason instanceof LeaseLostError) {
      log.warn(about, "another process took this target over");
      this.#leases.drop(lease);
      return;
    }
    if (this.#stopping.signal.aborted || reason instanceof ScanStoppedError) {
      await this.#leases.giveBack(lease, { api_calls, warnings: [] }).catch((cause: unknown) => {
        log.warn({ ...about, error: reasonOf(cause) }, "a target could not be given back; its lease runs out");
        this.#leases.drop(lease);
      });
      return;
    }
    // Nothing but the database fails here: to try again at once would be to fail again.
    log.error({ ...about, error: reasonOf(error) }, "a target could not be recorded and will be tried again");
    this.#leases.drop(lease);
  }
}

/** Reads stored sets of policies, each compiled once; the last few are remembered. */
export function setReader(database: Database): (id: string) => Promise<PolicySet> {
  const sets = new Map<string, Promise<PolicySet>>();
  const read = async (id: string) => {
    const files = await filesOfSet(database, id);
    if (files === null) throw new Error(`the set of policies ${id} is not stored`);
    return compilePolicies(files);
  };
  return (id) => {
    if (sets.size > 4) sets.clear();
    const set = sets.get(id) ?? read(id);
    sets.set(id, set);
    set.catch(() => sets.delete(id));
    return set;
  };
}
