import { createRoute, z } from "@hono/zod-openapi";
import { resource, resourcesPage } from "../../reports/store.ts";
import type { HttpDeps } from "../deps.ts";
import { ResourcesQuery } from "../filters.ts";
import { appliedFilters, publish } from "../params.ts";
import { ProblemError } from "../problem.ts";
import { apiRouter } from "../router.ts";
import { commonProblems, Finding, notFound, pageOf, ResourceItem, ResourceWithFindings } from "../schemas.ts";

const Arn = z.object({
  arn: z
    .string()
    .max(256)
    .startsWith("arn:", "is no ARN")
    .openapi({
      param: { name: "arn", in: "path" },
      description: "URL-encoded, slashes as %2F",
      example: "arn:aws:personalize:us-east-1:111122223333:campaign/shop",
    }),
});

/** Resources: the inventory with its compliance, and one with its findings. */
export function resourceRoutes({ database }: HttpDeps) {
  const router = apiRouter()
    .openapi(
      createRoute({
        method: "get",
        path: "/resources",
        operationId: "listResources",
        tags: ["resources"],
        summary: "Live resources with their tags and compliance, by ARN",
        request: { query: ResourcesQuery },
        responses: {
          200: {
            description: "A page",
            content: { "application/json": { schema: pageOf(ResourceItem).openapi("ResourcePage") } },
          },
          ...commonProblems,
        },
      }),
      async (c) => {
        const { page_size, page_token, ...filters } = c.req.valid("query");
        const page = await resourcesPage(database, filters, { page_size, page_token });
        const items = page.items.map((row) => publish(ResourceItem, row));
        return c.json({ ...page, items, applied_filters: appliedFilters(filters) }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/resources/{arn}",
        operationId: "getResource",
        tags: ["resources"],
        summary: "One live resource with all its findings",
        request: { params: Arn },
        responses: {
          200: { description: "The resource", content: { "application/json": { schema: ResourceWithFindings } } },
          ...commonProblems,
          ...notFound,
        },
      }),
      async (c) => c.json(await found(c.req.valid("param").arn), 200),
    );
  // Some proxies decode %2F on the way: the ARN then arrives with its slashes.
  router.get("/resources/:arn{arn:.+}", async (c) => c.json(await found(c.req.param("arn")), 200));
  return router;

  async function found(arn: string) {
    const row = await resource(database, arn);
    if (row === null) throw new ProblemError("not-found", "There is no live resource with this ARN.");
    return { ...publish(ResourceItem, row), findings: row.findings.map((each) => publish(Finding, each)) };
  }
}
