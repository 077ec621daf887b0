import { createRoute, z } from "@hono/zod-openapi";
import { findingKey, personText, reasonText } from "../../exemptions/form.ts";
import { endFight } from "../../findings/db/fights.ts";
import type { HttpDeps } from "../deps.ts";
import { exactly } from "../params.ts";
import { ProblemError } from "../problem.ts";
import { apiRouter } from "../router.ts";
import { changeProblems, commonProblems, problem } from "../schemas.ts";

const End = exactly({
  arn: z.string().min(1).max(512).describe("The resource"),
  key: findingKey.describe("The tag key"),
  ended_by: personText.describe("Who ends it, as told: there is no sign-in"),
  reason: reasonText.describe("Why repairs may write to it again"),
}).openapi("FightEndRequest");

const Ended = z.strictObject({ arn: z.string(), key: z.string() }).openapi("FightEnded");

/** Fights over keys: which go on is among the findings, of the policy `tagwarden`; here a person ends one. */
export function fightRoutes({ database, now }: HttpDeps) {
  return apiRouter().openapi(
    createRoute({
      method: "post",
      path: "/fights/end",
      operationId: "endFight",
      tags: ["findings"],
      summary: "End a fight over a key: repairs may write to it again, and reverts are counted anew",
      request: { body: { required: true, content: { "application/json": { schema: End } } } },
      responses: {
        200: { description: "It is ended", content: { "application/json": { schema: Ended } } },
        ...commonProblems,
        ...changeProblems,
        409: problem("There is no fight over this key"),
      },
    }),
    async (c) => {
      const { arn, key, ended_by: actor, reason } = c.req.valid("json");
      if (!(await endFight(database, arn, key, { actor, reason, now: now() })))
        throw new ProblemError("conflict", "There is no fight over this key of this resource, or it has ended.");
      return c.json({ arn, key }, 200);
    },
  );
}
