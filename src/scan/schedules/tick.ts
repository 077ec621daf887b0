import { and, eq } from "drizzle-orm";
import { UsageError } from "../../config.ts";
import type { Database } from "../../db/client.ts";
import { reasonOf } from "../../db/reason.ts";
import { log } from "../../log.ts";
import { schedule_slots, schedules, type SlotOutcome } from "../schema.ts";
import type { Clock } from "./clock.ts";
import { type Due, dueSlot, type Schedule } from "./due.ts";
import { enabledSchedules, lastDecided, type SlotRow, waitingSlot } from "./slots.ts";

/** A slot whose scan is to begin. */
type SlotToBegin = { readonly schedule: Schedule; readonly slot: Date; readonly caught_up: number };

/**
 * Creates the scan of a slot, in the transaction that records the slot; null: the schedule's scan before it, or one of the same scope,
 * has not ended. `start` is called once the transaction is committed. Throws UsageError for what cannot be scanned.
 */
export type BeginSlot = (
  transaction: Database,
  slot: SlotToBegin,
) => Promise<{ readonly scan_id: string; readonly start: () => void } | null>;

/** What a replica looks for slots with. */
export type TickDeps = {
  readonly database: Database;
  /** What takes time, such as to look for accounts, before the slot is locked. Throws UsageError for what cannot be scanned. */
  readonly prepare: (schedule: Schedule) => Promise<BeginSlot>;
  readonly clock: Clock;
};

/**
 * Decides every slot that is due, and begins what waits and may begin now. Any number of replicas may do so at the same time: the
 * row of a schedule is locked by the one that decides, and a slot has one row.
 */
export async function tick(deps: TickDeps): Promise<void> {
  const { database, clock } = deps;
  const now = await clock(database);
  for (const { schedule, decided, waits } of await enabledSchedules(database, now)) {
    try {
      if (!waits && dueSlot(schedule, decided, now) === null) continue;
      const begin = await prepared(deps, schedule);
      const starts = await database.transaction((transaction) => decide(clock, begin, transaction, schedule));
      for (const start of starts) start();
    } catch (error) {
      // The next tick tries again; the other schedules do not wait for it.
      log.error({ schedule_id: schedule.id, error: reasonOf(error) }, "a slot could not be decided");
    }
  }
}

/** A schedule that asks for what cannot be scanned says so when its slot is decided. */
async function prepared({ prepare }: TickDeps, schedule: Schedule): Promise<BeginSlot> {
  try {
    return await prepare(schedule);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return () => Promise.reject(error);
  }
}

async function decide(
  clock: Clock,
  begin: BeginSlot,
  transaction: Database,
  { id, version }: Schedule,
): Promise<(() => void)[]> {
  const [schedule] = await transaction
    .select()
    .from(schedules)
    .where(and(eq(schedules.id, id), eq(schedules.version, version), eq(schedules.enabled, true)))
    .for("update", { skipLocked: true });
  // Another replica decides, or the schedule was changed meanwhile.
  if (!schedule) return [];
  // By now another replica may have decided what was due.
  const now = await clock(transaction);
  const waiting = await waitingSlot(transaction, id);
  const due = dueSlot(schedule, await lastDecided(transaction, id, now), now);
  const started = waiting && (await attempt(begin, transaction, { schedule, ...waiting }));
  if (waiting && started) await settle(transaction, waiting, started);
  const begun = due && (await take(begin, transaction, { schedule, due, now, may_wait: !waiting || started !== null }));
  return [started?.start, begun?.start].filter((start) => start !== undefined);
}

/** What came of trying to begin. */
type Attempt = {
  readonly outcome: SlotOutcome;
  readonly scan_id: string | null;
  readonly error: string | null;
  readonly start?: () => void;
};

async function attempt(begin: BeginSlot, transaction: Database, slot: SlotToBegin): Promise<Attempt | null> {
  try {
    const begun = await begin(transaction, slot);
    return begun && { ...begun, outcome: "started", error: null };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    log.error({ schedule_id: slot.schedule.id, error: error.message }, "a schedule asks for what cannot be scanned");
    return { outcome: "failed", scan_id: null, error: error.message };
  }
}

type Taking = {
  readonly schedule: Schedule;
  readonly due: Due;
  readonly now: Date;
  /** No other slot of the schedule waits. */
  readonly may_wait: boolean;
};

/** Records the slot, unless somebody has, and begins its scan if the schedule's policies let it. */
async function take(begin: BeginSlot, transaction: Database, taking: Taking): Promise<Attempt | null> {
  const { schedule, due, now, may_wait } = taking;
  const { slot, late, caught_up } = due;
  const missed = late && schedule.catch_up === "none";
  const [row] = await transaction
    .insert(schedule_slots)
    .values({
      schedule_id: schedule.id,
      slot,
      outcome: missed ? "skipped_missed" : "skipped_overlap",
      caught_up,
      decided_at: now,
    })
    .onConflictDoNothing()
    .returning();
  if (!row) return null;
  if (missed) return tell(schedule, row);
  const attempted = await attempt(begin, transaction, { schedule, slot, caught_up });
  if (attempted) return await settle(transaction, row, attempted);
  if (schedule.overlap !== "queue" || !may_wait) return tell(schedule, row);
  return await settle(transaction, row, { outcome: "waiting", scan_id: null, error: null });
}

async function settle(transaction: Database, row: SlotRow, attempted: Attempt): Promise<Attempt> {
  const { outcome, scan_id, error } = attempted;
  await transaction
    .update(schedule_slots)
    .set({ outcome, scan_id, error })
    .where(and(eq(schedule_slots.schedule_id, row.schedule_id), eq(schedule_slots.slot, row.slot)));
  return attempted;
}

function tell({ id }: Schedule, { slot, outcome, caught_up }: SlotRow): null {
  log.info({ schedule_id: id, slot, outcome, caught_up }, "a slot was left out");
  return null;
}
