import { createRoute, z } from "@hono/zod-openapi";
import { AUDIT_ACTIONS } from "../../audit-log/entry.ts";
import { auditPage } from "../../reports/db/audit-log.ts";
import type { HttpDeps } from "../deps.ts";
import { appliedFilters, exactly, listOf, listOfText, pageParameters, publish } from "../params.ts";
import { apiRouter } from "../router.ts";
import { commonProblems, instant, pageOf, whole } from "../schemas.ts";

const AuditEntry = z
  .strictObject({
    position: whole().openapi({ description: "1, 2, 3 … without gaps" }),
    at: instant(),
    actor: z.string().openapi({ description: "Who, as told" }),
    action: z.enum(AUDIT_ACTIONS),
    subject: z.string().openapi({ description: "What it was done to: an id or an ARN" }),
    detail: z
      .record(z.string(), z.unknown())
      .openapi({ description: "Keys, counts, hashes, states and reasons; never the value of a tag" }),
    prev_hash: z.string().openapi({ description: "hash of the row before; of the first row 64 zeros" }),
    hash: z.string().openapi({ description: "SHA-256 over all the others" }),
  })
  .openapi("AuditEntry");

/** The audit log: to look at. Nothing changes it but what it tells of. */
export function auditRoutes({ database }: HttpDeps) {
  return apiRouter().openapi(
    createRoute({
      method: "get",
      path: "/audit",
      operationId: "listAuditEntries",
      tags: ["audit"],
      summary: "Who did what, the newest first",
      request: {
        query: exactly({
          actor: listOfText("By these"),
          action: listOf(AUDIT_ACTIONS, "Actions"),
          subject: listOfText("About these: ids or ARNs"),
          ...pageParameters,
        }),
      },
      responses: {
        200: {
          description: "A page",
          content: { "application/json": { schema: pageOf(AuditEntry).openapi("AuditPage") } },
        },
        ...commonProblems,
      },
    }),
    async (c) => {
      const { page_size, page_token, ...filters } = c.req.valid("query");
      const page = await auditPage(database, filters, { page_size, page_token });
      const items = page.items.map((row) => publish(AuditEntry, row));
      return c.json({ ...page, items, applied_filters: appliedFilters(filters) }, 200);
    },
  );
}
