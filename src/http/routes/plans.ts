import { createRoute, z } from "@hono/zod-openapi";
import type { PolicySet } from "../../policy/load.ts";
import { ruleOf } from "../../policy/fix.ts";
import { proposePlan } from "../../remediation/db/propose.ts";
import { maskAction, sensitiveKeys } from "../../remediation/mask.ts";
import { templateWarnings } from "../../remediation/template-keys.ts";
import { loadPlan } from "../../remediation/store.ts";
import { exportPlan, PLAN_CONTENT_TYPES, PLAN_FORMATS } from "../../reports/plan-export.ts";
import { ACTION_STATES, PLAN_STATES, planActionsPage, plansPage } from "../../reports/db/plans.ts";
import type { HttpDeps } from "../deps.ts";
import { IdempotentAnswers } from "../idempotency.ts";
import { appliedFilters, exactly, listOf, pageParameters, publish } from "../params.ts";
import { NewPlan, Plan, PlanAction, PlanMade } from "../plan-schemas.ts";
import { ProblemError } from "../problem.ts";
import { apiRouter } from "../router.ts";
import { body, changeProblems, commonProblems, json, notFound, pageOf } from "../schemas.ts";
import { foundPlan, PlanId } from "./plan-decisions.ts";

const REVIEW_SHOWN = 100;

