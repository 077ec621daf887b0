import { and, eq, inArray, type SQL, sql } from "drizzle-orm";
import type { AuditEntry } from "../../audit-log/entry.ts";
import { appendAudit } from "../../audit-log/store.ts";
import { type TimingProblem, timingProblems } from "../../cron/problems.ts";
import type { Database } from "../../db/client.ts";
import type { ResourceType } from "../../inventory/resource-types.ts";
import { keysetPage } from "../../reports/db/keyset.ts";
import type { Page, PageRequest } from "../../reports/page.ts";
import { type CatchUp, type Overlap, type ScheduleOrigin, schedules, type SlotOutcome } from "../schema.ts";
import { databaseClock } from "./clock.ts";
import { comingSlots, type Schedule, startOf } from "./due.ts";
import { dropWaiting, lastDecided, lastSlots } from "./slots.ts";

/** What a person says about a schedule. */
export type ScheduleTerms = {
  readonly cron: string;
  readonly time_zone: string;
  readonly jitter_seconds: number;
  readonly catch_up: CatchUp;
  readonly overlap: Overlap;
  readonly enabled: boolean;
  /** null: every one that is configured. */
  readonly accounts: readonly string[] | null;
  readonly regions: readonly string[] | null;
  readonly types: readonly ResourceType[] | null;
};

/** What came of a wish to change something. */
export type ScheduleDecided = { readonly outcome: "done"; readonly schedule: Schedule } | ScheduleRefusal;

/** Why nothing was changed. */
export type ScheduleRefusal =
  | { readonly outcome: "not_found" }
  /** There is one with this id. */
  | { readonly outcome: "exists" }
  /** Only the configuration file can change it. */
  | { readonly outcome: "of_config" }
  /** It has this version now, and not the one that was looked at. */
  | { readonly outcome: "stale"; readonly version: number }
  | { readonly outcome: "invalid"; readonly problems: readonly TimingProblem[] };

/** A schedule with what was last decided and what comes next. */
export type ScheduleItem = Schedule & {
  /** Instant of the next slot; null: it is not enabled. */
  readonly next_slot: Date | null;
  /** When that begins: with its jitter. */
  readonly next_starts_at: Date | null;
  readonly last_slot: Date | null;
  readonly last_outcome: SlotOutcome | null;
  readonly last_scan_id: string | null;
};

/** Makes a schedule that no file says. Slots from now on count. */
export async function createSchedule(
  database: Database,
  id: string,
  terms: ScheduleTerms,
  actor: string,
): Promise<ScheduleDecided> {
  const problems = timingProblems(terms);
  if (problems.length > 0) return { outcome: "invalid", problems };
  return database.transaction(async (transaction): Promise<ScheduleDecided> => {
    const [schedule] = await transaction
      .insert(schedules)
      .values(newRow(id, "api", terms, actor, await databaseClock(transaction)))
      .onConflictDoNothing()
      .returning();
    if (!schedule) return { outcome: "exists" };
    await appendAudit(transaction, scheduleEntry("created", schedule, actor, schedule.created_at));
    return { outcome: "done", schedule };
  });
}

/** Changes a schedule that no file says; what is absent stays. `version`: the one that was looked at. */
export function changeSchedule(
  database: Database,
  id: string,
  change: Partial<ScheduleTerms>,
  about: { readonly version: number; readonly actor: string },
): Promise<ScheduleDecided> {
  return database.transaction(async (transaction): Promise<ScheduleDecided> => {
    const [row] = await transaction.select().from(schedules).where(eq(schedules.id, id)).for("update");
    if (!row) return { outcome: "not_found" };
    if (row.origin === "config") return { outcome: "of_config" };
    if (row.version !== about.version) return { outcome: "stale", version: row.version };
    const terms = { ...row, ...change };
    const problems = timingProblems(terms);
    if (problems.length > 0) return { outcome: "invalid", problems };
    const schedule = await rewrite(transaction, row, terms, about.actor, await databaseClock(transaction));
    await appendAudit(transaction, scheduleEntry("changed", schedule, about.actor, schedule.updated_at));
    return { outcome: "done", schedule };
  });
}

/** Removes a schedule that no file says; its slots stay, and a scan of it goes on. */
export function removeSchedule(database: Database, id: string, actor: string): Promise<ScheduleDecided> {
  return database.transaction(async (transaction): Promise<ScheduleDecided> => {
    const [schedule] = await transaction.select().from(schedules).where(eq(schedules.id, id)).for("update");
    if (!schedule) return { outcome: "not_found" };
    if (schedule.origin === "config") return { outcome: "of_config" };
    await remove(transaction, id);
    await appendAudit(transaction, scheduleEntry("deleted", schedule, actor, await databaseClock(transaction)));
    return { outcome: "done", schedule };
  });
}

