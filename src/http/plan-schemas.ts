import { z } from "@hono/zod-openapi";
import { personText, reasonText } from "../exemptions/form.ts";
import { RESOURCE_TYPE_NAMES } from "../inventory/resource-types.ts";
import { FINDING_KINDS } from "../policy/verdict.ts";
import { ACTION_STATES, PLAN_STATES } from "../reports/db/plans.ts";
import { exactly } from "./params.ts";
import { accountId, instant, type, whole } from "./schemas.ts";

/** Shapes of plans in requests and answers. */

/** What became of the actions of a plan: `planned` is the sum of the others. */
const Counts = z
  .strictObject({
    planned: whole(),
    verified: whole(),
    unchanged: whole(),
    conflict: whole(),
    failed: whole().openapi({ description: "Those that were begun and have not ended count here" }),
    blocked: whole().openapi({ description: "Those that were not begun count here" }),
    skipped: whole(),
  })
  .openapi("PlanCounts");

export const Plan = z
  .strictObject({
    id: z.uuid(),
    state: z.enum(PLAN_STATES),
    hash: z.string().openapi({ description: "SHA-256, hex, of all its actions: what an approval names" }),
    kind: z.enum(["repair", "undo"]).openapi({ description: "undo: it puts back what another plan wrote" }),
    undoes_plan_id: z.uuid().nullable(),
    mode: z.enum(["plan", "auto"]).openapi({ description: "Who began it: a person, or auto after a scan" }),
    policy_set_id: z.string(),
    scan_id: z.uuid().nullable(),
    created_at: instant(),
    created_by: z.string(),
    expires_at: instant().openapi({ description: "Until then it can be approved, or its approval used" }),
    approved_at: instant().nullable(),
    approved_by: z.string().nullable(),
    approved_note: z.string().nullable(),
    rejected_at: instant().nullable(),
    rejected_by: z.string().nullable(),
    rejected_note: z.string().nullable(),
    apply_requested_at: instant()
      .nullable()
      .openapi({ description: "When a worker was asked to apply it; null: no request waits for its end" }),
    apply_requested_by: z.string().nullable(),
    started_at: instant().nullable(),
    finished_at: instant().nullable(),
    heartbeat_at: instant().nullable().openapi({
      description: "When the run that holds it last showed life: every 2 s, and dead after 10 s; null: no run holds it",
    }),
    stopped: z.string().nullable().openapi({ description: "Why the last run stopped before its end" }),
    counts: Counts,
    remaining: whole().openapi({ description: "Actions that have not ended" }),
  })
  .openapi("Plan");

const value = (description: string) => z.string().nullable().openapi({ description });

export const PlanAction = z
  .strictObject({
    position: whole(),
    account_id: accountId(),
    region: z.string(),
    type: type(),
    arn: z.string(),
    changes: z.array(
      z
        .strictObject({
          key: z.string(),
          before: value("null: the key was not there; *** where its values must not be shown"),
          after: value("null: it is to be removed"),
        })
        .openapi("TagChange"),
    ),
    decided_on: z.record(z.string(), z.string().nullable()).openapi({
      description: "Keys that decided without being changed, with their values; null: absent",
    }),
    origins: z
      .record(
        z.string(),
        z
          .strictObject({
            rules: z.array(z.string()).openapi({ description: "As policy/rule" }),
            from: z.string().openapi({ description: "Where the value comes from, in words" }),
          })
          .openapi("PlanOrigin"),
      )
      .openapi({ description: "Of every changed key" }),
    given: z.array(z.string()).openapi({ description: "Keys whose value a person gave" }),
    reasons: z.array(
      z
        .strictObject({
          finding_id: z.string(),
          policy_id: z.string(),
          rule_id: z.string(),
          key: z.string(),
          kind: z.enum(FINDING_KINDS),
        })
        .openapi("PlanReason"),
    ),
    protected: z.boolean(),
    state: z.enum(ACTION_STATES),
    note: z.string().nullable(),
    attempts: whole(),
    intended_at: instant().nullable(),
    finished_at: instant().nullable(),
  })
  .openapi("PlanAction");

