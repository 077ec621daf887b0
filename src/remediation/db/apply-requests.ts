import { and, eq, isNotNull, isNull, lt, or, sql } from "drizzle-orm";
import { appendAudit } from "../../audit-log/store.ts";
import type { Database } from "../../db/client.ts";
import { LEASE_MS } from "../lease.ts";
import { plans } from "../schema.ts";
import { countActions, type Decided, decideOn, type PlanRow } from "../store.ts";
import { whyPaused } from "./pauses.ts";

/** Who asks for a plan to be applied, and how workers hear of it: in the same transaction. */
export type ApplyRequest = {
  readonly actor: string;
  readonly now: Date;
  readonly enqueue: (transaction: Database, plan_id: string) => Promise<void>;
};

/**
 * Asks that a worker applies an approved plan. Asking twice changes nothing. What is asked for is on the plan's row, so that whatever
 * dies, the plan is applied without a person.
 */
export async function requestApply(
  database: Database,
  id: string,
  { actor, now, enqueue }: ApplyRequest,
): Promise<Decided> {
  return decideOn(database, id, async (transaction, plan): Promise<Decided> => {
    if (plan.state === "proposed") return { outcome: plan.expires_at <= now ? "expired" : "not_approved" };
    // What a run has begun is ended all the same.
    if (plan.expires_at <= now && (await countActions(transaction, id)).intended === 0) return { outcome: "expired" };
    if (plan.approved_hash !== plan.hash) return { outcome: "hash_differs" };
    if ((await whyPaused(transaction)) !== null) return { outcome: "paused" };
    if (plan.apply_requested_at !== null) return { outcome: "done", plan };
    const [row] = await transaction
      .update(plans)
      .set({ apply_requested_at: now, apply_requested_by: actor, stopped: null })
      .where(eq(plans.id, id))
      .returning();
    await enqueue(transaction, id);
    await appendAudit(transaction, { at: now, actor, action: "plan.apply_requested", subject: id, detail: {} });
    return { outcome: "done", plan: row ?? plan };
  });
}

/** By whom and when a plan was asked to be applied; null: nobody asks any longer. */
export async function openRequest(
  database: Database,
  id: string,
): Promise<{ readonly actor: string; readonly asked_at: Date } | null> {
  const columns = { actor: plans.apply_requested_by, asked_at: plans.apply_requested_at };
  const [row] = await database.select(columns).from(plans).where(eq(plans.id, id));
  if (!row || row.actor === null || row.asked_at === null) return null;
  return { actor: row.actor, asked_at: row.asked_at };
}

/** Plans that are asked to be applied and that no living run holds. `alone`: no run of another process can live. */
export async function waitingToApply(database: Database, alone: boolean): Promise<Pick<PlanRow, "id">[]> {
  const stale = lt(plans.heartbeat_at, sql`clock_timestamp() - ${LEASE_MS} * interval '1 millisecond'`);
  return database
    .select({ id: plans.id })
    .from(plans)
    .where(and(isNotNull(plans.apply_requested_at), alone ? undefined : or(isNull(plans.run_id), stale)))
    .orderBy(plans.apply_requested_at);
}

/**
 * Answers the request of that moment with no, in the name of whoever asked: `stopped` says why, and a person may ask again. Does
 * nothing where that was answered meanwhile.
 */
export async function refuseApply(
  database: Database,
  id: string,
  {
    actor,
    asked_at,
    stopped,
    now,
  }: { readonly actor: string; readonly asked_at: Date; readonly stopped: string; readonly now: Date },
): Promise<void> {
  await database.transaction(async (transaction) => {
    const answered = await transaction
      .update(plans)
      .set({ apply_requested_at: null, apply_requested_by: null, stopped })
      .where(and(eq(plans.id, id), eq(plans.apply_requested_at, asked_at)))
      .returning({ id: plans.id });
    if (answered.length === 0) return;
    const detail = { stopped };
    await appendAudit(transaction, { at: now, actor, action: "plan.apply_refused", subject: id, detail });
  });
}
