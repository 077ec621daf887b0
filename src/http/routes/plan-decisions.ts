import { createRoute, z } from "@hono/zod-openapi";
import { chosenOf } from "../../remediation/choice.ts";
import { proposeUndo } from "../../remediation/db/propose-undo.ts";
import { explainRefusal } from "../../remediation/refusal.ts";
import { approvePlan, type Decided, type PlanRefusal, rejectPlan, waitingActions } from "../../remediation/store.ts";
import { planItem } from "../../reports/db/plans.ts";
import type { HttpDeps } from "../deps.ts";
import { publish } from "../params.ts";
import { Plan, PlanApplication, PlanApproval, PlanRejection, PlanUndo, UndoMade } from "../plan-schemas.ts";
import { ProblemError } from "../problem.ts";
import { apiRouter } from "../router.ts";
import { body, changeProblems, commonProblems, json, notFound, problem } from "../schemas.ts";

/** The path of one plan. */
export const PlanId = z.object({
  id: z.uuid("is not the id of a plan").openapi({ param: { name: "id", in: "path" } }),
});

/** How many resources that an undo leaves as they are its answer names. */
const LEFT_SHOWN = 100;
const Location = z.object({ Location: z.string() });
const problems = {
  ...commonProblems,
  ...notFound,
  ...changeProblems,
  409: problem("What the plan is now does not allow that, or its hash is another"),
};

/** What people do with a plan: approve, reject, apply, undo. Who does it is what the request says: there is no sign-in. */
export function planDecisionRoutes(deps: HttpDeps) {
  const { database, plans, now } = deps;
  const { activeSet, approval, requestApply } = plans;
  const life_ms = approval.hours * 3_600_000;
  return apiRouter()
    .openapi(
      createRoute({
        method: "post",
        path: "/plans/{id}/approve",
        operationId: "approvePlan",
        tags: ["plans"],
        summary: "Approve a plan, or a part of it",
        request: { params: PlanId, body: body(PlanApproval) },
        responses: { 200: { description: "As it is now", content: json(Plan) }, ...problems },
      }),
      async (c) => {
        const { id } = c.req.valid("param");
        const { approved_by, hash, note = null, only, without } = c.req.valid("json");
        await foundPlan(deps, id);
        const waiting = (await waitingActions(database, id)).map(({ arn }) => arn);
        const chosen = chosenOf({ only, without }, waiting);
        if ("problems" in chosen) throw new ProblemError("validation-failed", chosen.problems.join(" "));
        const about = chosen.about ? { about: chosen.about } : {};
        const decision = { hash, actor: approved_by, now: now(), life_ms, by: approval.by, note, ...about };
        mustBeDone(id, await approvePlan(database, id, decision));
        return c.json(await foundPlan(deps, id), 200);
      },
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/plans/{id}/reject",
        operationId: "rejectPlan",
        tags: ["plans"],
        summary: "Reject a plan: it is never applied",
        request: { params: PlanId, body: body(PlanRejection) },
        responses: { 200: { description: "As it is now", content: json(Plan) }, ...problems },
      }),
      async (c) => {
        const { id } = c.req.valid("param");
        const { rejected_by, note = null } = c.req.valid("json");
        mustBeDone(id, await rejectPlan(database, id, { actor: rejected_by, now: now(), note }));
        return c.json(await foundPlan(deps, id), 200);
      },
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/plans/{id}/apply",
        operationId: "applyPlan",
        tags: ["plans"],
        summary: "Have an approved plan applied by a worker; look at the plan for how far it is",
        request: { params: PlanId, body: body(PlanApplication) },
        responses: {
          202: { description: "It will be; Location names the plan", headers: Location, content: json(Plan) },
          ...problems,
        },
      }),
      async (c) => {
        const { id } = c.req.valid("param");
        mustBeDone(id, await requestApply(id, c.req.valid("json").requested_by));
        return c.json(await foundPlan(deps, id), 202, { Location: `/api/v1/plans/${id}` });
      },
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/plans/{id}/undo",
        operationId: "undoPlan",
        tags: ["plans"],
        summary: "Plan how to put back what a plan wrote; nothing is written to AWS",
        request: { params: PlanId, body: body(PlanUndo) },
        responses: {
          200: { description: "There is nothing to put back", content: json(UndoMade) },
          201: {
            description: "A plan of its own, that waits for approval; Location names it",
            headers: Location,
            content: json(UndoMade),
          },
          ...problems,
        },
      }),
      async (c) => {
        const made = await undo(c.req.valid("param").id, c.req.valid("json"));
        if (made.plan === null) return c.json(made, 200);
        return c.json(made, 201, { Location: `/api/v1/plans/${made.plan.id}` });
      },
    );

  async function undo(id: string, { requested_by: actor, arn: arns, position: positions }: z.infer<typeof PlanUndo>) {
    const set = await activeSet();
    if (set === null) throw new ProblemError("conflict", "No policies are active.");
    const proposed = await proposeUndo(database, set, id, { arns, positions }, { actor, now: now(), life_ms });
    if (proposed.outcome === "unknown") {
      const what = "arn" in proposed ? proposed.arn : `with position ${proposed.position}`;
      const pointer = "arn" in proposed ? "arn" : "position";
      const detail = `The plan has no action ${"arn" in proposed ? "for " : ""}${what}.`;
      throw new ProblemError("validation-failed", detail, [{ pointer, detail }]);
    }
    if (proposed.outcome !== "proposed") throw refused(id, proposed.outcome);
    const { plan, draft } = proposed;
    const left = [
      ...draft.blocked.map(({ arn, note }) => ({ arn, state: "blocked" as const, note })),
      ...draft.skipped.map(({ arn, note }) => ({ arn, state: "skipped" as const, note })),
    ];
    return {
      plan: plan && (await foundPlan(deps, plan.id)),
      left: left.slice(0, LEFT_SHOWN),
      left_total: left.length,
    };
  }
}

/** A plan as the API shows it. Throws the problem of one that is not there. */
export async function foundPlan({ database, now }: HttpDeps, id: string) {
  const row = await planItem(database, id, now());
  if (row === null) throw refused(id, "not_found");
  return publish(Plan, row);
}

function mustBeDone(id: string, decided: Decided): void {
  if (decided.outcome !== "done") throw refused(id, decided.outcome);
}

function refused(id: string, refusal: PlanRefusal): ProblemError {
  if (refusal === "not_found") return new ProblemError("not-found", "There is no plan with this id.");
  return new ProblemError("conflict", explainRefusal(refusal, id));
}