/** A finding for which nothing can be planned. */
const ForPerson = z
  .strictObject({ arn: z.string(), policy_id: z.string(), rule_id: z.string(), key: z.string(), reason: z.string() })
  .openapi("PlanReview");

export const PlanMade = z
  .strictObject({
    plan: Plan.nullable().openapi({ description: "null: there is nothing to do, and nothing was stored" }),
    review: z.array(ForPerson).openapi({ description: "The first hundred findings that need a person" }),
    review_total: whole(),
    idle: z
      .array(z.strictObject({ at: z.string(), arn: z.string(), key: z.string() }))
      .openapi({ description: "Given values for which no open finding asks, or only an exempt one" }),
    warnings: z.array(z.string()),
  })
  .openapi("PlanMade");

const list = (item: z.ZodString, description: string) =>
  z.array(item).min(1).max(1000).optional().openapi({ description });
const arnPattern = z.string().min(1).max(512);

/** What is to be planned. */
export const NewPlan = exactly({
  requested_by: personText,
  rule: list(z.string().regex(/^[^/]+\/[^/]+$/, "has to be policy/rule"), "Rules, as policy/rule"),
  account_id: list(z.string().regex(/^\d{12}$/, "an account id has twelve digits"), "Accounts"),
  region: list(z.string().min(1).max(64), "Regions"),
  type: z.array(z.enum(RESOURCE_TYPE_NAMES)).min(1).optional().openapi({ description: "Resource types" }),
  owner: list(z.string().min(1).max(256), "Owners of resources"),
  scan_id: z.uuid().optional().openapi({ description: "Only what lies in the units of this scan" }),
  arn: list(arnPattern, "Resources; * stands for any characters"),
  values: z
    .array(
      exactly({
        arn: arnPattern.default("*").openapi({ description: "Resources; * stands for any characters" }),
        key: z.string(),
        value: z.string(),
      }),
    )
    .min(1)
    .max(10_000)
    .optional()
    .openapi({ description: "Values that a person gives; with them nothing else is planned" }),
  overwrite: z.boolean().optional().openapi({ description: "A given value may replace a value that is there" }),
}).openapi("NewPlan");

export const PlanApproval = exactly({
  approved_by: personText,
  hash: z.string().openapi({ description: "The hash of the plan that was looked at" }),
  note: reasonText.optional(),
  only: list(arnPattern, "Approve the changes of these resources alone; * stands for any characters"),
  without: list(arnPattern, "Approve all but the changes of these resources"),
}).openapi("PlanApproval");

export const PlanRejection = exactly({ rejected_by: personText, note: reasonText.optional() }).openapi("PlanRejection");

export const PlanApplication = exactly({
  requested_by: personText.describe("Who wants it applied, as told: there is no sign-in"),
}).openapi("PlanApplication");

export const PlanUndo = exactly({
  requested_by: personText.describe("Who wants it undone, as told: there is no sign-in"),
  arn: list(z.string().min(1).max(512), "Only these resources"),
  position: z
    .array(whole())
    .min(1)
    .max(1000)
    .optional()
    .openapi({ description: "Only these actions, by their place in the plan" }),
}).openapi("PlanUndo");

export const UndoMade = z
  .strictObject({
    plan: Plan.nullable().openapi({ description: "null: nothing can be put back, and nothing was stored" }),
    left: z
      .array(
        z
          .strictObject({ arn: z.string(), state: z.enum(["blocked", "skipped"]), note: z.string() })
          .openapi("LeftByUndo"),
      )
      .openapi({ description: "The first hundred resources that stay as they are, with the reason" }),
    left_total: whole(),
  })
  .openapi("UndoMade");
