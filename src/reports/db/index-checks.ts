import { and, inArray, sql } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import type { Scope } from "./conditions.ts";
import { v1_index_checks } from "./views.ts";

/** How often the tag index was wrong in the last 30 days. `mismatch_rate` is null when nothing was checked. */
export type IndexChecks = { sampled: number; mismatched: number; mismatch_rate: number | null };

/** The checks of the index in the accounts and regions of a scope, whatever its types. */
export async function indexChecks(
  database: Database,
  scope: Pick<Scope, "account_id" | "region"> = {},
): Promise<IndexChecks> {
  const { account_id, region, sampled, mismatched } = v1_index_checks;
  const [row] = await database
    .select({
      sampled: sql<number>`coalesce(sum(${sampled}), 0)::integer`,
      mismatched: sql<number>`coalesce(sum(${mismatched}), 0)::integer`,
      mismatch_rate: sql<number | null>`sum(${mismatched})::double precision / nullif(sum(${sampled}), 0)`,
    })
    .from(v1_index_checks)
    .where(
      and(
        scope.account_id && inArray(account_id, [...scope.account_id]),
        scope.region && inArray(region, [...scope.region]),
      ),
    );
  return row ?? { sampled: 0, mismatched: 0, mismatch_rate: null };
}
