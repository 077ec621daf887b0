import { getTableColumns, type SQL, sql } from "drizzle-orm";
import type { PgColumn, PgTable } from "drizzle-orm/pg-core";
import type { Database } from "../../db/client.ts";
import { rowsOf } from "../../db/rows.ts";
import {
  rollup_daily_account,
  rollup_daily_account_owner,
  rollup_daily_account_rule,
  unit_tallies,
} from "../schema.ts";
import type { Tally } from "../tally.ts";
import { insertRows, textArray } from "./insert-rows.ts";

/** Namespace of the advisory locks that order the writers of one account's daily numbers. */
const ACCOUNT_LOCKS = 7_201_003;

/** Columns that carry over from day to day; all others that are not part of the key start each day at 0. */
const LEVELS = new Set(["open", "compliant", "violating", "unknown", "not_applicable"]);

type Rollup = typeof rollup_daily_account | typeof rollup_daily_account_owner | typeof rollup_daily_account_rule;
type AccountDifference = Omit<typeof rollup_daily_account.$inferSelect, "day">;
type Difference = Readonly<Record<string, string | number>>;

/**
 * Makes everyone else who writes daily numbers of these accounts wait until the transaction ends. The last locks that a
 * transaction takes, in one order, so that nobody who has them waits for another who wants them.
 */
export async function lockAccounts(transaction: Database, account_ids: Iterable<string>): Promise<void> {
  const list = textArray([...account_ids]);
  await transaction.execute(sql`
    select pg_advisory_xact_lock(${ACCOUNT_LOCKS}, number)
    from (select distinct hashtext(id) as number from unnest(${list}) as id order by 1 offset 0) as locks`);
}

/**
 * Adds a tally to the daily numbers. To be called last in the transaction that made the changes; without a change nothing is
 * written. A day begins with what stood at the end of the one before, and a change counts from its day on: also for days
 * that were begun by a clock ahead of this one, or by a transaction that was quicker past midnight.
 */
export async function writeTally(transaction: Database, tally: Tally, now: Date): Promise<void> {
  const rules = changed([...tally.rules.values()]);
  const owners = changed([...tally.owners.values()]);
  const units = changed([...tally.units.values()]);
  const touched = new Set([...tally.accounts, ...[...rules, ...owners, ...units].map(({ account_id }) => account_id)]);
  if (touched.size === 0) return;
  await lockAccounts(transaction, touched);
  const day = dayOf(now);
  await shift(transaction, rollup_daily_account_rule, rules, day);
  await shift(transaction, rollup_daily_account_owner, owners, day);
  const { account_id, region, type } = unit_tallies;
  await insertRows(
    transaction,
    unit_tallies,
    units,
    sql`on conflict (${names([account_id, region, type])}) do update set ${sums(unit_tallies)}`,
  );
  const accounts = new Set([...tally.accounts, ...units.map((unit) => unit.account_id)]);
  await shift(transaction, rollup_daily_account, await accountDifferences(transaction, [...accounts]), day);
}

/** The day of an instant, UTC. */
function dayOf(at: Date): string {
  return at.toISOString().slice(0, 10);
}

/** What the newest row of each account lacks to the sum over its units. Resources of a list that was not read to its end are unknown. */
export async function accountDifferences(
  database: Database,
  account_ids: readonly string[] | null,
): Promise<AccountDifference[]> {
  const among = account_ids === null ? sql`true` : sql`account_id = any(${textArray(account_ids)})`;
  const rows = await rowsOf<AccountDifference>(
    database,
    sql`
    with summed as (
      select t.account_id,
        coalesce(sum(t.compliant) filter (where u.listed), 0) as compliant,
        sum(t.violating) as violating,
        sum(t.unknown) + coalesce(sum(t.compliant) filter (where u.listed is not true), 0) as unknown,
        sum(t.not_applicable) as not_applicable
      from (select * from ${unit_tallies} where ${among}) as t
      left join units u on u.account_id = t.account_id and u.region = t.region and u.type = t.type
      group by t.account_id),
    newest as (
      select distinct on (account_id) * from ${rollup_daily_account} where ${among} order by account_id, day desc)
    select account_id,
      (coalesce(s.compliant, 0) - coalesce(n.compliant, 0))::int as compliant,
      (coalesce(s.violating, 0) - coalesce(n.violating, 0))::int as violating,
      (coalesce(s.unknown, 0) - coalesce(n.unknown, 0))::int as unknown,
      (coalesce(s.not_applicable, 0) - coalesce(n.not_applicable, 0))::int as not_applicable
    from summed s full join newest n using (account_id)`,
  );
  return changed(rows);
}

/** Adds differences to the rows of a day and of those after it; a day that has no row yet begins as the one before ended. */
async function shift(
  transaction: Database,
  table: Rollup,
  differences: readonly Difference[],
  day: string,
): Promise<void> {
  if (differences.length === 0) return;
  const columns = Object.values(getTableColumns(table as PgTable));
  const {
    key = [],
    level = [],
    flow = [],
  } = Object.groupBy(
    columns.filter(({ name }) => name !== "day"),
    (column) => (column.dataType === "string" ? "key" : LEVELS.has(column.name) ? "level" : "flow"),
  );
  const given = sql`jsonb_to_recordset(${JSON.stringify(differences)}::text::jsonb) as given(${list([...key, ...level, ...flow], (column) => sql`${name(column)} ${sql.raw(column.getSQLType())}`)})`;
  const same = (other: SQL) => list(key, (column) => sql`${other}.${name(column)} = given.${name(column)}`, sql` and `);
  await transaction.execute(sql`
    insert into ${table} (day, ${names([...key, ...level])})
    select ${day}::date, ${list(key, (column) => sql`given.${name(column)}`)}, ${list(level, (column) => sql`coalesce(before.${name(column)}, 0)`)}
    from ${given}
    left join lateral (
      select * from ${table} as earlier where ${same(sql`earlier`)} and earlier.day < ${day}::date order by earlier.day desc limit 1
    ) as before on true
    on conflict do nothing`);
  await transaction.execute(sql`
    update ${table} as rollup set ${list([...level, ...flow], (column) => {
      const more = sql`given.${name(column)}`;
      const from = LEVELS.has(column.name) ? more : sql`case when rollup.day = ${day}::date then ${more} else 0 end`;
      return sql`${name(column)} = rollup.${name(column)} + ${from}`;
    })}
    from ${given} where ${same(sql`rollup`)} and rollup.day >= ${day}::date`);
}

/** `on conflict` adds what is given to what is there. */
function sums(table: PgTable): SQL {
  const numbers = Object.values(getTableColumns(table)).filter(({ dataType }) => dataType === "number");
  return list(numbers, (column) => sql`${name(column)} = ${table}.${name(column)} + excluded.${name(column)}`);
}

/** Rows that say that something changed. */
function changed<Row extends object>(rows: readonly Row[]): Row[] {
  return rows.filter((row) => Object.values(row).some((value) => typeof value === "number" && value !== 0));
}

function names(columns: readonly PgColumn[]): SQL {
  return list(columns, name);
}

function name(column: PgColumn): SQL {
  return sql`${sql.identifier(column.name)}`;
}

function list(columns: readonly PgColumn[], one: (column: PgColumn) => SQL, between: SQL = sql`, `): SQL {
  return sql.join(columns.map(one), between);
}
