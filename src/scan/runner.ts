import type { Database } from "../db/client.ts";
import { reasonOf } from "../db/reason.ts";
import { log } from "../log.ts";
import type { PolicySet } from "../policy/load.ts";
import {
  beatScan,
  createScan,
  endAbandonedScans,
  endScan,
  failScan,
  HEARTBEAT_MS,
  type Scan,
  type ScanRequest,
} from "./store.ts";

/** What the runner of a service works with. */
export type RunnerDeps = {
  readonly database: Database;
  /** This process alone can use the database, so a scan that is not ended and not ours was left behind. */
  readonly alone: boolean;
  /** The set to scan by, looked at again before every scan. */
  readonly currentSet: () => Promise<PolicySet>;
  /** Runs one scan and what comes after it. */
  readonly run: (scan: Scan, set: PolicySet, signal: AbortSignal) => Promise<void>;
  readonly now: () => Date;
};

/** Scans of a service, one at a time in this process; the rows say what waits and what runs. */
export class ScanRunner {
  readonly #deps: RunnerDeps;
  readonly #stopping = new AbortController();
  /** Scans of ours that have not begun: their rows are kept alive here, so that no other process takes them for abandoned. */
  readonly #waiting = new Set<string>();
  /** Scans of ours that failed, with the reason, until their rows say so: a database that is down or full takes that only later. */
  readonly #failed = new Map<string, string>();
  readonly #heartbeat: NodeJS.Timeout;
  #queue: Promise<void> = Promise.resolve();

  constructor(deps: RunnerDeps) {
    this.#deps = deps;
    this.#heartbeat = setInterval(() => void this.#beat(), HEARTBEAT_MS);
  }

  /** Asks for a scan; one of the same scope that waits or runs already is that one. */
  async request(request: ScanRequest): Promise<{ scan_id: string; deduplicated: boolean }> {
    const created = await this.#create(request);
    if (!created) throw new Error("a request without a schedule always has a scan");
    return { scan_id: created.scan.id, deduplicated: created.deduplicated };
  }

  /**
   * A schedule's slot has come: its scan is created in the transaction that records the slot, and begins by `start` when that is
   * committed. Null: the schedule's last one still runs, or one of the same scope.
   */
  async fire(transaction: Database, request: ScanRequest): Promise<{ scan_id: string; start: () => void } | null> {
    const created = await createScan(transaction, request, this.#deps.now());
    return created && { scan_id: created.scan.id, start: () => this.#enqueue(created.scan) };
  }

  /** Stops taking scans, aborts the one that runs and waits until its row says so. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error("the service stops"));
    await this.#queue;
    clearInterval(this.#heartbeat);
  }

  async #create(request: ScanRequest): Promise<{ scan: Scan; deduplicated: boolean } | null> {
    const { database, now } = this.#deps;
    const created = await createScan(database, request, now());
    if (created && !created.deduplicated) this.#enqueue(created.scan);
    return created;
  }

  #enqueue(scan: Scan): void {
    this.#waiting.add(scan.id);
    this.#queue = this.#queue.then(() => this.#run(scan));
  }

  async #run(scan: Scan): Promise<void> {
    const { database, currentSet, run, now } = this.#deps;
    const { signal } = this.#stopping;
    try {
      if (signal.aborted) {
        await endScan(database, scan.id, { state: "cancelled", warnings: [], api_calls: {}, error: null }, now());
        return;
      }
      // To activate policies can take longer than the lease.
      const set = await currentSet();
      this.#waiting.delete(scan.id);
      await run(scan, set, signal);
    } catch (error) {
      log.error({ scan_id: scan.id, error: reasonOf(error) }, "scan failed");
      this.#failed.set(scan.id, reasonOf(error));
    } finally {
      this.#waiting.delete(scan.id);
    }
    await this.#endFailed().catch((error: unknown) =>
      log.warn({ error: reasonOf(error) }, "a scan could not be ended"),
    );
  }

  /** A scan that is over and whose row does not say so would stand in the way of every other of its scope. */
  async #endFailed(): Promise<void> {
    for (const [scan_id, error] of this.#failed) {
      await failScan(this.#deps.database, scan_id, error, this.#deps.now());
      this.#failed.delete(scan_id);
    }
  }

  async #beat(): Promise<void> {
    const { database, alone, now } = this.#deps;
    try {
      for (const scan_id of this.#waiting) await beatScan(database, scan_id, {}, now());
      await this.#endFailed();
      // Alone, whatever is not ended after the start is ours.
      if (!alone) await this.endAbandoned();
    } catch (error) {
      log.warn({ error: reasonOf(error) }, "heartbeat failed");
    }
  }

  /** Ends scans that a dead process left behind. */
  async endAbandoned(): Promise<void> {
    const { database, alone, now } = this.#deps;
    for (const scan_id of await endAbandonedScans(database, alone, now())) {
      log.warn({ scan_id }, "a scan was left behind by a process that ended; what it completed stands");
    }
  }
}
