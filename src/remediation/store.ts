import { and, asc, desc, eq, gt, inArray, isNull, sql } from "drizzle-orm";
import { appendAudit } from "../audit-log/store.ts";
import type { Database } from "../db/client.ts";
import { uuidv7 } from "../db/uuid.ts";
import { insertRows } from "../findings/db/insert-rows.ts";
import { NO_ACTIONS } from "./counts.ts";
import { type Action, type BlockedAction, type Draft, planHash, type PlanMode } from "./plan.ts";
import { type ActionState, plan_actions, plans } from "./schema.ts";

export type PlanRow = typeof plans.$inferSelect;
export type ActionRow = typeof plan_actions.$inferSelect;

/** How many actions of a plan are in each state. */
export type ActionCounts = Readonly<Record<ActionState, number>>;

const DAY = 24 * 60 * 60 * 1000;
/** A proposal can be approved, and an approval used, so long. */
const PLAN_LIFE_MS = 7 * DAY;

/** What a plan is made of. `skipped`: what an undo has nothing left to do about. */
export type PlanDraft = Pick<Draft, "actions" | "blocked"> & { readonly skipped?: readonly BlockedAction[] };

/**
 * Stores a draft as a frozen plan; null when it has nothing to do. The same changes proposed again by the same person give the same
 * plan, as long as nobody approved or rejected it. Blocked changes are kept in it, so that its counts tell of them.
 */
export async function createPlan(
  database: Database,
  draft: PlanDraft,
  about: {
    mode: PlanMode;
    policy_set_id: string;
    scan_id?: string;
    actor: string;
    now: Date;
    life_ms?: number;
    /** The plan that this one undoes; absent: it repairs. */
    undoes_plan_id?: string;
  },
): Promise<PlanRow | null> {
  if (draft.actions.length === 0) return null;
  const { skipped = [] } = draft;
  const ends = [
    ...draft.blocked.map(({ note }) => ({ state: "blocked", note }) as const),
    ...skipped.map(({ note }) => ({ state: "skipped", note }) as const),
  ];
  const all: Action[] = [...draft.actions, ...draft.blocked, ...skipped];
  const hash = planHash(all);
  const { mode, policy_set_id, scan_id = null, actor, now, life_ms = PLAN_LIFE_MS } = about;
  const { undoes_plan_id = null } = about;
  const kind = undoes_plan_id === null ? "repair" : "undo";
  return database.transaction(async (transaction) => {
    const [known] = await transaction
      .select()
      .from(plans)
      .where(
        and(
          eq(plans.state, "proposed"),
          eq(plans.mode, mode),
          eq(plans.created_by, actor),
          eq(plans.hash, hash),
          eq(plans.policy_set_id, policy_set_id),
          undoes_plan_id === null ? isNull(plans.undoes_plan_id) : eq(plans.undoes_plan_id, undoes_plan_id),
          gt(plans.expires_at, now),
        ),
      )
      .orderBy(desc(plans.id))
      .limit(1);
    if (known) return known;
    const id = uuidv7(now);
    const expires_at = new Date(now.getTime() + life_ms);
    const [row] = await transaction
      .insert(plans)
      .values({
        id,
        state: "proposed",
        hash,
        kind,
        undoes_plan_id,
        mode,
        policy_set_id,
        scan_id,
        created_at: now,
        created_by: actor,
        expires_at,
      })
      .returning();
    if (!row) throw new Error("the database returned no row for a new plan");
    await insertRows(
      transaction,
      plan_actions,
      all.map((action, position): typeof plan_actions.$inferInsert => {
        const end = ends[position - draft.actions.length];
        const { account_id, region, type, arn, decided_on, tags_hash, undoes_position = null, left_out = {} } = action;
        return {
          plan_id: id,
          position,
          account_id,
          region,
          type,
          arn,
          changes: [...action.changes],
          decided_on,
          reads_from: [...action.reads_from],
          origins: { ...action.origins },
          given: [...action.given],
          tags_hash,
          reasons: [...action.reasons],
          protected: action.protected,
          undoes_position,
          left_out: { ...left_out },
          state: end?.state ?? "planned",
          note: end?.note ?? null,
          attempts: 0,
          finished_at: end ? now : null,
        };
      }),
    );
    const counts = { actions: draft.actions.length, blocked: draft.blocked.length, skipped: skipped.length };
    const detail = { hash, kind, undoes_plan_id, mode, policy_set_id, scan_id, ...counts };
    await appendAudit(transaction, { at: now, actor, action: "plan.created", subject: id, detail });
    return row;
  });
}

