import { getTableColumns, type SQL, sql } from "drizzle-orm";
import type { PgColumn, PgTable } from "drizzle-orm/pg-core";
import type { Database } from "../../db/client.ts";

/** Rows a statement: large enough that statements cost nothing, small enough that one is a few MB. */
const CHUNK = 1000;

/**
 * Inserts rows in their order, a thousand a statement, as one JSON parameter each: a parameter for each value would meet the
 * limit of 65,535 and is slow. `on_conflict` follows the insert as it is; without it a conflict throws.
 */
export async function insertRows<Table extends PgTable>(
  database: Database,
  table: Table,
  rows: readonly Table["$inferInsert"][],
  onConflict: SQL = sql``,
): Promise<void> {
  if (rows.length === 0) return;
  const columns = writableColumns(table);
  const names = sql.join(
    columns.map(({ name }) => sql.identifier(name)),
    sql`, `,
  );
  const types = sql.join(
    columns.map((column) => sql`${sql.identifier(column.name)} ${sql.raw(column.getSQLType())}`),
    sql`, `,
  );
  for (let start = 0; start < rows.length; start += CHUNK) {
    const json = JSON.stringify(rows.slice(start, start + CHUNK));
    await database.execute(
      sql`insert into ${table} (${names}) select * from jsonb_to_recordset(${json}::text::jsonb) as r(${types}) ${onConflict}`,
    );
  }
}

/** `on conflict (key) do update` of every other column. */
export function orReplace(table: PgTable, key: PgColumn): SQL {
  const sets = writableColumns(table)
    .filter(({ name }) => name !== key.name)
    .map(({ name }) => sql`${sql.identifier(name)} = excluded.${sql.identifier(name)}`);
  return sql`on conflict (${sql.identifier(key.name)}) do update set ${sql.join(sets, sql`, `)}`;
}

/** A list of texts as one parameter, for `= any(…)`. Drizzle would spread an array over a parameter for each. */
export function textArray(values: readonly string[]): SQL {
  const literal = `{${values.map((value) => `"${value.replace(/["\\]/g, "\\$&")}"`).join(",")}}`;
  return sql`${literal}::text[]`;
}

function writableColumns(table: PgTable): PgColumn[] {
  return Object.values(getTableColumns(table)).filter(({ generatedIdentity }) => generatedIdentity === undefined);
}
