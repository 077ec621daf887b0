const DAY = /^\d{4}-\d{2}-\d{2}$/;
/** RFC 3339 with an offset or Z; the seconds may have a fraction. */
const INSTANT = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;
const DAY_MS = 86_400_000;

/** What an instant may look like, for messages. */
export const INSTANT_FORMS = "a day such as 2027-03-31, or an instant such as 2027-03-31T18:00:00Z";

/** The instant that a text names as a beginning: of a day, its first in UTC. Null: it names none. */
export function beginOf(text: string): Date | null {
  return DAY.test(text) ? dayOf(text) : instantOf(text);
}

/** The instant that a text names as an end: of a day, the first of the next in UTC, so that the day itself counts. Null: it names none. */
export function endOf(text: string): Date | null {
  const day = DAY.test(text) ? dayOf(text) : null;
  return day ? new Date(day.getTime() + DAY_MS) : instantOf(text);
}

/** JavaScript takes the 30th of February for the 2nd of March. */
function dayOf(text: string): Date | null {
  const day = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text) ? day : null;
}

function instantOf(text: string): Date | null {
  if (!INSTANT.test(text) || dayOf(text.slice(0, 10)) === null) return null;
  const instant = new Date(text);
  return Number.isNaN(instant.getTime()) ? null : instant;
}