/** A plan with its actions in order; null when there is none of this id. */
export async function loadPlan(
  database: Database,
  id: string,
): Promise<{ plan: PlanRow; actions: ActionRow[] } | null> {
  if (!isUuid(id)) return null;
  const [plan] = await database.select().from(plans).where(eq(plans.id, id));
  if (!plan) return null;
  const actions = await database
    .select()
    .from(plan_actions)
    .where(eq(plan_actions.plan_id, id))
    .orderBy(asc(plan_actions.position));
  return { plan, actions };
}

/** A plan in a list, with its counts. */
export type PlanSummary = PlanRow & { readonly counts: ActionCounts };

/** Plans, newest first. */
export async function listPlans(database: Database, limit: number): Promise<PlanSummary[]> {
  const rows = await database.select().from(plans).orderBy(desc(plans.created_at), desc(plans.id)).limit(limit);
  const counts = await countActionsOf(
    database,
    rows.map(({ id }) => id),
  );
  return rows.map((row) => ({ ...row, counts: counts.get(row.id) ?? NO_ACTIONS }));
}

/** Counts of one plan's actions by state. */
export async function countActions(database: Database, plan_id: string): Promise<ActionCounts> {
  return (await countActionsOf(database, [plan_id])).get(plan_id) ?? NO_ACTIONS;
}

/** Counts of several plans' actions by state, by plan; one without actions is not there. */
export async function countActionsOf(
  database: Database,
  plan_ids: readonly string[],
): Promise<Map<string, ActionCounts>> {
  if (plan_ids.length === 0) return new Map();
  const rows = await database
    .select({ plan_id: plan_actions.plan_id, state: plan_actions.state, count: sql<number>`count(*)::int` })
    .from(plan_actions)
    .where(inArray(plan_actions.plan_id, [...plan_ids]))
    .groupBy(plan_actions.plan_id, plan_actions.state);
  const counts = new Map<string, ActionCounts>();
  for (const { plan_id, state, count } of rows) {
    counts.set(plan_id, { ...(counts.get(plan_id) ?? NO_ACTIONS), [state]: count });
  }
  return counts;
}

/** Why something cannot be done with a plan. `same_person`: whoever asked for it may not approve it. `already_approved`: it cannot be approved in part any more. `not_asked`: another run answered the request. */
export type PlanRefusal =
  | "not_found"
  | "same_person"
  | "already_approved"
  | "not_approved"
  | "rejected"
  | "expired"
  | "hash_differs"
  | "in_progress"
  | "not_asked"
  | "paused"
  | "already_applied";

/** Outcome of a person's decision about a plan. */
export type Decided = { readonly outcome: "done"; readonly plan: PlanRow } | { readonly outcome: PlanRefusal };

/** Who approves a plan, and how. */
export type Approval = {
  /** Of what the approver looked at. */
  readonly hash: string;
  readonly actor: string;
  readonly now: Date;
  readonly life_ms?: number;
  /** `another`: not who asked for the plan. */
  readonly by?: "anyone" | "another";
  readonly note?: string | null;
  /** Resources that the approval is about; absent: all of the plan. What it is not about is skipped. */
  readonly about?: (arn: string) => boolean;
};

