import { isDeepStrictEqual } from "node:util";
import { asc, eq, inArray, or, sql } from "drizzle-orm";
import type { AuditEntry } from "../../audit-log/entry.ts";
import { appendAudit } from "../../audit-log/store.ts";
import { type ConfigFile, UsageError } from "../../config.ts";
import type { Database } from "../../db/client.ts";
import { schedules } from "../schema.ts";
import { chooseTypes, type Narrowing } from "../targets.ts";
import { databaseClock } from "./clock.ts";
import { columnsOf, newRow, remove, rewrite, scheduleEntry, type ScheduleTerms } from "./store.ts";

/** Serialises those that start together. */
const FOLLOW_LOCK = 7_201_030;

/** Who changes a schedule when the file does. */
const ACTOR = "tagwarden.yaml";

/** What was done about a schedule of the file. */
export type ScheduleChange = { readonly id: string; readonly change: "created" | "changed" | "taken_over" | "removed" };

/**
 * Brings the schedules of the configuration file into the database: the file has the word about them, also about one of the same id that
 * was made through the API. One that it does not name any more is removed, its slots stay. `checkScope` throws UsageError for what
 * cannot be scanned, and so does this, with the schedule's name; then nothing is changed.
 */
export async function followConfig(
  database: Database,
  entries: ConfigFile["schedules"],
  checkScope: (narrowing: Narrowing) => void | Promise<void>,
): Promise<ScheduleChange[]> {
  const wanted: { id: string; terms: ScheduleTerms }[] = [];
  for (const entry of entries) wanted.push({ id: entry.id, terms: await termsOf(entry, checkScope) });
  return database.transaction(async (transaction) => {
    await transaction.execute(sql`select pg_advisory_xact_lock(${FOLLOW_LOCK})`);
    const at = await databaseClock(transaction);
    const ids = wanted.map(({ id }) => id);
    const rows = await transaction
      .select()
      .from(schedules)
      .where(or(eq(schedules.origin, "config"), inArray(schedules.id, ids)))
      .orderBy(asc(schedules.id))
      .for("update");
    const changes: ScheduleChange[] = [];
    const told: AuditEntry[] = [];
    for (const { id, terms } of wanted) {
      const row = rows.find((one) => one.id === id);
      if (!row) {
        const [made] = await transaction
          .insert(schedules)
          .values(newRow(id, "config", terms, ACTOR, at))
          .returning();
        if (!made) throw new Error(`schedule ${id} was not made`);
        told.push(scheduleEntry("created", made, ACTOR, at));
        changes.push({ id, change: "created" });
      } else if (row.origin !== "config" || !isDeepStrictEqual(columnsOf(row), columnsOf(terms))) {
        const schedule = await rewrite(transaction, row, terms, ACTOR, at, "config");
        told.push(scheduleEntry("changed", schedule, ACTOR, at));
        changes.push({ id, change: row.origin === "config" ? "changed" : "taken_over" });
      }
    }
    for (const row of rows) {
      const { id } = row;
      if (ids.includes(id)) continue;
      await remove(transaction, id);
      told.push(scheduleEntry("deleted", row, ACTOR, at));
      changes.push({ id, change: "removed" });
    }
    await appendAudit(transaction, ...told);
    return changes;
  });
}

async function termsOf(
  { id, accounts, regions, types, ...rest }: ConfigFile["schedules"][number],
  checkScope: (narrowing: Narrowing) => void | Promise<void>,
): Promise<ScheduleTerms> {
  try {
    await checkScope({ accounts, regions, types });
    const chosen = types === undefined ? null : chooseTypes(types);
    return { ...rest, accounts: accounts ?? null, regions: regions ?? null, types: chosen };
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`Schedule ${id}: ${error.message}`, { cause: error });
    throw error;
  }
}
