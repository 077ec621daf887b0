import { type CronTimes, parseCron } from "./expression.ts";
import { showingsIn } from "./zone.ts";

/**
 * Slots: the instants that a cron expression names in a time zone. Where clocks change, what cron(8) of Vixie cron says:
 * an expression about certain times of a day (neither minute nor hour begins with `*`) has each of them once, at the first
 * showing of a time that is shown twice, and right after the gap for a time that is skipped. One with such a `*` is about
 * what the clock shows: every showing counts, and what is not shown does not.
 */

/** When something is to happen. */
export type Timing = { readonly cron: string; readonly time_zone: string };

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
/** A wall time and its instants are closer than this: at most 14 hours of offset, and a gap of a day (Samoa, 2011). */
const MARGIN_MS = 2 * DAY_MS;
/** 29 February is at most eight years away (2096 to 2104). */
const HORIZON_MS = 9 * 366 * DAY_MS;

/** The slots after one instant and up to another, that one included, rising. Throws CronError, RangeError. */
export function slotsIn(timing: Timing, after: Date, until: Date): Date[] {
  const times = parseCron(timing.cron);
  return instantsIn(times, showingsIn(timing.time_zone), after.getTime(), until.getTime());
}

/** The first slots after an instant, at most so many; none when no such day comes. Throws CronError, RangeError. */
export function nextSlots(timing: Timing, after: Date, count: number): Date[] {
  const times = parseCron(timing.cron);
  const showings = showingsIn(timing.time_zone);
  const found: Date[] = [];
  let from = after.getTime();
  const end = from + HORIZON_MS;
  for (let span = DAY_MS; found.length < count && from < end; span *= 2) {
    const until = Math.min(from + span, end);
    found.push(...instantsIn(times, showings, from, until));
    from = until;
  }
  return found.slice(0, count);
}

function instantsIn(times: CronTimes, showings: ReturnType<typeof showingsIn>, after: number, until: number): Date[] {
  const found = new Set<number>();
  const last = Math.floor((until + MARGIN_MS) / DAY_MS) * DAY_MS;
  for (let day = Math.floor((after - MARGIN_MS) / DAY_MS) * DAY_MS; day <= last; day += DAY_MS) {
    if (!isNamed(times, new Date(day))) continue;
    for (const minute of times.minutes_of_day) {
      for (const instant of chosen(times, showings(day + minute * MINUTE_MS))) {
        if (instant > after && instant <= until) found.add(instant);
      }
    }
  }
  return [...found].toSorted((a, b) => a - b).map((instant) => new Date(instant));
}

function chosen({ wildcard }: CronTimes, { instants, gap_end }: ReturnType<ReturnType<typeof showingsIn>>) {
  if (wildcard) return instants;
  return gap_end === null ? instants.slice(0, 1) : [gap_end];
}

/** Whether an expression names a day, given as its midnight in UTC. */
function isNamed({ months, days, weekdays, both_days }: CronTimes, day: Date): boolean {
  if (!months.has(day.getUTCMonth() + 1)) return false;
  const of_month = days.has(day.getUTCDate());
  const of_week = weekdays.has(day.getUTCDay());
  return both_days ? of_month && of_week : of_month || of_week;
}
