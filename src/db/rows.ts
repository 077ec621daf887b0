import type { SQL } from "drizzle-orm";
import type { Database } from "./client.ts";

/** The rows of a query in plain SQL, which drizzle's common type leaves open. Values are as the driver has them. */
export async function rowsOf<Row extends object>(database: Database, query: SQL): Promise<Row[]> {
  return ((await database.execute(query)) as { rows: Row[] }).rows;
}
