import { sql } from "drizzle-orm";
import type { OpenDatabase } from "./client.ts";

/** A table whose size is beyond so many times what it was when it was last looked at is planned for wrongly. */
const GROWN = 2;

/**
 * Lets the embedded database look at its tables that have grown, so that it plans by how many rows there are. A server does so by
 * itself (autovacuum); in the embedded one nobody does, and it takes every table for a small one. Costs a millisecond when there
 * is nothing to do.
 */
export async function renewStatistics({ database, kind }: OpenDatabase): Promise<void> {
  if (kind === "postgres") return;
  const grown = await database
    .select({ name: sql<string>`relname` })
    .from(sql`pg_class`)
    .where(
      sql`relnamespace = 'public'::regnamespace and relkind = 'r' and pg_relation_size(oid) > ${GROWN} * relpages * current_setting('block_size')::bigint`,
    );
  if (grown.length === 0) return;
  const names = grown.map(({ name }) => sql.identifier(name));
  await database.execute(sql`analyze ${sql.join(names, sql`, `)}`);
}
