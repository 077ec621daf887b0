import { wallAt } from "./zone.ts";

/** Days as they are written, Sunday first as in cron. */
export const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;
type Day = (typeof DAYS)[number];

/** A time of the week in which no repair is begun. */
export type QuietHours = {
  /** Days on which it begins. */
  readonly days: readonly Day[];
  /** `HH:MM` on the wall of the zone. `to` at or before `from`: it ends on the next day. */
  readonly from: string;
  readonly to: string;
  /** Name in the IANA database. */
  readonly time_zone: string;
};

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

/** Why nothing may be begun at an instant, with when that ends; null: it may. The wall clock decides, so a day of 25 hours is as long as it looks. */
export function quietAt(all: readonly QuietHours[], instant: Date): string | null {
  const hours = all.find((one) => isQuiet(one, instant));
  return hours ? `quiet hours: nothing is changed from ${hours.from} to ${hours.to} (${hours.time_zone})` : null;
}

function isQuiet({ days, from, to, time_zone }: QuietHours, instant: Date): boolean {
  const wall = wallAt(time_zone, instant.getTime());
  const today = Math.floor(wall / DAY_MS) * DAY_MS;
  const [begin, end] = [minutesOf(from), minutesOf(to)];
  const length = ((end - begin + 24 * 60 - 1) % (24 * 60)) + 1;
  // Begun today, or yesterday and still going on.
  return [today, today - DAY_MS].some((day) => {
    const start = day + begin * MINUTE_MS;
    const name = DAYS[new Date(day).getUTCDay()];
    return name !== undefined && days.includes(name) && wall >= start && wall < start + length * MINUTE_MS;
  });
}

function minutesOf(text: string): number {
  const [hours = 0, minutes = 0] = text.split(":").map(Number);
  return hours * 60 + minutes;
}
