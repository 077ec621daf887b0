import { and, desc, eq, exists, inArray, lte, max, type SQL, sql } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import { keysetPage } from "../../reports/db/keyset.ts";
import type { Page, PageRequest } from "../../reports/page.ts";
import { schedule_slots, schedules, type SlotOutcome } from "../schema.ts";
import type { Schedule } from "./due.ts";

/** What was decided about a slot. */
export type SlotRow = typeof schedule_slots.$inferSelect;

/** What can come of a slot. */
export const SLOT_OUTCOMES = [
  "started",
  "waiting",
  "skipped_overlap",
  "skipped_missed",
  "failed",
] as const satisfies readonly SlotOutcome[];

/**
 * A decision about a slot so far ahead of the database's clock was made while that clock was wrong. It does not keep the schedule
 * silent until then. Milliseconds; more than any clock goes back by daylight saving or by a small correction.
 */
const AHEAD_MS = 86_400_000;

/** The last slot that was decided; null: none yet. */
export async function lastDecided(database: Database, schedule_id: string, now: Date): Promise<Date | null> {
  const [row] = await database
    .select({ slot: max(schedule_slots.slot) })
    .from(schedule_slots)
    .where(and(eq(schedule_slots.schedule_id, schedule_id), isKnown(now)));
  return row?.slot ?? null;
}

/** Enabled schedules by their ids, each with the last slot that was decided and whether one waits. */
export async function enabledSchedules(
  database: Database,
  now: Date,
): Promise<{ schedule: Schedule; decided: Date | null; waits: boolean }[]> {
  const own = eq(schedule_slots.schedule_id, schedules.id);
  const last = database
    .select({ slot: max(schedule_slots.slot).as("slot") })
    .from(schedule_slots)
    .where(and(own, isKnown(now)))
    .as("last");
  const waiting = database
    .select()
    .from(schedule_slots)
    .where(and(own, eq(schedule_slots.outcome, "waiting")));
  return await database
    .select({ schedule: schedules, decided: last.slot, waits: sql<boolean>`${exists(waiting)}` })
    .from(schedules)
    .leftJoinLateral(last, sql`true`)
    .where(eq(schedules.enabled, true))
    .orderBy(schedules.id);
}

function isKnown(now: Date): SQL {
  return lte(schedule_slots.slot, new Date(now.getTime() + AHEAD_MS));
}

/** The latest slot of each of these schedules. */
export async function lastSlots(database: Database, schedule_ids: readonly string[]): Promise<Map<string, SlotRow>> {
  if (schedule_ids.length === 0) return new Map();
  const rows = await database
    .selectDistinctOn([schedule_slots.schedule_id])
    .from(schedule_slots)
    .where(inArray(schedule_slots.schedule_id, [...schedule_ids]))
    .orderBy(schedule_slots.schedule_id, desc(schedule_slots.slot));
  return new Map(rows.map((row) => [row.schedule_id, row]));
}

/** The slot that waits for the scan before it to end, if one does. */
export async function waitingSlot(database: Database, schedule_id: string): Promise<SlotRow | null> {
  const [row] = await database
    .select()
    .from(schedule_slots)
    .where(and(eq(schedule_slots.schedule_id, schedule_id), eq(schedule_slots.outcome, "waiting")));
  return row ?? null;
}

/** Leaves out what waits: its schedule is not to begin anything any more. */
export async function dropWaiting(transaction: Database, schedule_id: string): Promise<void> {
  await transaction
    .update(schedule_slots)
    .set({ outcome: "skipped_overlap" })
    .where(and(eq(schedule_slots.schedule_id, schedule_id), eq(schedule_slots.outcome, "waiting")));
}

/** Decided slots of a schedule, the latest first, also of one that is gone. Throws PageTokenError, RangeError. */
export function slotsPage(
  database: Database,
  schedule_id: string,
  filters: { readonly outcome?: readonly SlotOutcome[] | undefined } = {},
  request: PageRequest = {},
): Promise<Page<SlotRow>> {
  const { outcome } = filters;
  const chosen: SQL | undefined = outcome && inArray(schedule_slots.outcome, [...outcome]);
  return keysetPage<SlotRow>(
    {
      database,
      asked: { list: "schedule_slots", schedule_id, filters },
      request,
      columns: [{ column: schedule_slots.slot, type: "timestamptz" }],
      descending: true,
      where: and(eq(schedule_slots.schedule_id, schedule_id), chosen),
      from: sql`${schedule_slots}`,
    },
    async ({ where, order, limit, sort_values }) =>
      await database
        .select({ item: schedule_slots, sort_values })
        .from(schedule_slots)
        .where(where)
        .orderBy(...order)
        .limit(limit),
  );
}
