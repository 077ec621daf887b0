import { sql } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import { service_readings } from "../../inventory/schema.ts";
import { textArray } from "./insert-rows.ts";

/** When the service was last asked for the tags of these resources and answered, by ARN. */
export async function serviceReadTimes(database: Database, arns: readonly string[]): Promise<Map<string, Date>> {
  if (arns.length === 0) return new Map();
  const rows = await database
    .select()
    .from(service_readings)
    .where(sql`${service_readings.arn} = any(${textArray(arns)})`);
  return new Map(rows.map(({ arn, read_at }) => [arn, read_at]));
}
