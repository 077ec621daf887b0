import { sql } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import { schedules } from "../schema.ts";

/** Says what time it is. All replicas have to ask the same: the database. */
export type Clock = (database: Database) => Promise<Date>;

/** The database's clock, by which slots come: a wrong clock of a replica neither begins nor misses one. */
export const databaseClock: Clock = async (database) => {
  const [row] = await database
    .select({ at: sql`date_trunc('milliseconds', clock_timestamp())`.mapWith(schedules.created_at) })
    .from(sql`(select) as one`);
  if (!row) throw new Error("the database does not say what time it is");
  return row.at;
};
