import { createRoute, z } from "@hono/zod-openapi";
import { finding, findingHistory, findingsPage } from "../../reports/store.ts";
import type { HttpDeps } from "../deps.ts";
import { FindingsQuery } from "../filters.ts";
import { appliedFilters, publish } from "../params.ts";
import { ProblemError } from "../problem.ts";
import { apiRouter } from "../router.ts";
import { commonProblems, Finding, FindingEvent, notFound, pageOf } from "../schemas.ts";

const Id = z.object({
  id: z
    .string()
    .regex(/^[0-9a-f]{64}$/, "is not the id of a finding: 64 hexadecimal digits")
    .openapi({ param: { name: "id", in: "path" } }),
});

/** Findings: a list, one, and what happened to it. */
export function findingRoutes({ database }: HttpDeps) {
  return apiRouter()
    .openapi(
      createRoute({
        method: "get",
        path: "/findings",
        operationId: "listFindings",
        tags: ["findings"],
        summary: "Findings, by default open and not exempt, the most severe first",
        request: { query: FindingsQuery },
        responses: {
          200: {
            description: "A page",
            content: { "application/json": { schema: pageOf(Finding).openapi("FindingPage") } },
          },
          ...commonProblems,
        },
      }),
      async (c) => {
        const { page_size, page_token, sort, ...filters } = c.req.valid("query");
        const page = await findingsPage(database, filters, { page_size, page_token, sort });
        const effective_status = filters.effective_status ?? (filters.state === undefined ? "open" : undefined);
        const applied_filters = appliedFilters({ ...filters, effective_status });
        return c.json({ ...page, items: page.items.map((row) => publish(Finding, row)), applied_filters }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/findings/{id}",
        operationId: "getFinding",
        tags: ["findings"],
        summary: "One finding",
        request: { params: Id },
        responses: {
          200: { description: "The finding", content: { "application/json": { schema: Finding } } },
          ...commonProblems,
          ...notFound,
        },
      }),
      async (c) => c.json(publish(Finding, await found(c.req.valid("param").id)), 200),
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/findings/{id}/events",
        operationId: "listFindingEvents",
        tags: ["findings"],
        summary: "What happened to a finding, the oldest first",
        request: { params: Id },
        responses: {
          200: {
            description: "All of it",
            content: {
              "application/json": { schema: z.strictObject({ items: z.array(FindingEvent) }).openapi("FindingEvents") },
            },
          },
          ...commonProblems,
          ...notFound,
        },
      }),
      async (c) => {
        const { id } = await found(c.req.valid("param").id);
        const items = await findingHistory(database, id);
        return c.json({ items: items.map((row) => publish(FindingEvent, row)) }, 200);
      },
    );

  async function found(id: string) {
    const row = await finding(database, id);
    if (row === null) throw new ProblemError("not-found", "There is no finding with this id.");
    return row;
  }
}
