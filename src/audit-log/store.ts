import { count, desc, sql } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import { rowsOf } from "../db/rows.ts";
import { type ChainRow, chained, EMPTY, type Head } from "./chain.ts";
import type { AuditEntry } from "./entry.ts";
import { audit_log } from "./schema.ts";
import { verifyChain, type Verification } from "./verify-chain.ts";

/** Whoever appends waits here until the one before has committed. */
const APPEND_LOCK = 7_201_040;

/** Rows a statement. */
const CHUNK = 1000;

/**
 * Appends to the log, in the transaction of what the entries tell of: both are there, or neither.
 *
 * Call it as the last thing that the transaction does. Its lock is held until the commit, so everybody else who appends waits for
 * what comes after it; and whoever holds it asks for no other lock, so no ring of transactions can come to wait for each other.
 */
export async function appendAudit(transaction: Database, ...entries: readonly AuditEntry[]): Promise<void> {
  if (entries.length === 0) return;
  await transaction.execute(sql`select pg_advisory_xact_lock(${APPEND_LOCK})`);
  // A statement of its own: one that takes the lock would see what was there before it waited.
  const rows = chained(entries, await auditHead(transaction));
  for (let start = 0; start < rows.length; start += CHUNK) {
    const chunk = rows.slice(start, start + CHUNK);
    await transaction
      .insert(audit_log)
      .values(chunk.map((row) => ({ ...row, detail: sql`${row.detail}::text::json` })));
  }
}

/** The last row of the log: to be kept where nobody can write who can write to the database. */
export async function auditHead(database: Database): Promise<Head> {
  const { position, hash, at } = audit_log;
  const [row] = await database.select({ position, hash, at }).from(audit_log).orderBy(desc(position)).limit(1);
  return row ?? EMPTY;
}

/** Reads the whole log, as of one instant, and says what is wrong with it. `known`: a head that was kept elsewhere. */
export async function verifyAudit(
  database: Database,
  known: Pick<Head, "position" | "hash"> | null = null,
): Promise<Verification> {
  return database.transaction(
    async (snapshot) =>
      verifyChain(chainRows(snapshot), known, async () => {
        const [row] = await snapshot.select({ rows: count() }).from(audit_log);
        return row?.rows ?? 0;
      }),
    { isolationLevel: "repeatable read", accessMode: "read only" },
  );
}

/** All rows in order, a thousand at a time, by a cursor: it needs no key, which somebody may have dropped to have one twice. */
async function* chainRows(snapshot: Database): AsyncGenerator<ChainRow> {
  const { position, at, actor, action, subject, detail, prev_hash, hash } = audit_log;
  await snapshot.execute(sql`
    declare audit_log_rows no scroll cursor for
    select ${position}::text as position, trunc(extract(epoch from ${at}) * 1000)::text as at, ${actor} as actor, ${action} as action,
      ${subject} as subject, ${detail}::text as detail, ${prev_hash} as prev_hash, ${hash} as hash
    from ${audit_log} order by ${position}`);
  for (;;) {
    const rows = await rowsOf<ChainRow>(snapshot, sql`fetch ${sql.raw(String(CHUNK))} from audit_log_rows`);
    yield* rows;
    if (rows.length < CHUNK) return;
  }
}
