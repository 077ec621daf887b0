import { createRoute, z } from "@hono/zod-openapi";
import { indexChecks } from "../../reports/db/index-checks.ts";
import { basis, breakdown, compliance, units } from "../../reports/store.ts";
import type { HttpDeps } from "../deps.ts";
import { ScopeQuery } from "../filters.ts";
import { appliedFilters, exactly, publish } from "../params.ts";
import { apiRouter } from "../router.ts";
import { BreakdownGroup, commonProblems, Compliance, IncompleteUnit } from "../schemas.ts";

const INCOMPLETE_SHOWN = 100;
const BREAKDOWNS = ["type", "account_id", "region", "key", "rule", "owner"] as const;

const Breakdown = z
  .strictObject({
    by: z.enum(BREAKDOWNS),
    items: z.array(BreakdownGroup),
    applied_filters: z.record(z.string(), z.array(z.string())),
  })
  .openapi("Breakdown");

/** Compliance now: of everything or of a part, and by one dimension. */
export function complianceRoutes({ database }: HttpDeps) {
  return apiRouter()
    .openapi(
      createRoute({
        method: "get",
        path: "/compliance/summary",
        operationId: "getCompliance",
        tags: ["compliance"],
        summary: "The counts, the ratios, and what is missing from them",
        request: { query: ScopeQuery },
        responses: {
          200: { description: "Now", content: { "application/json": { schema: Compliance } } },
          ...commonProblems,
        },
      }),
      async (c) => {
        const scope = c.req.valid("query");
        const [counts, standing, index_checks] = await Promise.all([
          compliance(database, scope),
          basis(database, scope),
          indexChecks(database, scope),
        ]);
        const { policy_set_id, policy_version, newest_listed_at, oldest_listed_at } = standing;
        const missing = counts.units_incomplete + counts.units_never_read > 0 ? await units(database, scope) : [];
        const incomplete = missing
          .filter((unit) => unit.freshness !== "complete")
          .slice(0, INCOMPLETE_SHOWN)
          .map((unit) => publish(IncompleteUnit, unit));
        const as_of = newest_listed_at;
        return c.json(
          publish(Compliance, {
            ...counts,
            as_of,
            oldest_listed_at,
            policy_set_id,
            policy_version,
            index_checks,
            incomplete,
          }),
          200,
        );
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/compliance/breakdown",
        operationId: "getComplianceBreakdown",
        tags: ["compliance"],
        summary: "The same by type, account, region, tag key, rule or owner, the worst first",
        request: { query: exactly({ by: z.enum(BREAKDOWNS), ...ScopeQuery.shape }) },
        responses: {
          200: { description: "Now", content: { "application/json": { schema: Breakdown } } },
          ...commonProblems,
        },
      }),
      async (c) => {
        const { by, ...scope } = c.req.valid("query");
        const items = await breakdown(database, by, scope);
        return c.json(
          { by, items: items.map((row) => publish(BreakdownGroup, row)), applied_filters: appliedFilters(scope) },
          200,
        );
      },
    );
}
