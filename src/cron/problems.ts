import { CronError, parseCron } from "./expression.ts";
import { nextSlots, type Timing } from "./slots.ts";
import { isTimeZone } from "./zone.ts";

/** What is wrong with the times of a schedule, and in which field. */
export type TimingProblem = { readonly field: "cron" | "time_zone" | "jitter_seconds"; readonly message: string };

/** From here on slots are looked at to learn how close to each other they are: a leap year that begins on a Monday. */
const SAMPLE_START = new Date("2024-01-01T00:00:00Z");
const SAMPLE_SIZE = 2000;

/** All that is wrong with the times of a schedule; none: nothing. */
export function timingProblems(timing: Timing & { readonly jitter_seconds: number }): TimingProblem[] {
  const problems: TimingProblem[] = [];
  if (!isTimeZone(timing.time_zone)) {
    problems.push({
      field: "time_zone",
      message: `${JSON.stringify(timing.time_zone)} is not a time zone of the IANA database, such as Europe/Berlin`,
    });
  }
  const cron = cronProblem(timing.cron);
  if (cron !== null) return [{ field: "cron", message: cron }, ...problems];
  const shortest = shortestInterval(timing.cron);
  if (shortest !== null && timing.jitter_seconds >= shortest) {
    const message = `a jitter of ${timing.jitter_seconds} s would reach the next slot: two of them can be ${shortest} s apart`;
    problems.push({ field: "jitter_seconds", message });
  }
  return problems;
}

function cronProblem(cron: string): string | null {
  try {
    parseCron(cron);
  } catch (error) {
    if (error instanceof CronError) return error.message;
    throw error;
  }
  const comes = nextSlots({ cron, time_zone: "UTC" }, SAMPLE_START, 1).length > 0;
  return comes ? null : `${JSON.stringify(cron)} never comes: there is no such day in these months`;
}

/** Seconds between the two slots that are closest to each other where no clock changes; null: it comes once in years. */
function shortestInterval(cron: string): number | null {
  const slots = nextSlots({ cron, time_zone: "UTC" }, SAMPLE_START, SAMPLE_SIZE).map((slot) => slot.getTime());
  const between = slots.slice(1).map((slot, i) => (slot - (slots[i] ?? slot)) / 1000);
  return between.length === 0 ? null : Math.min(...between);
}
