import { sql } from "drizzle-orm";
import type { Database } from "./client.ts";
import { rowsOf } from "./rows.ts";

/** The table that is partitioned by month, UTC, of its column `at`. */
const TABLE = "finding_events";
/** Where rows land that belong to no month: it is to be empty. */
const DEFAULT = `${TABLE}_default`;

/** Months that exist beyond the current one, so that nobody has to be there at midnight. */
const AHEAD = 3;

/** A partition that cannot be had for so long is left for another time: whoever reads or writes meanwhile waits behind it. */
const PATIENCE = sql.raw("set local lock_timeout = '3s'");

/** PostgreSQL: lock_not_available. */
const LOCKED = "55P03";

type Month = { readonly name: string; readonly from: Date; readonly to: Date };

/**
 * Makes the partitions of the current month and of the three after it, and of months whose rows lie in the default partition,
 * which move. Safe while others read and write. Returns the names of those that it made; one whose place is busy waits for the
 * next time, as its rows have the default partition until then.
 */
export async function ensureMonths(database: Database, now: Date): Promise<string[]> {
  const there = new Set((await monthsThere(database)).map(({ name }) => name));
  const wanted = Array.from({ length: AHEAD + 1 }, (_, index) => monthOf(now, index));
  const strays = await rowsOf<{ month: string }>(
    database,
    sql`select distinct to_char(at at time zone 'UTC', 'YYYY-MM') as month from ${sql.identifier(DEFAULT)} limit 100`,
  );
  wanted.push(...strays.map(({ month }) => monthOf(new Date(`${month}-01T00:00:00Z`))));
  const missing = new Map(wanted.filter(({ name }) => !there.has(name)).map((month) => [month.name, month]));
  const made: string[] = [];
  for (const month of missing.values()) {
    if (await unlessBusy(() => makeMonth(database, month))) made.push(month.name);
  }
  return made;
}

/** Drops the partitions of months that ended before an instant. `postponed`: those that were in use. */
export async function dropMonthsBefore(
  database: Database,
  instant: Date,
): Promise<{ readonly dropped: string[]; readonly postponed: string[] }> {
  const dropped: string[] = [];
  const postponed: string[] = [];
  for (const { name, to } of await monthsThere(database)) {
    if (to > instant) continue;
    const done = await unlessBusy(() =>
      database.transaction(async (transaction) => {
        await transaction.execute(PATIENCE);
        // The server locks the whole table first, as every reader and writer does, so nobody waits in a ring.
        await transaction.execute(sql`drop table if exists ${sql.identifier(name)}`);
      }),
    );
    (done ? dropped : postponed).push(name);
  }
  return { dropped, postponed };
}

/** The first instant of the month that lies so many months from that of `at`, UTC. */
export function startOfMonth(at: Date, months = 0): Date {
  return new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + months, 1));
}

async function makeMonth(database: Database, { name, from, to }: Month): Promise<void> {
  const [table, part, rest] = [sql.identifier(TABLE), sql.identifier(name), sql.identifier(DEFAULT)];
  const [first, end] = [sql.raw(`'${from.toISOString()}'`), sql.raw(`'${to.toISOString()}'`)];
  await database.transaction(async (transaction) => {
    await transaction.execute(PATIENCE);
    // Who writes waits, for a moment: a row of this month that came into the default partition between the move and the attachment
    // would be in its way, and one that was on its way there would be refused afterwards. Who reads does not wait.
    await transaction.execute(sql`lock table ${table} in share row exclusive mode`);
    const [other] = await rowsOf(transaction, sql`select 1 as one where to_regclass(${name}) is not null`);
    if (other) return;
    // Attached, and not created as a partition, because that would keep everyone from reading the table meanwhile.
    await transaction.execute(
      sql`create table ${part} (like ${table} including defaults including constraints including indexes including storage)`,
    );
    await transaction.execute(sql`
      with moved as (delete from ${rest} where at >= ${first} and at < ${end} returning *)
      insert into ${part} select * from moved`);
    await transaction.execute(
      sql`alter table ${table} attach partition ${part} for values from (${first}) to (${end})`,
    );
  });
}

/** False when a lock could not be had in time. */
async function unlessBusy(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (codeOf(error) === LOCKED) return false;
    throw error;
  }
}

async function monthsThere(database: Database): Promise<Month[]> {
  const rows = await rowsOf<{ name: string }>(
    database,
    sql`select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = ${TABLE}::regclass order by 1`,
  );
  return rows.flatMap(({ name }) => {
    const [, year, month] = /_(\d{4})_(\d{2})$/.exec(name) ?? [];
    if (year === undefined || month === undefined) return [];
    const from = new Date(Date.UTC(Number(year), Number(month) - 1, 1));
    return { name, from, to: startOfMonth(from, 1) };
  });
}

function monthOf(at: Date, months = 0): Month {
  const from = startOfMonth(at, months);
  const name = `${TABLE}_${from.toISOString().slice(0, 7).replace("-", "_")}`;
  return { name, from, to: startOfMonth(from, 1) };
}

function codeOf(error: unknown): string | undefined {
  let current = error;
  while (current instanceof Error && current.cause instanceof Error) current = current.cause;
  return (current as { code?: string } | null)?.code;
}