/** Approves a plan as it was seen. Approving twice changes nothing. */
export async function approvePlan(database: Database, id: string, approval: Approval): Promise<Decided> {
  const { hash, actor, now, life_ms = PLAN_LIFE_MS, by = "anyone", note = null, about } = approval;
  return decideOn(database, id, async (transaction, plan) => {
    if (plan.hash !== hash) return { outcome: "hash_differs" };
    if (plan.state !== "applying" && plan.expires_at <= now) return { outcome: "expired" };
    if (plan.state !== "proposed") return about ? { outcome: "already_approved" } : { outcome: "done", plan };
    if (by === "another" && isSamePerson(plan.created_by, actor)) return { outcome: "same_person" };
    const note_left = `left out of the approval by ${actor}`;
    const left_out = about === undefined ? [] : await leaveOut(transaction, id, about, note_left, now);
    const expires_at = new Date(now.getTime() + life_ms);
    const approved = { approved_at: now, approved_by: actor, approved_hash: hash, approved_note: note };
    const set = { state: "approved", ...approved, expires_at } as const;
    const [row] = await transaction.update(plans).set(set).where(eq(plans.id, id)).returning();
    const detail = { hash, expires_at: expires_at.toISOString(), note, left_out };
    await appendAudit(transaction, { at: now, actor, action: "plan.approved", subject: id, detail });
    return { outcome: "done", plan: row ?? plan };
  });
}

/** Rejects a plan that no run has begun: it is never applied. */
export async function rejectPlan(
  database: Database,
  id: string,
  { actor, now, note = null }: { readonly actor: string; readonly now: Date; readonly note?: string | null },
): Promise<Decided> {
  return decideOn(database, id, async (transaction, plan) => {
    if (plan.state === "applying" || plan.started_at !== null) return { outcome: "in_progress" };
    const closed = { apply_requested_at: null, apply_requested_by: null };
    const set = { state: "rejected", rejected_at: now, rejected_by: actor, rejected_note: note, ...closed } as const;
    const [row] = await transaction.update(plans).set(set).where(eq(plans.id, id)).returning();
    const detail = { hash: plan.hash, note };
    await appendAudit(transaction, { at: now, actor, action: "plan.rejected", subject: id, detail });
    return { outcome: "done", plan: row ?? plan };
  });
}

/** Whether two names are those of one person, as far as they tell. */
export function isSamePerson(one: string, other: string): boolean {
  return one.trim().toLowerCase() === other.trim().toLowerCase();
}

/** Ends the waiting actions that an approval is not about, and returns their positions. The hash stays that of the whole. */
async function leaveOut(
  transaction: Database,
  plan_id: string,
  about: (arn: string) => boolean,
  note: string,
  now: Date,
): Promise<number[]> {
  const waiting = await waitingActions(transaction, plan_id);
  const left_out = waiting.filter(({ arn }) => !about(arn)).map(({ position }) => position);
  const positions = JSON.stringify(left_out);
  await transaction
    .update(plan_actions)
    .set({ state: "skipped", note, finished_at: now })
    .where(
      and(
        eq(plan_actions.plan_id, plan_id),
        sql`${plan_actions.position} in (select jsonb_array_elements_text(${positions}::text::jsonb)::integer)`,
      ),
    );
  return left_out;
}

/** The actions of a plan that no run has begun. */
export async function waitingActions(
  database: Database,
  plan_id: string,
): Promise<Pick<ActionRow, "position" | "arn">[]> {
  return database
    .select({ position: plan_actions.position, arn: plan_actions.arn })
    .from(plan_actions)
    .where(and(eq(plan_actions.plan_id, plan_id), eq(plan_actions.state, "planned")))
    .orderBy(asc(plan_actions.position));
}

/** Lets something be decided about a plan under its lock; one that was rejected or applied is beyond that. */
export async function decideOn(
  database: Database,
  id: string,
  decide: (transaction: Database, plan: PlanRow) => Promise<Decided>,
): Promise<Decided> {
  if (!isUuid(id)) return { outcome: "not_found" };
  return database.transaction(async (transaction) => {
    const [plan] = await transaction.select().from(plans).where(eq(plans.id, id)).for("update");
    if (!plan) return { outcome: "not_found" };
    if (plan.state === "rejected") return { outcome: "rejected" };
    if (plan.state === "applied") return { outcome: "already_applied" };
    return decide(transaction, plan);
  });
}

/** The newest automatic plans that a run began, or was about to, and did not end. */
export async function unfinishedAutoPlans(database: Database): Promise<string[]> {
  const rows = await database
    .select({ id: plans.id })
    .from(plans)
    .where(and(eq(plans.mode, "auto"), inArray(plans.state, ["approved", "applying"])))
    .orderBy(asc(plans.id));
  return rows.map(({ id }) => id);
}

/** Whether a text can be an id at all: the database refuses what cannot. */
export function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}
