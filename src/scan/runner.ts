import type { Database } from "../db/client.ts";
import { reasonOf } from "../db/reason.ts";
import { log } from "../log.ts";
import type { PolicySet } from "../policy/load.ts";
import { dispatchScan } from "./dispatch.ts";
import type { Queue } from "./queue.ts";
import { beatScans, createScan, failScan, HEARTBEAT_MS, type Scan, type ScanRequest } from "./store.ts";

/** What the runner of a service works with. */
export type RunnerDeps = {
  readonly database: Database;
  readonly queue: Queue;
  /** The set to scan by, looked at again before every scan. */
  readonly currentSet: () => Promise<PolicySet>;
  readonly now: () => Date;
};

/** Makes the scans that a service is asked for, and hands their targets to the workers once the policies are ready. */
export class ScanRunner {
  readonly #deps: RunnerDeps;
  /** Scans of ours that have not begun: their rows are kept alive here, so that no other process takes them for abandoned. */
  readonly #waiting = new Set<string>();
  /** Scans of ours that could not begin, with the reason, until their rows say so: a database that is down or full takes that only later. */
  readonly #failed = new Map<string, string>();
  readonly #heartbeat: NodeJS.Timeout;
  #queue: Promise<void> = Promise.resolve();
  #stopped = false;

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

  /** Begins nothing more. What was asked for and has not begun is left to the next process. */
  async stop(): Promise<void> {
    this.#stopped = true;
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
    this.#queue = this.#queue.then(() => this.#begin(scan));
  }

  async #begin(scan: Scan): Promise<void> {
    const { database, queue, currentSet, now } = this.#deps;
    try {
      if (this.#stopped) return;
      // To activate policies can take longer than the lease.
      const set = await currentSet();
      await dispatchScan(database, queue, scan.id, set.id, now());
    } catch (error) {
      log.error({ scan_id: scan.id, error: reasonOf(error) }, "a scan could not begin");
      this.#failed.set(scan.id, reasonOf(error));
    } finally {
      this.#waiting.delete(scan.id);
    }
    await this.#endFailed().catch((error: unknown) =>
      log.warn({ error: reasonOf(error) }, "a scan could not be ended"),
    );
  }

  /** A scan that cannot begin and whose row does not say so would stand in the way of every other of its scope. */
  async #endFailed(): Promise<void> {
    for (const [scan_id, error] of this.#failed) {
      await failScan(this.#deps.database, scan_id, error, this.#deps.now());
      this.#failed.delete(scan_id);
    }
  }

  async #beat(): Promise<void> {
    try {
      await beatScans(this.#deps.database, [...this.#waiting]);
      await this.#endFailed();
    } catch (error) {
      log.warn({ error: reasonOf(error) }, "heartbeat failed");
    }
  }
}
