import { and, eq, sql, type SQL } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import { findings } from "../schema.ts";

/** A rule that has another name than before. */
export type Renamed = {
  readonly from: { readonly policy_id: string; readonly rule_id: string };
  readonly to: { readonly policy_id: string; readonly rule_id: string };
};

/**
 * Moves findings, with their history and what waits to be closed of them, from former names of rules to the present ones, and
 * returns how many. A finding that the present name has already stays: then the one of the former name is left behind, and
 * closes as one of a rule that was removed. The caller holds the transaction.
 */
export async function renameRules(transaction: Database, renamed: readonly Renamed[]): Promise<number> {
  let moved = 0;
  for (const { from, to } of renamed) {
    const former = and(eq(findings.policy_id, from.policy_id), eq(findings.rule_id, from.rule_id));
    const [any] = await transaction.select({ id: findings.id }).from(findings).where(former).limit(1);
    if (any) moved += await move(transaction, former, to);
  }
  return moved;
}

async function move(transaction: Database, former: SQL | undefined, to: Renamed["to"]): Promise<number> {
  await transaction.execute(sql`
    create temporary table moved_findings on commit drop as
    select * from (select id as old_id, ${identity(`${to.policy_id}/${to.rule_id}`)} as new_id from findings where ${former}) as moved
    where not exists (select from findings taken where taken.id = moved.new_id)`);
  for (const table of ["finding_events", "held_closures"]) {
    const name = sql.identifier(table);
    await transaction.execute(
      sql`update ${name} set finding_id = moved.new_id from moved_findings moved where ${name}.finding_id = moved.old_id`,
    );
  }
  const rows = await transaction
    .update(findings)
    .set({ id: sql`moved.new_id`, ...to })
    .from(sql`moved_findings moved`)
    .where(sql`${findings.id} = moved.old_id`)
    .returning({ id: findings.id });
  await transaction.execute(sql`drop table moved_findings`);
  return rows.length;
}

/** The identity of a finding under another name of its rule: the same bytes as `findingId` hashes. */
function identity(name: string): SQL {
  const parts = [sql`account_id`, sql`arn`, sql`${name}::text`, sql`key`].map(
    (part) => sql`int4send(octet_length(convert_to(${part}, 'UTF8'))) || convert_to(${part}, 'UTF8')`,
  );
  return sql`encode(sha256(${sql.join(parts, sql` || `)}), 'hex')`;
}
