import { and, eq, inArray, isNull, lt, or, sql } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import type { ChangeEvent } from "../inventory/change-event.ts";
import { units } from "../inventory/schema.ts";
import type { Queue } from "./queue.ts";
import { type DeliveryState, event_deliveries } from "./schema.ts";

/** An event as its row has it. */
export type EventDelivery = typeof event_deliveries.$inferSelect;

/** What became of an event that was received. `deduplicated`: the same was received before. */
export type Receipt = {
  readonly accepted: boolean;
  readonly deduplicated: boolean;
  /** Why nothing will be done about it; null: something will, or has been. */
  readonly reason: string | null;
};

/** Deliveries are kept for so long, to know one that comes again: EventBridge tries for a day. */
const KEPT_DAYS = 14;
/** How many old deliveries are deleted at a time. */
const DELETED_AT_ONCE = 1000;
/** A job that has not been taken, or ended, for so long is made again. Milliseconds. */
const REQUEUE_MS = 60_000;
/** For how many deliveries jobs are made again at a time. */
const REQUEUE_MOST = 500;

/** Why nothing is done about an event that tells of a write of our own. */
export const OWN_WRITE = "own write";

const NEVER_IN_SCOPE = "its account, region and type were in no scan so far";

/**
 * Keeps an event and makes a job for its resource, in one short transaction: whoever delivers it waits. What is of an account, region or
 * type that no scan covers is kept as ignored.
 */
export async function receiveEvent(database: Database, queue: Queue, event: ChangeEvent, now: Date): Promise<Receipt> {
  const { id, account_id, region, event_name, event_time, principal, arn, unit } = event;
  const ignored = { state: "ignored", reason: unit === null ? event.reason : NEVER_IN_SCOPE } as const;
  return database.transaction(async (transaction) => {
    const in_scope = unit !== null && (await isInScope(transaction, unit));
    const state: Pick<EventDelivery, "state" | "reason" | "queued_at"> = in_scope
      ? { state: "received", reason: null, queued_at: now }
      : { ...ignored, queued_at: null };
    const [inserted] = await transaction
      .insert(event_deliveries)
      .values({ id, account_id, region, event_name, event_time, principal, arn, received_at: now, ...state })
      .onConflictDoNothing()
      .returning({ id: event_deliveries.id });
    if (!inserted) return { accepted: in_scope, deduplicated: true, reason: state.reason };
    if (in_scope) await queue.enqueueResources(transaction, [arn]);
    return { accepted: in_scope, deduplicated: false, reason: state.reason };
  });
}

async function isInScope(database: Database, unit: NonNullable<ChangeEvent["unit"]>): Promise<boolean> {
  const [row] = await database
    .select({ type: units.type })
    .from(units)
    .where(and(eq(units.account_id, unit.account_id), eq(units.region, unit.region), eq(units.type, unit.type)));
  return row !== undefined;
}

/** Begins with what waits for a resource, and says what that is. Two processes may begin with the same: what they do, they do twice. */
export async function takeDeliveries(database: Database, arn: string): Promise<EventDelivery[]> {
  return database
    .update(event_deliveries)
    .set({ attempts: sql`${event_deliveries.attempts} + 1`, queued_at: sql`clock_timestamp()` })
    .where(and(eq(event_deliveries.arn, arn), eq(event_deliveries.state, "received")))
    .returning();
}

/** Writes how deliveries ended; or, as `received`, why they wait. */
export async function endDeliveries(
  database: Database,
  deliveries: readonly EventDelivery[],
  end: { readonly state: DeliveryState; readonly reason: string | null; readonly handled_at: Date | null },
): Promise<void> {
  if (deliveries.length === 0) return;
  const ids = deliveries.map(({ id }) => id);
  await database
    .update(event_deliveries)
    .set(end)
    .where(and(inArray(event_deliveries.id, ids), eq(event_deliveries.state, "received")));
}

/** Lets deliveries wait for another process as if nobody had begun with them. */
export async function giveBackDeliveries(database: Database, deliveries: readonly EventDelivery[]): Promise<void> {
  await database
    .update(event_deliveries)
    .set({ attempts: sql`${event_deliveries.attempts} - 1`, queued_at: null })
    .where(
      and(
        inArray(
          event_deliveries.id,
          deliveries.map(({ id }) => id),
        ),
        eq(event_deliveries.state, "received"),
      ),
    );
}

/** Makes jobs for resources whose deliveries wait and whose job was lost, or may have been. `all`: whatever they waited. Returns how many. */
export async function requeueDeliveries(database: Database, queue: Queue, all = false): Promise<number> {
  return database.transaction(async (transaction) => {
    const stale = lt(event_deliveries.queued_at, sql`clock_timestamp() - ${REQUEUE_MS} * interval '1 millisecond'`);
    const waiting = transaction
      .select({ id: event_deliveries.id })
      .from(event_deliveries)
      .where(
        and(eq(event_deliveries.state, "received"), all ? undefined : or(isNull(event_deliveries.queued_at), stale)),
      )
      .limit(REQUEUE_MOST)
      .for("update", { skipLocked: true });
    const rows = await transaction
      .update(event_deliveries)
      .set({ queued_at: sql`clock_timestamp()` })
      .where(inArray(event_deliveries.id, waiting))
      .returning({ arn: event_deliveries.arn });
    const arns = [...new Set(rows.flatMap(({ arn }) => arn ?? []))];
    await queue.enqueueResources(transaction, arns);
    return arns.length;
  });
}

/** Deletes what is too old to come again, some at a time. */
export async function deleteOldDeliveries(database: Database, now: Date): Promise<void> {
  const old = database
    .select({ id: event_deliveries.id })
    .from(event_deliveries)
    .where(lt(event_deliveries.received_at, new Date(now.getTime() - KEPT_DAYS * 24 * 3_600_000)))
    .limit(DELETED_AT_ONCE)
    .for("update", { skipLocked: true });
  await database.delete(event_deliveries).where(inArray(event_deliveries.id, old));
}
