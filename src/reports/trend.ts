/** How long a period of a trend is. A week begins on Monday. */
export type TrendInterval = "day" | "week" | "month";

/** What a trend is broken down by; none: everything in one line. */
export type TrendBy = "account_id" | "rule" | "owner";

/** A period, or a group in one: levels as they were at its end, and what happened in it. */
export type TrendRow = {
  /** First day, UTC. */
  period: string;
  /** Account, `policy/rule` or owner; null: not broken down, or no owner was named. */
  group: string | null;
  /** Resources by how they stood; null where it is broken down by rule or owner. */
  compliant: number | null;
  /** With an open finding, exempt or not. */
  violating: number | null;
  unknown: number | null;
  not_applicable: number | null;
  /** compliant ÷ (compliant + violating), rounded down to three decimals; null: nothing was judged. */
  ratio: number | null;
  /** Open findings, exempt or not. */
  open_findings: number;
  opened: number;
  reopened: number;
  resolved: number;
};

/** By how much the numbers of a group changed in a period; `period` null: before the first one. */
export type Move = { period: string | null; group: string | null; open: number } & Numbers;

type Numbers = Record<
  "compliant" | "violating" | "unknown" | "not_applicable" | "opened" | "reopened" | "resolved",
  number
>;

const DAY_MS = 24 * 3_600_000;

/** The first day of the period in which a day lies. */
export function periodOf(day: string, interval: TrendInterval): string {
  if (interval === "month") return `${day.slice(0, 7)}-01`;
  const weekday = (new Date(`${day}T00:00:00Z`).getUTCDay() + 6) % 7;
  return interval === "week" ? addDays(day, -weekday) : day;
}

/** Every period from the one in which `from` lies to the one in which `to` lies, by its first day. */
export function periodsBetween(from: string, to: string, interval: TrendInterval): string[] {
  const periods: string[] = [];
  for (let period = periodOf(from, interval); period <= to; period = nextPeriod(period, interval)) periods.push(period);
  return periods;
}

/** A day so many days later. */
export function addDays(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);
}

function nextPeriod(period: string, interval: TrendInterval): string {
  if (interval === "month") return periodOf(addDays(period, 31), "month");
  return addDays(period, interval === "week" ? 7 : 1);
}

/**
 * Adds up moves to what each group was at the end of each period. A period without a move is as the one before. `resources`:
 * whether the moves know of resources, or only of findings.
 */
export function trendOf(moves: readonly Move[], periods: readonly string[], resources: boolean): TrendRow[] {
  const groups = [...Map.groupBy(moves, ({ group }) => group)];
  const rows = groups.map(([group, some]) => {
    const byPeriod = Map.groupBy(some, ({ period }) => period);
    const level = { compliant: 0, violating: 0, unknown: 0, not_applicable: 0, open: 0 };
    raise(level, byPeriod.get(null) ?? []);
    return periods.map((period): TrendRow => {
      const here = byPeriod.get(period) ?? [];
      raise(level, here);
      const { open, ...counts } = level;
      const sum = (name: "opened" | "reopened" | "resolved") => here.reduce((total, move) => total + move[name], 0);
      return {
        period,
        group,
        ...(resources ? { ...counts, ratio: ratioOf(level) } : UNKNOWN),
        open_findings: open,
        opened: sum("opened"),
        reopened: sum("reopened"),
        resolved: sum("resolved"),
      };
    });
  });
  return rows.flat();
}

const UNKNOWN = { compliant: null, violating: null, unknown: null, not_applicable: null, ratio: null };

type Level = Record<"compliant" | "violating" | "unknown" | "not_applicable" | "open", number>;

function raise(level: Level, moves: readonly Move[]): void {
  for (const move of moves) {
    for (const name of ["compliant", "violating", "unknown", "not_applicable", "open"] as const)
      level[name] += move[name];
  }
}

/** As `reporting.ratio`: rounded down, so that 1 means all. */
function ratioOf({ compliant, violating }: Level): number | null {
  const judged = compliant + violating;
  return judged === 0 ? null : Math.floor((compliant * 1000) / judged) / 1000;
}
