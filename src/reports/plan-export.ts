import { countsOf, NO_ACTIONS } from "../remediation/counts.ts";
import { maskAction } from "../remediation/mask.ts";
import type { ActionCounts, ActionRow, PlanRow } from "../remediation/store.ts";
import type { ShownPlanState } from "./db/plans.ts";
import { planCsv } from "./plan-csv.ts";
import { planScript } from "./plan-script.ts";

/** What a whole plan can be exported as, and the media type of each. */
export const PLAN_CONTENT_TYPES = {
  json: "application/json",
  csv: "text/csv",
  "aws-cli": "text/x-shellscript",
} as const;
export type PlanFormat = keyof typeof PLAN_CONTENT_TYPES;
export const PLAN_FORMATS = Object.keys(PLAN_CONTENT_TYPES) as [PlanFormat, ...PlanFormat[]];

/** A plan with all that approval binds to; the values of sensitive keys are masked. */
export function exportPlan(
  { plan, actions }: { readonly plan: PlanRow; readonly actions: readonly ActionRow[] },
  format: PlanFormat,
  isSensitive: (key: string) => boolean,
  now: Date,
): string {
  if (format === "csv") return planCsv(actions, isSensitive);
  if (format === "aws-cli") return planScript(plan, shownState(plan, now), actions, isSensitive);
  const masked = actions.map((action) => maskAction(action, isSensitive));
  const about = { ...plan, state: shownState(plan, now), ...countsOf(statesOf(actions)) };
  return `${JSON.stringify({ ...about, actions: masked }, null, 2)}\n`;
}

function statesOf(actions: readonly ActionRow[]): ActionCounts {
  const states = { ...NO_ACTIONS };
  for (const { state } of actions) states[state]++;
  return states;
}

/** The state as people see it: a plan that nobody used in time has expired. */
export function shownState({ state, expires_at }: Pick<PlanRow, "state" | "expires_at">, now: Date): ShownPlanState {
  return ["proposed", "approved"].includes(state) && expires_at <= now ? "expired" : state;
}
