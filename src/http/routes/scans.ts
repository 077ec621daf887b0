import { createRoute, z } from "@hono/zod-openapi";
import { RESOURCE_TYPE_NAMES } from "../../inventory/resource-types.ts";
import { scanExists, scanTargetsPage, scanUnitsPage, TARGET_STATES, UNIT_STATES } from "../../reports/db/scan-lists.ts";
import { scan, scansPage } from "../../reports/db/scans.ts";
import type { HttpDeps } from "../deps.ts";
import { IdempotentAnswers } from "../idempotency.ts";
import { appliedFilters, exactly, listOf, pageParameters, publish } from "../params.ts";
import { ProblemError } from "../problem.ts";
import { apiRouter } from "../router.ts";
import { changeProblems, commonProblems, notFound, pageOf, Scan, ScanTarget, ScanUnit } from "../schemas.ts";

const SCAN_STATES = ["queued", "running", "succeeded", "partial", "failed", "cancelled"] as const;
const Id = z.object({ id: z.uuid("is not the id of a scan").openapi({ param: { name: "id", in: "path" } }) });

const Wish = exactly({
  accounts: z
    .array(z.string().regex(/^\d{12}$/, "an account id has twelve digits"))
    .min(1)
    .max(1000)
    .optional(),
  regions: z.array(z.string().min(1).max(64)).min(1).max(100).optional(),
  types: z
    .array(z.enum(RESOURCE_TYPE_NAMES as [string, ...string[]]))
    .min(1)
    .max(13)
    .optional(),
  confirm: z
    .literal("all")
    .optional()
    .openapi({ description: "all: every reading is asked of the service, whatever the index says" }),
}).openapi("ScanRequest");

const Accepted = z
  .strictObject({
    scan_id: z.uuid(),
    deduplicated: z
      .boolean()
      .openapi({ description: "A scan of the same scope waits or runs already: it is that one" }),
  })
  .openapi("ScanAccepted");

/** Scans: to look at, and to ask for. */
export function scanRoutes({ database, requestScan, cancelScan, now }: HttpDeps) {
  const mustExist = async (id: string) => {
    const found = await scan(database, id);
    if (found === null) throw new ProblemError("not-found", "There is no scan with this id.");
    return found;
  };
  const listable = async (id: string) => {
    if (!(await scanExists(database, id))) throw new ProblemError("not-found", "There is no scan with this id.");
  };
  const answers = new IdempotentAnswers<{ scan_id: string; deduplicated: boolean }>(now);
  return apiRouter()
    .openapi(
      createRoute({
        method: "get",
        path: "/scans",
        operationId: "listScans",
        tags: ["scans"],
        summary: "Scans, the newest first",
        request: { query: exactly({ state: listOf(SCAN_STATES, "States"), ...pageParameters }) },
        responses: {
          200: { description: "A page", content: { "application/json": { schema: pageOf(Scan).openapi("ScanPage") } } },
          ...commonProblems,
        },
      }),
      async (c) => {
        const { page_size, page_token, ...filters } = c.req.valid("query");
        const page = await scansPage(database, filters, { page_size, page_token });
        const items = page.items.map((row) => publish(Scan, row));
        return c.json({ ...page, items, applied_filters: appliedFilters(filters) }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/scans",
        operationId: "createScan",
        tags: ["scans"],
        summary: "Ask for a scan",
        request: {
          headers: z.object({
            "idempotency-key": z
              .string()
              .optional()
              .openapi({ description: "Repeated with the same body within 24 h, the first answer comes again" }),
          }),
          body: { required: false, content: { "application/json": { schema: Wish } } },
        },
        responses: {
          202: {
            description: "It waits or runs; Location names it",
            headers: z.object({ Location: z.string() }),
            content: { "application/json": { schema: Accepted } },
          },
          ...commonProblems,
          ...changeProblems,
        },
      }),
      async (c) => {
        const wish = c.req.valid("json");
        const accepted = await answers.once(c.req.valid("header")["idempotency-key"], wish, () =>
          requestScan(wish, "api"),
        );
        const { scan_id, deduplicated } = accepted;
        return c.json({ scan_id, deduplicated }, 202, { Location: `/api/v1/scans/${scan_id}` });
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/scans/{id}",
        operationId: "getScan",
        tags: ["scans"],
        summary: "One scan",
        request: { params: Id },
        responses: {
          200: { description: "The scan", content: { "application/json": { schema: Scan } } },
          ...commonProblems,
          ...notFound,
        },
      }),
      async (c) => {
        return c.json(publish(Scan, await mustExist(c.req.valid("param").id)), 200);
      },
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/scans/{id}/cancel",
        operationId: "cancelScan",
        tags: ["scans"],
        summary: "End a scan before it is done; what it has read stands",
        request: { params: Id },
        responses: {
          202: {
            description: "Whoever works on it stops within seconds; this is the scan as it is now",
            content: { "application/json": { schema: Scan } },
          },
          ...commonProblems,
          ...changeProblems,
          ...notFound,
        },
      }),
      async (c) => {
        const { id } = c.req.valid("param");
        const found = await mustExist(id);
        if (!(await cancelScan(id, "api")))
          throw new ProblemError("conflict", `The scan has ended as ${found.state}: there is nothing to cancel.`);
        return c.json(publish(Scan, (await scan(database, id)) ?? found), 202);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/scans/{id}/units",
        operationId: "listScanUnits",
        tags: ["scans"],
        summary: "The units of a scan: account × region × type, each with how it ended",
        request: { params: Id, query: exactly({ state: listOf(UNIT_STATES, "States"), ...pageParameters }) },
        responses: {
          200: {
            description: "A page, by account, region and type",
            content: { "application/json": { schema: pageOf(ScanUnit).openapi("ScanUnitPage") } },
          },
          ...commonProblems,
          ...notFound,
        },
      }),
      async (c) => {
        const { id } = c.req.valid("param");
        const { page_size, page_token, ...filters } = c.req.valid("query");
        await listable(id);
        const page = await scanUnitsPage(database, id, filters, { page_size, page_token });
        const items = page.items.map((row) => publish(ScanUnit, row));
        return c.json({ ...page, items, applied_filters: appliedFilters(filters) }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/scans/{id}/targets",
        operationId: "listScanTargets",
        tags: ["scans"],
        summary: "The targets of a scan: account × region, each with who works on it",
        request: { params: Id, query: exactly({ state: listOf(TARGET_STATES, "States"), ...pageParameters }) },
        responses: {
          200: {
            description: "A page, by account and region",
            content: { "application/json": { schema: pageOf(ScanTarget).openapi("ScanTargetPage") } },
          },
          ...commonProblems,
          ...notFound,
        },
      }),
      async (c) => {
        const { id } = c.req.valid("param");
        const { page_size, page_token, ...filters } = c.req.valid("query");
        await listable(id);
        const page = await scanTargetsPage(database, id, filters, { page_size, page_token });
        const items = page.items.map((row) => publish(ScanTarget, row));
        return c.json({ ...page, items, applied_filters: appliedFilters(filters) }, 200);
      },
    );
}
