import { CronExpressionParser } from "cron-parser";

/** Which times of the wall clock an expression names. */
export type CronTimes = {
  /** Minutes after midnight, rising, the same on every day that matches. */
  readonly minutes_of_day: readonly number[];
  /** 1 to 12. */
  readonly months: ReadonlySet<number>;
  /** 1 to 31. */
  readonly days: ReadonlySet<number>;
  /** 0, Sunday, to 6. */
  readonly weekdays: ReadonlySet<number>;
  /** One of the two fields of days begins with `*`: a day has to match both. Else either is enough. crontab(5). */
  readonly both_days: boolean;
  /** The minute or the hour begins with `*`: it is about every such time, not about certain ones of a day. cron(8). */
  readonly wildcard: boolean;
};

/** A text that is no cron expression; the message says which field is wrong and what it may be. */
export class CronError extends Error {
  override name = "CronError";
}

const FIELDS = [
  { name: "minute", values: "0 to 59" },
  { name: "hour", values: "0 to 23" },
  { name: "day of the month", values: "1 to 31" },
  { name: "month", values: "1 to 12, or JAN to DEC" },
  { name: "day of the week", values: "0 to 7, where 0 and 7 are Sunday, or SUN to SAT" },
] as const;

/** What crontab(5) knows: `*`, values and ranges, steps over the first and the last of these, and lists of all that. */
const ITEM = /^(\*(\/\d+)?|(\d+|[a-z]{3})|(\d+|[a-z]{3})-(\d+|[a-z]{3})(\/\d+)?)$/i;

/** Reads the five fields of a cron expression. Throws CronError. */
export function parseCron(text: string): CronTimes {
  const fields = text.trim().split(/\s+/);
  if (fields.length !== FIELDS.length || text.trim() === "") {
    throw new CronError(
      'A cron expression has five fields: minute, hour, day of the month, month and day of the week, as in "30 2 * * *".',
    );
  }
  for (const [position, field] of fields.entries()) checkField(field, position);
  // What was checked field by field is read without the parser's own check of days by month, which refuses `0 0 30 2 1`.
  const { minute, hour, dayOfMonth, month, dayOfWeek } = read(fields);
  const [minutes = "", hours = "", days = "", , weekdays = ""] = fields;
  return {
    minutes_of_day: numbers(hour).flatMap((h) => numbers(minute).map((m) => 60 * h + m)),
    months: new Set(numbers(month)),
    days: new Set(numbers(dayOfMonth)),
    weekdays: new Set(numbers(dayOfWeek).map((day) => day % 7)),
    both_days: days.startsWith("*") || weekdays.startsWith("*"),
    wildcard: minutes.startsWith("*") || hours.startsWith("*"),
  };
}

function checkField(field: string, position: number): void {
  const { name, values } = FIELDS[position] ?? FIELDS[0];
  const alone = FIELDS.map((_, i) => (i === position ? field : "*"));
  try {
    if (!field.split(",").every((item) => ITEM.test(item))) throw new Error("not of these forms");
    read(alone);
  } catch {
    throw new CronError(
      `The ${name}, ${JSON.stringify(field)}, is none: ${values}; * for all, lists (1,2), ranges (1-5) and steps (*/2, 1-5/2).`,
    );
  }
}

/** Each field by itself, so that no check over several of them takes part. */
function read(fields: readonly string[]) {
  const field = (position: number) =>
    CronExpressionParser.parse(FIELDS.map((_, i) => (i === position ? (fields[i] ?? "*") : "*")).join(" ")).fields;
  return {
    minute: field(0).minute,
    hour: field(1).hour,
    dayOfMonth: field(2).dayOfMonth,
    month: field(3).month,
    dayOfWeek: field(4).dayOfWeek,
  };
}

/** Rising. `L`, which the parser may also give, is not among what is let in. */
function numbers({ values }: { readonly values: readonly (number | string)[] }): number[] {
  return [...new Set(values.map(Number))].toSorted((a, b) => a - b);
}
