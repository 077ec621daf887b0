import { createRoute, z } from "@hono/zod-openapi";
import { trend } from "../../reports/db/trend.ts";
import { addDays, periodsBetween, type TrendBy, type TrendInterval } from "../../reports/trend.ts";
import type { HttpDeps } from "../deps.ts";
import { accounts } from "../filters.ts";
import { appliedFilters, exactly, publish } from "../params.ts";
import { ProblemError } from "../problem.ts";
import { apiRouter } from "../router.ts";
import { commonProblems, whole } from "../schemas.ts";

const INTERVALS = ["day", "week", "month"] as const satisfies readonly TrendInterval[];
const BREAKDOWNS = ["account_id", "rule", "owner"] as const satisfies readonly TrendBy[];
/** Days that are looked at when nothing else is said, today included. */
const USUAL_DAYS = 90;
const MOST_PERIODS = 400;

const day = (description: string) =>
  z.iso.date("has to be a day, as in 2026-03-01").optional().openapi({ description });

const TrendQuery = exactly({
  by: z.enum(BREAKDOWNS).optional().openapi({ description: "Left out: everything in one line" }),
  interval: z.enum(INTERVALS).optional().openapi({ description: "day, the default; a week begins on Monday" }),
  from: day("First day, UTC; moved to the beginning of its period. Without it: 90 days before `to`"),
  to: day("Last day, UTC, which counts as it is so far. Without it: today"),
  account_id: accounts,
});

const Point = z
  .strictObject({
    period: z.iso.date().openapi({ description: "First day, UTC" }),
    group: z
      .string()
      .nullable()
      .openapi({ description: "A rule as policy/rule; null: all, or nobody was named as owner" }),
    compliant: whole().nullable(),
    violating: whole().nullable().openapi({ description: "Resources with an open finding, exempt or not" }),
    unknown: whole().nullable(),
    not_applicable: whole().nullable(),
    ratio: z
      .number()
      .min(0)
      .max(1)
      .nullable()
      .openapi({ description: "compliant ÷ (compliant + violating), rounded down; null: nothing was judged" }),
    open_findings: whole().openapi({ description: "At the end of the period, exempt or not" }),
    opened: whole(),
    reopened: whole(),
    resolved: whole(),
  })
  .openapi("TrendPoint", {
    description:
      "Resources and open findings as they were at the end of a period, and what happened to findings in it. By rule and owner only findings are known",
  });

const Trend = z
  .strictObject({
    by: z.enum(BREAKDOWNS).nullable(),
    interval: z.enum(INTERVALS),
    from: z.iso.date(),
    to: z.iso.date(),
    groups: whole().openapi({
      description: "How many there are; the items have the 20 with most open findings at the end",
    }),
    items: z.array(Point).openapi({ description: "Group by group, the oldest first; none from before the first scan" }),
    applied_filters: z.record(z.string(), z.array(z.string())),
  })
  .openapi("Trend");

/** How compliance went. */
export function trendRoutes({ database, now }: HttpDeps) {
  return apiRouter().openapi(
    createRoute({
      method: "get",
      path: "/compliance/trend",
      operationId: "getComplianceTrend",
      tags: ["compliance"],
      summary: "How compliance and findings went, by day, week or month, whatever is exempt",
      request: { query: TrendQuery },
      responses: {
        200: { description: "Until now", content: { "application/json": { schema: Trend } } },
        ...commonProblems,
      },
    }),
    async (c) => {
      const { by, interval = "day", account_id, ...days } = c.req.valid("query");
      const to = days.to ?? now().toISOString().slice(0, 10);
      const from = days.from ?? addDays(to, 1 - USUAL_DAYS);
      if (from > to) throw refused("from", `${from} is after ${to}.`);
      const periods = periodsBetween(from, to, interval);
      if (periods.length > MOST_PERIODS)
        throw refused(
          "interval",
          `${periods.length} periods are too many: at most ${MOST_PERIODS}. Take a longer interval.`,
        );
      const { rows, groups } = await trend(database, { by, interval, from, to, account_id });
      const items = rows.map((row) => publish(Point, row));
      const applied_filters = appliedFilters({ account_id });
      return c.json({ by: by ?? null, interval, from: periods[0] ?? from, to, groups, items, applied_filters }, 200);
    },
  );
}

function refused(pointer: string, detail: string): ProblemError {
  return new ProblemError("validation-failed", `${pointer}: ${detail}`, [{ pointer, detail }]);
}
