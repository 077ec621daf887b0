import { createRoute, z } from "@hono/zod-openapi";
import { personText, reasonText } from "../../exemptions/form.ts";
import { currentPause, type Pause, pauseRemediation, resumeRemediation } from "../../remediation/db/pauses.ts";
import type { HttpDeps } from "../deps.ts";
import { exactly, publish } from "../params.ts";
import { apiRouter } from "../router.ts";
import { changeProblems, commonProblems, instant } from "../schemas.ts";

const RemediationPause = z
  .strictObject({
    paused_at: instant(),
    paused_by: z.string().openapi({ description: "Who, as told" }),
    reason: z.string().nullable(),
    resumed_at: instant().nullable().openapi({ description: "null: it is in force" }),
    resumed_by: z.string().nullable(),
  })
  .openapi("RemediationPause");

const Remediation = z
  .strictObject({
    paused: z.boolean().openapi({ description: "true: nothing is written, in any process" }),
    pause: RemediationPause.nullable().openapi({ description: "The pause that is in force" }),
  })
  .openapi("Remediation");

const Switched = z
  .strictObject({
    changed: z.boolean().openapi({ description: "false: it was so before, and nothing was done" }),
    ...Remediation.shape,
  })
  .openapi("RemediationSwitched");

const PauseRequest = exactly({
  paused_by: personText.describe("Who stops repairs, as told: there is no sign-in"),
  reason: reasonText.optional(),
}).openapi("PauseRequest");

const ResumeRequest = exactly({
  resumed_by: personText.describe("Who lets repairs go on, as told: there is no sign-in"),
}).openapi("ResumeRequest");

/** The kill switch: whether repairs may write, and to stop them or let them go on. */
export function remediationRoutes({ database, now }: HttpDeps) {
  return apiRouter()
    .openapi(
      createRoute({
        method: "get",
        path: "/remediation",
        operationId: "getRemediation",
        tags: ["remediation"],
        summary: "Whether repairs are paused, by whom and why",
        responses: {
          200: { description: "Now", content: { "application/json": { schema: Remediation } } },
          ...commonProblems,
        },
      }),
      async (c) => c.json(shown(await currentPause(database)), 200),
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/remediation/pause",
        operationId: "pauseRemediation",
        tags: ["remediation"],
        summary: "Stop all repairs, in every process: what has begun is ended, nothing else begins",
        request: { body: { required: true, content: { "application/json": { schema: PauseRequest } } } },
        responses: {
          200: { description: "They are paused", content: { "application/json": { schema: Switched } } },
          ...commonProblems,
          ...changeProblems,
        },
      }),
      async (c) => {
        const { paused_by: actor, reason = null } = c.req.valid("json");
        const { changed, pause } = await pauseRemediation(database, { actor, reason, now: now() });
        return c.json({ changed, ...shown(pause) }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/remediation/resume",
        operationId: "resumeRemediation",
        tags: ["remediation"],
        summary: "Let repairs go on; plans that were stopped are applied again by whoever wants that",
        request: { body: { required: true, content: { "application/json": { schema: ResumeRequest } } } },
        responses: {
          200: { description: "They may go on", content: { "application/json": { schema: Switched } } },
          ...commonProblems,
          ...changeProblems,
        },
      }),
      async (c) => {
        const { resumed_by: actor } = c.req.valid("json");
        const { changed } = await resumeRemediation(database, { actor, now: now() });
        return c.json({ changed, ...shown(await currentPause(database)) }, 200);
      },
    );
}

function shown(pause: Pause | null) {
  return { paused: pause !== null, pause: pause && publish(RemediationPause, pause) };
}