/** Plans: to look at and to make. Who does it is what the request says: there is no sign-in. */
export function planRoutes(deps: HttpDeps) {
  const { database, plans, now } = deps;
  const { activeSet, approval } = plans;
  const answers = new IdempotentAnswers<Awaited<ReturnType<typeof make>>>(now);
  const life_ms = approval.hours * 3_600_000;
  return apiRouter()
    .openapi(
      createRoute({
        method: "get",
        path: "/plans",
        operationId: "listPlans",
        tags: ["plans"],
        summary: "Plans, the newest first",
        request: { query: exactly({ state: listOf(PLAN_STATES, "States"), ...pageParameters }) },
        responses: {
          200: { description: "A page", content: json(pageOf(Plan).openapi("PlanPage")) },
          ...commonProblems,
        },
      }),
      async (c) => {
        const { page_size, page_token, ...filters } = c.req.valid("query");
        const page = await plansPage(database, filters, { page_size, page_token }, now());
        const items = page.items.map((row) => publish(Plan, row));
        return c.json({ ...page, items, applied_filters: appliedFilters(filters) }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/plans",
        operationId: "createPlan",
        tags: ["plans"],
        summary: "Plan repairs of open findings; nothing is written to AWS",
        request: {
          headers: z.object({
            "idempotency-key": z
              .string()
              .optional()
              .openapi({ description: "Repeated with the same body within 24 h, the first answer comes again" }),
          }),
          body: body(NewPlan),
        },
        responses: {
          200: { description: "There is nothing to do", content: json(PlanMade) },
          201: {
            description: "It waits for approval; Location names it",
            headers: z.object({ Location: z.string() }),
            content: json(PlanMade),
          },
          ...commonProblems,
          ...changeProblems,
        },
      }),
      async (c) => {
        const wish = c.req.valid("json");
        const made = await answers.once(c.req.valid("header")["idempotency-key"], wish, () => make(wish));
        if (made.plan === null) return c.json(made, 200);
        return c.json(made, 201, { Location: `/api/v1/plans/${made.plan.id}` });
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/plans/{id}",
        operationId: "getPlan",
        tags: ["plans"],
        summary: "One plan",
        request: { params: PlanId },
        responses: { 200: { description: "The plan", content: json(Plan) }, ...commonProblems, ...notFound },
      }),
      async (c) => c.json(await foundPlan(deps, c.req.valid("param").id), 200),
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/plans/{id}/actions",
        operationId: "listPlanActions",
        tags: ["plans"],
        summary: "What a plan changes, a resource each, and what became of it",
        request: { params: PlanId, query: exactly({ state: listOf(ACTION_STATES, "States"), ...pageParameters }) },
        responses: {
          200: { description: "A page", content: json(pageOf(PlanAction).openapi("PlanActionPage")) },
          ...commonProblems,
          ...notFound,
        },
      }),
      async (c) => {
        const { id } = c.req.valid("param");
        await foundPlan(deps, id);
        const { page_size, page_token, ...filters } = c.req.valid("query");
        const page = await planActionsPage(database, id, filters, { page_size, page_token });
        const isSensitive = masking(await activeSet());
        const items = page.items.map((row) => publish(PlanAction, maskAction(row, isSensitive)));
        return c.json({ ...page, items, applied_filters: appliedFilters(filters) }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/plans/{id}/export",
        operationId: "getPlanExport",
        tags: ["plans"],
        summary: "The whole of a plan, to keep or to read",
        request: { params: PlanId, query: exactly({ format: z.enum(PLAN_FORMATS).default("json") }) },
        responses: {
          200: {
            description: "As tagwarden plans show prints it",
            content: Object.fromEntries(
              Object.values(PLAN_CONTENT_TYPES).map((type) => [type, { schema: z.string() }] as const),
            ),
          },
          ...commonProblems,
          ...notFound,
        },
      }),
      async (c) => {
        const { id } = c.req.valid("param");
        const { format } = c.req.valid("query");
        const loaded = await loadPlan(database, id);
        if (loaded === null) throw new ProblemError("not-found", "There is no plan with this id.");
        const text = exportPlan(loaded, format, masking(await activeSet()), now());
        return c.body(text, 200, { "Content-Type": `${PLAN_CONTENT_TYPES[format]}; charset=utf-8` });
      },
    );

  async function make(wish: z.infer<typeof NewPlan>) {
    const set = await activeSet();
    if (set === null) throw new ProblemError("conflict", "No policies are active yet: a scan activates the first.");
    const { requested_by: actor, rule, account_id, region, type, owner, arn, scan_id, values, overwrite } = wish;
    const proposed = await proposePlan(
      database,
      set,
      {
        rules: rule?.map((name, index) => ruleNamed(set, name, `rule/${index}`)),
        accounts: account_id,
        regions: region,
        types: type,
        owners: owner,
        scan_id,
        arns: arn,
        values: values?.map((one, index) => ({ at: `values/${index}`, ...one })),
        overwrite,
      },
      { actor, now: now(), life_ms },
    );
    if (proposed.outcome === "refused") throw refused(proposed.problems);
    const { plan, draft, idle } = proposed;
    return {
      plan: plan && (await foundPlan(deps, plan.id)),
      review: draft.review
        .slice(0, REVIEW_SHOWN)
        .map(({ arn: of, policy_id, rule_id, key, reason }) => ({ arn: of, policy_id, rule_id, key, reason })),
      review_total: draft.review.length,
      idle: idle.map(({ at, arn: of, key }) => ({ at, arn: of, key })),
      warnings: templateWarnings(draft.actions),
    };
  }
}

/** Without active policies nothing says what may be shown. */
function masking(set: PolicySet | null): (key: string) => boolean {
  return set === null ? () => true : sensitiveKeys(set);
}

function ruleNamed(set: PolicySet, name: string, pointer: string): { policy_id: string; rule_id: string } {
  const [policy_id = "", rule_id = ""] = name.split("/");
  if (ruleOf(set, policy_id, rule_id)) return { policy_id, rule_id };
  const detail = `The active policies have no rule ${JSON.stringify(name)}.`;
  throw new ProblemError("validation-failed", detail, [{ pointer, detail }]);
}

/** Each problem says where it is: `values/3: …`. */
function refused(problems: readonly string[]): ProblemError {
  const items = problems.map((text) => {
    const end = text.indexOf(": ");
    return { pointer: text.slice(0, end).replace("--", ""), detail: text.slice(end + 2) };
  });
  return new ProblemError("validation-failed", `${problems.length} values or filters cannot be used.`, items);
}