/** What the audit log is told of a schedule, as it is after the change, or was before it was deleted. */
export function scheduleEntry(
  what: "created" | "changed" | "deleted",
  { id, origin, version, ...terms }: Schedule,
  actor: string,
  at: Date,
): AuditEntry {
  return { at, actor, action: `schedule.${what}`, subject: id, detail: { origin, version, ...columnsOf(terms) } };
}

/** Removes the row; what waits is left out. Part of the caller's transaction. */
export async function remove(transaction: Database, id: string): Promise<void> {
  await transaction.delete(schedules).where(eq(schedules.id, id));
  await dropWaiting(transaction, id);
}

/** The row of a schedule that begins to count at an instant. */
export function newRow(id: string, origin: ScheduleOrigin, terms: ScheduleTerms, actor: string, at: Date) {
  const who = { created_at: at, created_by: actor, updated_at: at, updated_by: actor };
  return { id, origin, ...columnsOf(terms), counts_from: at, ...who };
}

/**
 * Writes other terms. Where other slots are meant, or it is enabled again, it counts from now on: what lies before is not caught
 * up with. Part of the caller's transaction.
 */
export async function rewrite(
  transaction: Database,
  row: Schedule,
  terms: ScheduleTerms,
  actor: string,
  at: Date,
  origin: ScheduleOrigin = row.origin,
): Promise<Schedule> {
  const { cron, time_zone, enabled } = terms;
  const anew = cron !== row.cron || time_zone !== row.time_zone || (enabled && !row.enabled);
  const counts_from = anew ? at : row.counts_from;
  const change = { updated_at: at, updated_by: actor, version: row.version + 1, counts_from, origin };
  const [schedule] = await transaction
    .update(schedules)
    .set({ ...columnsOf(terms), ...change })
    .where(eq(schedules.id, row.id))
    .returning();
  if (!schedule) throw new Error(`schedule ${row.id} vanished`);
  if (!enabled) await dropWaiting(transaction, row.id);
  return schedule;
}

/** Exactly the columns that a person decides, with lists that the query builder may have. */
export function columnsOf(terms: ScheduleTerms) {
  const { cron, time_zone, jitter_seconds, catch_up, overlap, enabled, accounts, regions, types } = terms;
  const lists = { accounts: accounts && [...accounts], regions: regions && [...regions], types: types && [...types] };
  return { cron, time_zone, jitter_seconds, catch_up, overlap, enabled, ...lists };
}

/** Filters of schedules: fields are AND. */
export type ScheduleFilters = {
  readonly origin?: readonly ScheduleOrigin[] | undefined;
  readonly enabled?: boolean | undefined;
};

/** Schedules by their ids. Throws PageTokenError, RangeError. */
export async function schedulesPage(
  database: Database,
  filters: ScheduleFilters = {},
  request: PageRequest = {},
): Promise<Page<ScheduleItem>> {
  const { origin, enabled } = filters;
  const where: (SQL | undefined)[] = [
    origin && inArray(schedules.origin, [...origin]),
    enabled === undefined ? undefined : eq(schedules.enabled, enabled),
  ];
  const page = await keysetPage<Schedule>(
    {
      database,
      asked: { list: "schedules", filters },
      request,
      columns: [{ column: schedules.id, type: "text" }],
      descending: false,
      where: and(...where),
      from: sql`${schedules}`,
    },
    async ({ where, order, limit, sort_values }) =>
      await database
        .select({ item: schedules, sort_values })
        .from(schedules)
        .where(where)
        .orderBy(...order)
        .limit(limit),
  );
  return { ...page, items: await withSlots(database, page.items) };
}

/** One schedule, or null. */
export async function schedule(database: Database, id: string): Promise<ScheduleItem | null> {
  const [item] = await withSlots(database, await database.select().from(schedules).where(eq(schedules.id, id)));
  return item ?? null;
}

/** The next slots of a schedule and when each begins, by the database's clock. */
export async function comingOf(
  database: Database,
  item: Schedule,
  count: number,
): Promise<{ slot: Date; starts_at: Date }[]> {
  const now = await databaseClock(database);
  const slots = comingSlots(item, await lastDecided(database, item.id, now), now, count);
  return slots.map((slot) => ({ slot, starts_at: startOf(item, slot) }));
}

async function withSlots(database: Database, rows: readonly Schedule[]): Promise<ScheduleItem[]> {
  const last = await lastSlots(
    database,
    rows.map(({ id }) => id),
  );
  const items: ScheduleItem[] = [];
  for (const row of rows) {
    const [next] = await comingOf(database, row, 1);
    const { slot = null, outcome = null, scan_id = null } = last.get(row.id) ?? {};
    const next_part = { next_slot: next?.slot ?? null, next_starts_at: next?.starts_at ?? null };
    items.push({ ...row, ...next_part, last_slot: slot, last_outcome: outcome, last_scan_id: scan_id });
  }
  return items;
}
