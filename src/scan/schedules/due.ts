import { createHash } from "node:crypto";
import { nextSlots, slotsIn } from "../../cron/slots.ts";
import type { schedules } from "../schema.ts";

/** A schedule as its row has it. */
export type Schedule = typeof schedules.$inferSelect;

/** A slot that begins so much after its time was missed: no replica looked for it. Replicas look every few seconds. */
const LATE_MS = 5 * 60_000;

/** What is to be decided about a schedule now. */
export type Due = {
  readonly slot: Date;
  /** It was missed itself. */
  readonly late: boolean;
  /** How many missed slots it settles, itself included when it is late. */
  readonly caught_up: number;
};

/** When a slot begins: its instant and a jitter that follows from schedule and slot, so that every replica has the same. */
export function startOf({ id, jitter_seconds }: Pick<Schedule, "id" | "jitter_seconds">, slot: Date): Date {
  const digest = createHash("sha256").update(`${id}\n${slot.toISOString()}`).digest();
  const share = digest.readUInt32BE(0) / 2 ** 32;
  return new Date(slot.getTime() + Math.floor(share * jitter_seconds * 1000));
}

/**
 * The slot to decide at an instant: the latest whose time has come, with those before it that nobody decided folded into it;
 * null: none. `decided`: the last slot that was decided, if any.
 */
export function dueSlot(schedule: Schedule, decided: Date | null, now: Date): Due | null {
  let due = null as Due | null;
  let settled = 0;
  for (const slot of slotsIn(schedule, undecidedSince(schedule, decided), now)) {
    const start = startOf(schedule, slot);
    // Where clocks change two slots may be closer than their jitter: they keep their order.
    if (start > now) break;
    const late = now.getTime() - start.getTime() > LATE_MS;
    due = { slot, late, caught_up: settled + (late ? 1 : 0) };
    settled++;
  }
  return due;
}

/** The next slots that begin after an instant, as things are; none while the schedule is not enabled. */
export function comingSlots(schedule: Schedule, decided: Date | null, now: Date, count: number): Date[] {
  if (!schedule.enabled) return [];
  const since = undecidedSince(schedule, decided).getTime();
  const waiting = now.getTime() - schedule.jitter_seconds * 1000;
  const after = new Date(Math.max(since, waiting - 1));
  return [...nextSlots(schedule, after, count + 1)].filter((slot) => startOf(schedule, slot) > now).slice(0, count);
}

function undecidedSince({ counts_from }: Schedule, decided: Date | null): Date {
  return decided !== null && decided > counts_from ? decided : counts_from;
}
