import { eq, sql } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import { tagsFrom } from "../tags/tags.ts";
import type { StoredReading } from "./resource.ts";
import { resources, service_readings } from "./schema.ts";

/** What the database holds of these resources' tags. A resource whose tags were never read is left out. */
export async function storedReadings(database: Database, arns: readonly string[]): Promise<Map<string, StoredReading>> {
  const rows = await database
    .select({
      arn: resources.arn,
      tags: resources.tags,
      source: resources.source,
      service_read_at: service_readings.read_at,
      in_index: resources.in_index,
      created_at: resources.created_at,
      reading_error: resources.reading_error,
    })
    .from(resources)
    .leftJoin(service_readings, eq(service_readings.arn, resources.arn))
    .where(sql`${resources.arn} = any(${sql.param(arns)}::text[])`);
  const readings = new Map<string, StoredReading>();
  for (const { arn, tags, source, reading_error, ...row } of rows) {
    if (tags === null || source === null) continue;
    readings.set(arn, {
      ...row,
      tags: tagsFrom(Object.entries(tags)),
      source,
      reading_error: reading_error?.name ?? null,
    });
  }
  return readings;
}
