import { readdirSync, readFileSync } from "node:fs";
import { sql } from "drizzle-orm";
import { getTableConfig, PgTable } from "drizzle-orm/pg-core";
import { expect, test } from "vitest";
import type { Database } from "../../src/db/client.ts";
import { migrate } from "../../src/db/migrate.ts";
import { describeOnBoth, openTestDatabase } from "../support/database.ts";

/** Every table that some `schema.ts` declares, so a table without a migration is noticed here. */
async function declaredTables() {
  const folders = readdirSync("src", { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const tables = [];
  for (const { name } of folders) {
    if (!readdirSync(`src/${name}`).includes("schema.ts")) continue;
    const module = (await import(`../../src/${name}/schema.ts`)) as Record<string, unknown>;
    for (const value of Object.values(module)) if (value instanceof PgTable) tables.push(getTableConfig(value));
  }
  return tables;
}

/** Every column of every schema that is ours, with its type: two equal answers mean that nothing was altered. */
async function columns(database: Database) {
  const result: unknown = await database.execute(sql`
    select table_schema || '.' || table_name as place, column_name, data_type, is_nullable, column_default
    from information_schema.columns where table_schema not in ('pg_catalog', 'information_schema')
    order by 1, ordinal_position`);
  // Both drivers answer with an object around the rows.
  const rows = Array.isArray(result) ? result : (result as { rows: unknown[] }).rows;
  return rows as { place: string; column_name: string }[];
}

async function appliedMigrations(database: Database) {
  const result: unknown = await database.execute(sql`select hash from drizzle.__drizzle_migrations order by id`);
  return (Array.isArray(result) ? result : (result as { rows: unknown[] }).rows) as { hash: string }[];
}

describeOnBoth("on %s", (kind) => {
  test("a migrated database has every declared table with every declared column", async () => {
    const opened = await openTestDatabase(kind);
    const present = new Set(
      (await columns(opened.database)).map(({ place, column_name }) => `${place}.${column_name}`),
    );
    const tables = await declaredTables();
    const missing = tables.flatMap((table) =>
      table.columns
        .map((column) => `${table.schema ?? "public"}.${table.name}.${column.name}`)
        .filter((column) => !present.has(column)),
    );
    await opened.close();

    expect(tables.length).toBeGreaterThan(5);
    expect(missing).toEqual([]);
  });

  test("migrating again changes nothing, and every file of the journal was applied once", async () => {
    const journal = JSON.parse(readFileSync("drizzle/meta/_journal.json", "utf8")) as { entries: unknown[] };
    const opened = await openTestDatabase(kind);
    const before = { columns: await columns(opened.database), applied: await appliedMigrations(opened.database) };
    await migrate(opened);
    await migrate(opened);
    const after = { columns: await columns(opened.database), applied: await appliedMigrations(opened.database) };
    await opened.close();

    expect(after).toEqual(before);
    expect(after.applied).toHaveLength(journal.entries.length);
  });
});
