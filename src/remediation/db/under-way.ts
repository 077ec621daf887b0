import { and, eq, gt, inArray, sql } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import { plan_actions } from "../schema.ts";

/** A write and the patience of reading it back end well within this time; a write that a dead run left is not waited for longer. */
const WHILE = sql`interval '5 minutes'`;

/**
 * Of these resources those to which a write of ours is under way. What is read of one meanwhile is neither how it was nor how it
 * will be, and whose doing it is cannot be told: the write reads the resource once more and records that.
 */
export async function writesUnderWay(database: Database, arns: readonly string[]): Promise<Set<string>> {
  if (arns.length === 0) return new Set();
  const rows = await database
    .selectDistinct({ arn: plan_actions.arn })
    .from(plan_actions)
    .where(
      and(
        inArray(plan_actions.arn, [...arns]),
        eq(plan_actions.state, "intended"),
        gt(plan_actions.written_at, sql`clock_timestamp() - ${WHILE}`),
      ),
    );
  return new Set(rows.map(({ arn }) => arn));
}
