import { gt, sql } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import { plan_actions } from "../schema.ts";

/** Resources that any run wrote to, or was about to, within the last hour by the database's clock. */
export async function countRecentWrites(database: Database): Promise<number> {
  return database.$count(plan_actions, gt(plan_actions.written_at, sql`clock_timestamp() - interval '1 hour'`));
}
