import type { SQL } from "drizzle-orm";
import type { Database } from "./client.ts";

/** The rows of a query in plain SQL: the two drivers hand them over differently. Values are as the driver has them. */
export async function rowsOf<Row extends object>(database: Database, query: SQL): Promise<Row[]> {
  const result: unknown = await database.execute(query);
  if (Array.isArray(result)) return [...result] as Row[];
  return (result as { rows: Row[] }).rows;
}
