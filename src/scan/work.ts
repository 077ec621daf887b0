import type { OpenDatabase } from "../db/client.ts";
import type { Budgets } from "../remediation/budget.ts";
import { activeSetReader } from "./active-set.ts";
import { openQueue, type Queue } from "./queue.ts";
import { Reconciler, takeOver } from "./reconciler.ts";
import { EventWorker } from "./event-worker.ts";
import { PlanWorker } from "./plan-worker.ts";
import { setReader, Worker, type WorkerDeps } from "./worker.ts";

/** What a process needs to work on scans, events and plans. */
export type WorkDeps = Omit<WorkerDeps, "database" | "queue"> & {
  readonly opened: OpenDatabase;
  /** How many targets at a time; 0: it takes none, and only looks after what others leave behind. */
  readonly at_once: number;
  /** How long a scan may take. Milliseconds. */
  readonly longest_ms: number;
  /** Within which plans are applied that were asked to be. */
  readonly budgets: Budgets;
};

/** The part of a process that works on scans, events and plans: queue, worker, and the one who looks after what is left behind. */
export type Work = {
  readonly queue: Queue;
  /** On how many targets this process works. */
  readonly leasesHeld: () => number;
  /** Ends a scan if it is over, with all that comes after it. */
  endScan(scan_id: string): Promise<void>;
  /** Gives back what is under way and ends. */
  stop(): Promise<void>;
};

/** Begins to work on scans: first on what was left behind. */
export async function startWork(deps: WorkDeps): Promise<Work> {
  const { opened, at_once, longest_ms, now } = deps;
  const { database, kind } = opened;
  if (kind === "pglite") await takeOver(database);
  const queue = await openQueue(opened);
  const worker = new Worker({ ...deps, database, queue });
  const events = new EventWorker({ ...deps, database, queue, sets: setReader(database) });
  const alone = kind === "pglite";
  const plans = new PlanWorker({ ...deps, database, queue, alone, activeSet: activeSetReader(database) });
  const endScan = (scan_id: string) => worker.endScan(scan_id);
  const reconciler = new Reconciler({ database, queue, longest_ms, now, endScan });
  await reconciler.run();
  if (at_once > 0) {
    await worker.start(at_once);
    await events.start(alone);
    await plans.start();
  }
  return {
    queue,
    leasesHeld: () => worker.leases_held,
    endScan,
    stop: async () => {
      await reconciler.stop();
      await events.stop();
      await plans.stop();
      await worker.stop();
    },
  };
}
