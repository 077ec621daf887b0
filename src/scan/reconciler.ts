import { and, eq, exists, isNotNull, isNull, lt, not, or, sql } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import { reasonOf } from "../db/reason.ts";
import { scans } from "../inventory/schema.ts";
import { log } from "../log.ts";
import { activeSet } from "../policy/store.ts";
import { dispatchScan, requeueWaiting } from "./dispatch.ts";
import { releaseExpired } from "./leases.ts";
import type { Queue } from "./queue.ts";
import { scan_targets } from "./schema.ts";
import { failScan, isAbandoned, notEnded, type Scan } from "./store.ts";
import { requestStop } from "./stop.ts";

/** What the reconciler works with. */
export type ReconcilerDeps = {
  readonly database: Database;
  readonly queue: Queue;
  /** How long a scan may take, from its beginning. Milliseconds. */
  readonly longest_ms: number;
  readonly now: () => Date;
  /** Ends a scan that is over, with all that comes after it. */
  readonly endScan: (scan_id: string) => Promise<void>;
};

/** How often each process looks after what others left behind. Milliseconds. */
const EVERY_MS = 5000;

/** One process at a time does it: more would do the same again. */
const RECONCILE_LOCK = 7_201_003;

/**
 * Puts right what a process that died, or a job that was lost, left behind, by what the rows say: leases that ran out are free
 * again, targets that wait have a job, scans that nobody began are begun, those that take too long are stopped, and those whose
 * targets have all ended end. It runs in every process that can work, and one at a time does it.
 */
export class Reconciler {
  readonly #deps: ReconcilerDeps;
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(deps: ReconcilerDeps) {
    this.#deps = deps;
    this.#timer = setInterval(() => void this.run(), EVERY_MS);
  }

  /** Goes through everything once. Errors are logged: the next time comes soon. */
  run(): Promise<void> {
    this.#running = this.#running
      .then(() => (this.#stopped ? undefined : reconcileScans(this.#deps)))
      .catch((error: unknown) => {
        log.warn({ error: reasonOf(error) }, "scans could not be looked after");
      });
    return this.#running;
  }

  /** Waits for what is under way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopped = true;
    await this.#running;
  }
}

/** What a process that is alone with its database does as it starts: everything that is under way was left behind by the one before. */
export async function takeOver(database: Database): Promise<void> {
  await releaseExpired(database, true);
  await database
    .update(scans)
    .set({ heartbeat_at: null })
    .where(and(notEnded, eq(scans.dispatched, false)));
}

/** Once through everything; does nothing while another process does. Throws when the database fails. */
export async function reconcileScans(deps: ReconcilerDeps): Promise<void> {
  const { database, queue, now, endScan, longest_ms } = deps;
  const ours = await database.transaction(async (transaction) => {
    const [lock] = await transaction
      .select({ got: sql<boolean>`pg_try_advisory_xact_lock(${RECONCILE_LOCK})` })
      .from(sql`(values (1)) as one`);
    if (!lock?.got) return false;
    const released = await releaseExpired(transaction, false);
    if (released > 0) log.warn({ released }, "targets were taken from processes that gave no sign of life");
    return true;
  });
  if (!ours) return;
  for (const { id } of await scansWhere(database, or(isAbandoned(), neverAlive))) await beginAbandoned(deps, id);
  if ((await requeueWaiting(database, queue)) > 0) queue.wake();
  const tooLong = lt(scans.started_at, sql`clock_timestamp() - ${longest_ms} * interval '1 millisecond'`);
  for (const { id } of await scansWhere(
    database,
    and(eq(scans.dispatched, true), isNull(scans.stop_requested_at), tooLong),
  )) {
    log.warn({ scan_id: id }, "a scan takes too long and is ended");
    await requestStop(database, id, "timed_out", null, now());
  }
  for (const { id } of await scansWhere(
    database,
    and(or(eq(scans.dispatched, true), isNotNull(scans.stop_requested_at)), not(hasOpenTargets(database))),
  ))
    await endScan(id);
}

/** Its process left no time at all: see `takeOver`. */
const neverAlive = and(eq(scans.dispatched, false), isNull(scans.heartbeat_at));

function scansWhere(database: Database, condition: ReturnType<typeof and>): Promise<Pick<Scan, "id">[]> {
  return database.select({ id: scans.id }).from(scans).where(and(notEnded, condition)).orderBy(scans.epoch);
}

/** Somebody works on it, or it is to go on and something waits. */
function hasOpenTargets(database: Database) {
  const { scan_id, state } = scan_targets;
  const isOpen = or(eq(state, "running"), and(eq(state, "queued"), isNull(scans.stop_requested_at)));
  return exists(
    database
      .select({ one: sql`1` })
      .from(scan_targets)
      .where(and(eq(scan_id, scans.id), isOpen)),
  );
}

/** The process that made a scan is gone before it had begun, or while it worked on it alone: the workers take it over. */
async function beginAbandoned({ database, queue, now }: ReconcilerDeps, scan_id: string): Promise<void> {
  const [scan] = await database.select({ policy_set_id: scans.policy_set_id }).from(scans).where(eq(scans.id, scan_id));
  const set_id = scan?.policy_set_id ?? (await activeSet(database))?.id;
  if (set_id === undefined) {
    await failScan(
      database,
      scan_id,
      "Its process ended before it had begun, and no policies are active to go on by.",
      now(),
    );
    return;
  }
  if (await dispatchScan(database, queue, scan_id, set_id, now()))
    log.warn({ scan_id }, "a scan was left behind by its process; workers go on with it");
}
