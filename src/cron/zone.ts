/** Instants and times of the wall clock are milliseconds; a wall time is written as if the zone were UTC. */

const DAY_MS = 86_400_000;
/** How far from a wall time its offsets are looked at: beyond any offset and gap, and no zone has two changes within four days. */
const APART_MS = 2 * DAY_MS;

const formats = new Map<string, Intl.DateTimeFormat>();

/** Whether this is the name of a time zone in the IANA database. */
export function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

/** What a clock on the wall of a zone shows at an instant. */
export function wallAt(time_zone: string, instant: number): number {
  const part: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
  for (const { type, value } of formatOf(time_zone).formatToParts(instant)) part[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
  return Date.UTC(year, month - 1, day, hour, minute, second) + (((instant % 1000) + 1000) % 1000);
}

/** When a clock on the wall of a zone shows a time: usually once; twice where clocks go back over it; never where they go forward over it. */
export type Showings = {
  /** Rising. */
  readonly instants: readonly number[];
  /** The first instant after the gap in which the time lies; null: it is shown. */
  readonly gap_end: number | null;
};

/** A function that says when the zone's clock shows a time. It remembers days on which nothing changes. */
export function showingsIn(time_zone: string): (wall: number) => Showings {
  const offset = (instant: number) => wallAt(time_zone, instant) - instant;
  const days = new Map<number, { before: number; after: number }>();
  const around = (wall: number) => {
    const day = Math.floor(wall / DAY_MS);
    const known = days.get(day);
    if (known) return known;
    const found = { before: offset(day * DAY_MS - APART_MS), after: offset((day + 1) * DAY_MS + APART_MS) };
    days.set(day, found);
    return found;
  };
  return (wall) => {
    const { before, after } = around(wall);
    if (before === after) return { instants: [wall - before], gap_end: null };
    const instants = [wall - before, wall - after].filter((instant) => instant + offset(instant) === wall);
    if (instants.length > 0) return { instants: instants.toSorted((a, b) => a - b), gap_end: null };
    return { instants, gap_end: firstWhere((instant) => offset(instant) !== before, wall - after, wall - before) };
  };
}

/** The first instant of (low, high] for which something holds that does not hold before; it holds at `high`. */
function firstWhere(holds: (instant: number) => boolean, low: number, high: number): number {
  let [no, yes] = [low, high];
  while (yes - no > 1) {
    const middle = Math.floor((no + yes) / 2);
    if (holds(middle)) yes = middle;
    else no = middle;
  }
  return yes;
}

function formatOf(time_zone: string): Intl.DateTimeFormat {
  const known = formats.get(time_zone);
  if (known) return known;
  const made = new Intl.DateTimeFormat("en-US", {
    timeZone: time_zone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  formats.set(time_zone, made);
  return made;
}
