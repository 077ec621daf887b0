import { and, eq, getTableColumns, inArray, type SQL, sql } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import { countsOf, NO_ACTIONS, type RemediationCounts } from "../../remediation/counts.ts";
import { type ActionState, plan_actions, plans, type PlanState } from "../../remediation/schema.ts";
import { type ActionRow, countActionsOf, type PlanRow } from "../../remediation/store.ts";
import type { Page, PageRequest } from "../page.ts";
import { keysetPage } from "./keyset.ts";

/** States of a plan as people see them: one that nobody used in time has expired. */
export const PLAN_STATES = [
  "proposed",
  "approved",
  "applying",
  "applied",
  "rejected",
  "expired",
] as const satisfies readonly (PlanState | "expired")[];
export type ShownPlanState = (typeof PLAN_STATES)[number];

/** States of an action. */
export const ACTION_STATES = [
  "planned",
  "intended",
  "verified",
  "unchanged",
  "conflict",
  "failed",
  "blocked",
  "skipped",
] as const satisfies readonly ActionState[];

/** A plan in a list. `remaining`: actions that have not ended. */
export type PlanItem = Omit<PlanRow, "state"> & {
  readonly state: ShownPlanState;
  readonly counts: RemediationCounts;
  readonly remaining: number;
};

/** Plans, the newest first. Throws PageTokenError, RangeError. */
export async function plansPage(
  database: Database,
  filters: { readonly state?: readonly ShownPlanState[] | undefined },
  request: PageRequest,
  now: Date,
): Promise<Page<PlanItem>> {
  const state = shownState(now);
  const page = await keysetPage<Shown>(
    {
      database,
      asked: { list: "plans", filters },
      request,
      columns: [{ column: plans.id, type: "uuid" }],
      descending: true,
      where: filters.state && inArray(state, [...filters.state]),
      from: sql`${plans}`,
    },
    async ({ where, order, limit, sort_values }) =>
      await database
        .select({ item: { ...getTableColumns(plans), state }, sort_values })
        .from(plans)
        .where(where)
        .orderBy(...order)
        .limit(limit),
  );
  return { ...page, items: await counted(database, page.items) };
}

/** One plan; null: there is none of this id. */
export async function planItem(database: Database, id: string, now: Date): Promise<PlanItem | null> {
  const columns = { ...getTableColumns(plans), state: shownState(now) };
  const rows = await database.select(columns).from(plans).where(eq(plans.id, id));
  return (await counted(database, rows))[0] ?? null;
}

/** Actions of a plan in their order. Throws PageTokenError, RangeError. */
export function planActionsPage(
  database: Database,
  plan_id: string,
  filters: { readonly state?: readonly ActionState[] | undefined },
  request: PageRequest,
): Promise<Page<ActionRow>> {
  return keysetPage<ActionRow>(
    {
      database,
      asked: { list: "plan_actions", plan_id, filters },
      request,
      columns: [{ column: plan_actions.position, type: "integer" }],
      descending: false,
      where: and(eq(plan_actions.plan_id, plan_id), filters.state && inArray(plan_actions.state, [...filters.state])),
      from: sql`${plan_actions}`,
    },
    async ({ where, order, limit, sort_values }) =>
      await database
        .select({ item: getTableColumns(plan_actions), sort_values })
        .from(plan_actions)
        .where(where)
        .orderBy(...order)
        .limit(limit),
  );
}

type Shown = Omit<PlanRow, "state"> & { state: ShownPlanState };

function shownState(now: Date): SQL<ShownPlanState> {
  return sql<ShownPlanState>`case when ${plans.state} in ('proposed', 'approved') and ${plans.expires_at} <= ${now.toISOString()}::timestamptz then 'expired' else ${plans.state} end`;
}

async function counted(database: Database, rows: readonly Shown[]): Promise<PlanItem[]> {
  const states = await countActionsOf(
    database,
    rows.map(({ id }) => id),
  );
  return rows.map((row) => ({ ...row, ...countsOf(states.get(row.id) ?? NO_ACTIONS) }));
}
