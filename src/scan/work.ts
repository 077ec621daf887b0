import type { OpenDatabase } from "../db/client.ts";
import { openQueue, type Queue } from "./queue.ts";
import { Reconciler, takeOver } from "./reconciler.ts";
import { EventWorker } from "./event-worker.ts";
import { setReader, Worker, type WorkerDeps } from "./worker.ts";

/** What a process needs to work on scans and events. */
export type WorkDeps = Omit<WorkerDeps, "database" | "queue"> & {
  readonly opened: OpenDatabase;
  /** How many targets at a time; 0: it takes none, and only looks after what others leave behind. */
  readonly at_once: number;
  /** How long a scan may take. Milliseconds. */
  readonly longest_ms: number;
};

/** The part of a process that works on scans: queue, worker, and the one who looks after what is left behind. */
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
  const endScan = (scan_id: string) => worker.endScan(scan_id);
  const reconciler = new Reconciler({ database, queue, longest_ms, now, endScan });
  await reconciler.run();
  if (at_once > 0) {
    await worker.start(at_once);
    await events.start(kind === "pglite");
  }
  return {
    queue,
    leasesHeld: () => worker.leases_held,
    endScan,
    stop: async () => {
      await reconciler.stop();
      await events.stop();
      await worker.stop();
    },
  };
}
