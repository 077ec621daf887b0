import { createRoute, z } from "@hono/zod-openapi";
import type { HttpDeps } from "../deps.ts";
import { apiRouter } from "../router.ts";

/** What the answers about health rest on. */
export type Health = Pick<HttpDeps, "ready">;

const HealthBody = z
  .strictObject({ status: z.enum(["pass", "fail"]), checks: z.record(z.string(), z.string()).optional() })
  .openapi("Health");
const health = (description: string) => ({
  description,
  content: { "application/health+json": { schema: HealthBody } },
});

/** Whether the process lives, and whether it can serve: the second looks at the database, the first never does. */
export function healthRoutes({ ready }: Health) {
  return apiRouter()
    .openapi(
      createRoute({
        method: "get",
        path: "/livez",
        operationId: "getLiveness",
        tags: ["health"],
        summary: "The process lives, whatever the database does",
        responses: { 200: health("It does") },
      }),
      (c) =>
        c.json({ status: "pass" as const }, 200, {
          "Content-Type": "application/health+json",
          "Cache-Control": "no-store",
        }),
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/readyz",
        operationId: "getReadiness",
        tags: ["health"],
        summary: "Requests can be served",
        responses: { 200: health("They can"), 503: health("They cannot; checks says why") },
      }),
      async (c) => {
        const { ok, checks } = await ready();
        const headers = { "Content-Type": "application/health+json", "Cache-Control": "no-store" };
        return c.json(
          { status: ok ? ("pass" as const) : ("fail" as const), checks: { ...checks } },
          ok ? 200 : 503,
          headers,
        );
      },
    );
}
