import { hostname } from "node:os";
import { and, eq, inArray, lt, type SQL, sql } from "drizzle-orm";
import type { PgUpdateSetSource } from "drizzle-orm/pg-core";
import type { Database } from "../db/client.ts";
import { reasonOf } from "../db/reason.ts";
import { uuidv7 } from "../db/uuid.ts";
import type { Target } from "../inventory/resource.ts";
import { scan_units, scans } from "../inventory/schema.ts";
import { log } from "../log.ts";
import { scan_targets } from "./schema.ts";
import { beatScans, HEARTBEAT_MS, LEASE_MS, notEnded } from "./store.ts";

/** This process no longer has the lease of a target: nothing that it has read there may be recorded. */
export class LeaseLostError extends Error {
  override name = "LeaseLostError";
}

/** The scan is to end before it is done: a person asked, or it ran for too long. */
export class ScanStoppedError extends Error {
  override name = "ScanStoppedError";
}

/** What names a target in a scan. */
export type ScanTargetKey = Pick<Target, "account_id" | "region"> & { readonly scan_id: string };

/** The right of one process to work on a target of a scan. */
export type Lease = ScanTargetKey & {
  readonly partition: string;
  readonly epoch: number;
  /** How often a process took it, this time included. */
  readonly attempts: number;
  /** How many of the last attempts, this one included, no unit ended in. */
  readonly fruitless: number;
  /** Aborts with LeaseLostError or ScanStoppedError. */
  readonly signal: AbortSignal;
  /** Makes sure, until the transaction ends, that the lease is still ours. Throws LeaseLostError. */
  readonly hold: (transaction: Database) => Promise<void>;
};

/** What a process has to say of a target that it leaves: calls of this attempt, and warnings. */
export type TargetResult = {
  readonly api_calls: Readonly<Record<string, number>>;
  readonly warnings: readonly string[];
};

type Held = {
  readonly lease: Lease;
  readonly controller: AbortController;
  readonly calls: () => Readonly<Record<string, number>>;
  /** Calls of earlier attempts. */
  readonly before: Readonly<Record<string, number>>;
};

const leaseEnd = sql`clock_timestamp() + ${LEASE_MS} * interval '1 millisecond'`;
/** Whether a unit of a target ended since the target was last taken. */
const endedSinceTaken = sql`exists (select from ${scan_units} as unit
  where unit.scan_id = ${scan_targets}.scan_id and unit.account_id = ${scan_targets}.account_id and unit.region = ${scan_targets}.region
    and unit.finished_at > ${scan_targets}.taken_at)`;
const isExpired = lt(scan_targets.lease_expires_at, sql`clock_timestamp()`);

/**
 * The leases of one process: takes targets, says every few seconds that it still works on them, and learns so that a lease was lost
 * or its scan is to end. The database's clock decides; when it cannot be reached for as long as a lease lasts, leases count as lost.
 */
export class Leases {
  readonly owner = `${hostname()}:${process.pid}:${uuidv7(new Date()).slice(-8)}`;
  readonly #database: Database;
  readonly #held = new Map<string, Held>();
  readonly #timer: NodeJS.Timeout;
  #beaten_at = performance.now();

  constructor(database: Database) {
    this.#database = database;
    this.#timer = setInterval(() => void this.#beat(), HEARTBEAT_MS);
  }

