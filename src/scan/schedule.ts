import { schedule as startTask, type ScheduledTask, validate } from "node-cron";
import { UsageError } from "../config.ts";

/** When a scan of everything configured begins. */
export type Schedule = { readonly id: string; readonly cron: string; readonly time_zone: string };

/** Checks schedules before anything starts. Throws UsageError that names the schedule. */
export function checkSchedules(schedules: readonly Schedule[]): void {
  for (const schedule of schedules) {
    if (!validate(schedule.cron)) {
      throw new UsageError(
        `Schedule ${schedule.id}: ${JSON.stringify(schedule.cron)} is not a cron expression. Five fields: minute hour day month weekday, as in "0 3 * * *".`,
      );
    }
  }
}

/**
 * Starts the clock. At each slot `fire` is asked to begin a scan for it; a slot is the full second that the expression names, the
 * same in every replica. Returns what stops the clock; a scan under way is not touched.
 */
export function startSchedules(
  schedules: readonly Schedule[],
  fire: (schedule: Schedule, slot: Date) => void,
): () => Promise<void> {
  const tasks: ScheduledTask[] = schedules.map((schedule) =>
    startTask(schedule.cron, ({ date }) => fire(schedule, slotOf(date)), {
      timezone: schedule.time_zone,
      name: schedule.id,
    }),
  );
  return async () => {
    for (const task of tasks) await task.destroy();
  };
}

function slotOf(date: Date): Date {
  return new Date(Math.floor(date.getTime() / 1000) * 1000);
}
