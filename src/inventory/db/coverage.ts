import { and, eq, getTableColumns, lt, sql } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import type { Coverage, Target, Unit } from "../resource.ts";
import type { ResourceType } from "../resource-types.ts";
import { index_coverage } from "../schema.ts";

/** What was learned of a target's types, by type; nothing is known of the others. */
export async function storedCoverage(
  database: Database,
  target: Pick<Target, "account_id" | "region">,
): Promise<Map<ResourceType, Coverage>> {
  const { account_id, region, ...columns } = getTableColumns(index_coverage);
  const rows = await database
    .select(columns)
    .from(index_coverage)
    .where(and(eq(account_id, target.account_id), eq(region, target.region)));
  return new Map(rows.map(({ type, ...coverage }) => [type, coverage]));
}

/** Stores what was learned of a unit, unless something newer is stored. */
export async function storeCoverage(database: Database, unit: Unit, coverage: Coverage): Promise<void> {
  const { account_id, region, type } = unit;
  await database
    .insert(index_coverage)
    .values({ account_id, region, type, ...coverage })
    .onConflictDoUpdate({
      target: [index_coverage.account_id, index_coverage.region, index_coverage.type],
      set: { ...coverage },
      setWhere: lt(index_coverage.learned_at, sql`excluded.learned_at`),
    });
}