  /**
   * Takes a target. `busy`: another process works there, for this scan or another one. `over`: there is nothing to do any more.
   * `calls`: what this attempt has called so far, for whoever watches.
   */
  async take(key: ScanTargetKey, calls: () => Readonly<Record<string, number>>): Promise<Lease | "busy" | "over"> {
    const row = await this.#database.transaction((transaction) => claim(transaction, key, this.owner)).catch(isTaken);
    if (typeof row === "string") return row;
    const { scan_id, account_id, region, partition, lease_epoch: epoch, attempts, fruitless } = row;
    const controller = new AbortController();
    const hold = (transaction: Database) => holdLease(transaction, key, epoch);
    const lease = {
      scan_id,
      account_id,
      region,
      partition,
      epoch,
      attempts,
      fruitless,
      signal: controller.signal,
      hold,
    };
    if (this.#held.size === 0) this.#beaten_at = performance.now();
    this.#held.set(nameOf(key), { lease, controller, calls, before: row.api_calls });
    return lease;
  }

  /** Says that the target is done. Throws LeaseLostError when it was another's to say. */
  async end(lease: Lease, result: TargetResult, now: Date): Promise<void> {
    await this.#leave(lease, result, { state: "ended", finished_at: now });
  }

  /** Gives a target back, undone, for another process to take. That this one took it does not count. */
  async giveBack(lease: Lease, result: TargetResult): Promise<void> {
    await this.#leave(lease, result, {
      state: "queued",
      queued_at: null,
      attempts: sql`${scan_targets.attempts} - 1`,
      fruitless: sql`greatest(${scan_targets.fruitless} - 1, 0)`,
    });
  }

  /** Leaves a target as it is: its lease runs out, and another process takes it then. For when the database or this process fails. */
  drop(lease: Lease): void {
    this.#held.delete(nameOf(lease));
  }

  /** Whether nothing is held. */
  get idle(): boolean {
    return this.#held.size === 0;
  }

  /** How many are held. */
  get held(): number {
    return this.#held.size;
  }

  /** Ends the heartbeat. What is still held runs out. */
  close(): void {
    clearInterval(this.#timer);
  }

  async #leave(lease: Lease, result: TargetResult, change: SetOfTarget): Promise<void> {
    const before = this.#held.get(nameOf(lease))?.before ?? {};
    this.#held.delete(nameOf(lease));
    const left = await this.#database
      .update(scan_targets)
      .set({
        ...change,
        lease_owner: null,
        lease_expires_at: null,
        api_calls: sum(before, result.api_calls),
        warnings: sql`(select coalesce(jsonb_agg(distinct w), '[]') from jsonb_array_elements(${scan_targets.warnings} || ${JSON.stringify(result.warnings)}::text::jsonb) as w)`,
      })
      .where(and(isTarget(lease), eq(scan_targets.lease_epoch, lease.epoch), eq(scan_targets.state, "running")))
      .returning({ scan_id: scan_targets.scan_id });
    if (left.length === 0) throw lostError(lease);
  }

  async #beat(): Promise<void> {
    if (this.#held.size === 0) return;
    const beating = [...this.#held.values()];
    try {
      const kept = new Set((await prolong(this.#database, beating)).map(nameOf));
      const scan_ids = [...new Set(beating.map(({ lease }) => lease.scan_id))];
      const stopping = new Set(await beatScans(this.#database, scan_ids));
      this.#beaten_at = performance.now();
      for (const held of beating) {
        if (!kept.has(nameOf(held.lease))) this.#lose(held, lostError(held.lease));
        else if (stopping.has(held.lease.scan_id)) held.controller.abort(new ScanStoppedError("the scan is to end"));
      }
    } catch (error) {
      log.warn({ error: reasonOf(error) }, "heartbeat failed");
      if (performance.now() - this.#beaten_at < LEASE_MS) return;
      for (const held of beating) this.#lose(held, lostError(held.lease));
    }
  }

  /** Only if it is the same lease still: the target may have been left, or taken anew, since the heartbeat began. */
  #lose(held: Held, error: LeaseLostError): void {
    if (this.#held.get(nameOf(held.lease)) !== held) return;
    this.#held.delete(nameOf(held.lease));
    held.controller.abort(error);
  }
}

type SetOfTarget = PgUpdateSetSource<typeof scan_targets>;

async function claim(
  transaction: Database,
  key: ScanTargetKey,
  lease_owner: string,
): Promise<typeof scan_targets.$inferSelect | "busy" | "over"> {
  const [scan] = await transaction
    .select({ id: scans.id })
    .from(scans)
    .where(and(eq(scans.id, key.scan_id), notEnded, sql`${scans.stop_requested_at} is null`));
  if (!scan) return "over";
  const here = and(eq(scan_targets.account_id, key.account_id), eq(scan_targets.region, key.region));
  await transaction
    .update(scan_targets)
    .set({ state: "queued", lease_owner: null, lease_expires_at: null, queued_at: null })
    .where(and(here, eq(scan_targets.state, "running"), isExpired));
  const [row] = await transaction
    .update(scan_targets)
    .set({
      state: "running",
      lease_owner,
      lease_epoch: sql`${scan_targets.lease_epoch} + 1`,
      lease_expires_at: leaseEnd,
      attempts: sql`${scan_targets.attempts} + 1`,
      fruitless: sql`case when ${endedSinceTaken} then 1 else ${scan_targets.fruitless} + 1 end`,
      taken_at: sql`clock_timestamp()`,
      started_at: sql`coalesce(${scan_targets.started_at}, clock_timestamp())`,
    })
    .where(and(isTarget(key), eq(scan_targets.state, "queued")))
    .returning();
  if (row) return row;
  const [left] = await transaction.select({ state: scan_targets.state }).from(scan_targets).where(isTarget(key));
  return left?.state === "running" ? "busy" : "over";
}

/** Another scan works on the target: the database allows one, whoever comes first. */
function isTaken(error: unknown): "busy" {
  if (reasonOf(error).includes("scan_targets_one_at_work")) return "busy";
  throw error;
}

async function holdLease(transaction: Database, key: ScanTargetKey, epoch: number): Promise<void> {
  const [held] = await transaction
    .select({ scan_id: scan_targets.scan_id })
    .from(scan_targets)
    .where(and(isTarget(key), eq(scan_targets.lease_epoch, epoch), eq(scan_targets.state, "running")))
    .for("share");
  if (!held) throw lostError(key);
}

/** Moves the ends of leases on, in one statement; returns those that are still ours. */
async function prolong(database: Database, beating: readonly Held[]): Promise<ScanTargetKey[]> {
  const ours = beating.map(({ lease, calls, before }) => {
    const { scan_id, account_id, region, epoch } = lease;
    return { scan_id, account_id, region, epoch, calls: sum(before, calls()) };
  });
  const { scan_id, account_id, region, lease_epoch } = scan_targets;
  return database
    .update(scan_targets)
    .set({ lease_expires_at: leaseEnd, api_calls: sql`ours.calls` })
    .from(
      sql`jsonb_to_recordset(${JSON.stringify(ours)}::text::jsonb) as ours(scan_id uuid, account_id text, region text, epoch integer, calls jsonb)`,
    )
    .where(
      sql`${scan_id} = ours.scan_id and ${account_id} = ours.account_id and ${region} = ours.region and ${lease_epoch} = ours.epoch and ${scan_targets.state} = 'running'`,
    )
    .returning({ scan_id, account_id, region });
}

/** Takes every lease that ran out from its holder. `alone`: no other process can have one, so all of them. Returns how many. */
export async function releaseExpired(database: Database, alone: boolean): Promise<number> {
  const released = await database
    .update(scan_targets)
    .set({ state: "queued", lease_owner: null, lease_expires_at: null, queued_at: null })
    .where(and(eq(scan_targets.state, "running"), alone ? undefined : isExpired))
    .returning({ scan_id: scan_targets.scan_id });
  return released.length;
}

/** The targets of a scan that nobody has ended, in its order. */
export async function openTargets(database: Database, scan_id: string): Promise<(Target & ScanTargetKey)[]> {
  const { partition, account_id, region, rank, state } = scan_targets;
  return database
    .select({ scan_id: scan_targets.scan_id, partition, account_id, region })
    .from(scan_targets)
    .where(and(eq(scan_targets.scan_id, scan_id), inArray(state, ["queued", "running"])))
    .orderBy(rank);
}

/** The row of one target in one scan. */
function isTarget({ scan_id, account_id, region }: ScanTargetKey): SQL | undefined {
  return and(
    eq(scan_targets.scan_id, scan_id),
    eq(scan_targets.account_id, account_id),
    eq(scan_targets.region, region),
  );
}

function nameOf({ scan_id, account_id, region }: ScanTargetKey): string {
  return `${scan_id}/${account_id}/${region}`;
}

function lostError({ account_id, region }: ScanTargetKey): LeaseLostError {
  return new LeaseLostError(`the lease of ${account_id}/${region} ran out, and another process may have it`);
}

function sum(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): Record<string, number> {
  const all: Record<string, number> = { ...a };
  for (const [name, count] of Object.entries(b)) all[name] = (all[name] ?? 0) + count;
  return all;
}
