import { createRoute, z } from "@hono/zod-openapi";
import { personText, reasonText } from "../../exemptions/form.ts";
import { confirmHeld, rejectHeld } from "../../findings/db/decide-held.ts";
import { heldDecisions, waitingOf } from "../../reports/db/held.ts";
import { scan } from "../../reports/db/scans.ts";
import type { HttpDeps } from "../deps.ts";
import { IdempotentAnswers } from "../idempotency.ts";
import { exactly, publish } from "../params.ts";
import { ProblemError } from "../problem.ts";
import { apiRouter } from "../router.ts";
import { changeProblems, commonProblems, instant, notFound, problem, whole } from "../schemas.ts";

const Id = z.object({ id: z.uuid("is not the id of a scan").openapi({ param: { name: "id", in: "path" } }) });

const Decision = exactly({
  decided_by: personText.describe("Who decides, as told: there is no sign-in"),
  reason: reasonText.optional(),
}).openapi("HeldDecisionRequest");

const HeldDecision = z
  .strictObject({
    scan_id: z.uuid(),
    at: instant(),
    decision: z.enum(["confirmed", "rejected"]),
    actor: z.string(),
    units: whole().openapi({ description: "Units in which something was held" }),
    closures: whole().openapi({ description: "Findings that were closed, or that stay open" }),
    reason: z.string().nullable(),
  })
  .openapi("HeldDecision");

const Held = z
  .strictObject({
    waiting: z
      .strictObject({ units: whole(), closures: whole() })
      .openapi({ description: "What waits for a decision now" }),
    decisions: z.array(HeldDecision).openapi({ description: "What was decided about it, the oldest first" }),
  })
  .openapi("ScanHeld");

const DECISIONS = [
  {
    name: "confirm",
    operationId: "confirmScanHeld",
    summary: "Close what the scan held back",
    decision: "confirmed",
    decide: confirmHeld,
  },
  {
    name: "reject",
    operationId: "rejectScanHeld",
    summary: "Let go of what the scan held back: it stays open, and the next scan that sees the same asks again",
    decision: "rejected",
    decide: rejectHeld,
  },
] as const;

/** What scans held back because it would have closed too much at once: to look at, and to decide about. */
export function heldRoutes({ database, now }: HttpDeps) {
  const answers = new IdempotentAnswers<z.infer<typeof Taken>>(now);
  const router = apiRouter();
  router.openapi(
    createRoute({
      method: "get",
      path: "/scans/{id}/held",
      operationId: "getScanHeld",
      tags: ["scans"],
      summary: "What the scan held back that waits still, and what people decided about it",
      request: { params: Id },
      responses: {
        200: { description: "Now", content: { "application/json": { schema: Held } } },
        ...commonProblems,
        ...notFound,
      },
    }),
    async (c) => {
      const id = await known(c.req.valid("param").id);
      const decisions = (await heldDecisions(database, id)).map((row) => publish(HeldDecision, row));
      return c.json({ waiting: await waitingOf(database, id), decisions }, 200);
    },
  );
  for (const { name, operationId, summary, decision, decide } of DECISIONS) {
    router.openapi(
      createRoute({
        method: "post",
        path: `/scans/{id}/${name}`,
        operationId,
        tags: ["scans"],
        summary,
        request: {
          params: Id,
          headers: z.object({
            "idempotency-key": z
              .string()
              .optional()
              .openapi({ description: "Repeated with the same body within 24 h, the first answer comes again" }),
          }),
          body: { required: true, content: { "application/json": { schema: Decision } } },
        },
        responses: {
          200: { description: "It is done", content: { "application/json": { schema: Taken } } },
          ...commonProblems,
          ...notFound,
          ...changeProblems,
          409: problem("Nothing is held back by this scan"),
        },
      }),
      async (c) => {
        const id = await known(c.req.valid("param").id);
        const { decided_by: actor, reason } = c.req.valid("json");
        const request = [decision, id, c.req.valid("json")];
        const taken = await answers.once(c.req.valid("header")["idempotency-key"], request, async () => {
          const by = { actor, at: now(), ...(reason !== undefined && { reason }) };
          const { units, closures } = await decide(database, id, by);
          if (units === 0) throw nothingHeld();
          return { scan_id: id, decision, units, closures };
        });
        return c.json(taken, 200);
      },
    );
  }
  return router;

  async function known(id: string): Promise<string> {
    if ((await scan(database, id)) === null) throw new ProblemError("not-found", "There is no scan with this id.");
    return id;
  }
}

const Taken = HeldDecision.pick({ scan_id: true, decision: true, units: true, closures: true }).openapi(
  "HeldDecisionTaken",
);

/** The problem of a decision about nothing: somebody decided already, or a later scan holds it now. */
export function nothingHeld(): ProblemError {
  return new ProblemError(
    "conflict",
    "Nothing is held back by this scan: it never held anything, somebody decided already, or a later scan came to a result of its own.",
  );
}
