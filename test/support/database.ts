import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { PGlite } from "@electric-sql/pglite";
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/pglite";
import { describe, inject } from "vitest";
import { type Database, type OpenDatabase, openPostgres } from "../../src/db/client.ts";

/** An empty, migrated database of either kind; the PostgreSQL one is a copy of the template and is dropped on close. */
export async function openTestDatabase(kind: OpenDatabase["kind"]): Promise<OpenDatabase> {
  if (kind === "pglite") {
    const dump = new Blob([await readFile(inject("pglite_dump"))]);
    const client = await PGlite.create({ loadDataDir: dump });
    return {
      database: drizzle({ client }) as unknown as Database,
      kind,
      url: null,
      embedded: client,
      close: () => client.close(),
    };
  }
  const base = inject("postgres_url");
  const name = `test_${randomBytes(6).toString("hex")}`;
  const admin = await openPostgres(`${base}/postgres`, { max_connections: 1 });
  // Two copies of one template at a time are refused by the server; the lock makes the second wait.
  await admin.database.execute(sql`select pg_advisory_lock(4242)`);
  await admin.database.execute(sql.raw(`create database ${name} template template`));
  await admin.database.execute(sql`select pg_advisory_unlock(4242)`);
  const url = `${base}/${name}`;
  const opened = await openPostgres(url);
  return {
    ...opened,
    url,
    close: async () => {
      await opened.close();
      await admin.database.execute(sql.raw(`drop database ${name} with (force)`));
      await admin.close();
    },
  };
}

/** Runs the same tests against a real PostgreSQL server and against PGlite. */
export const describeOnBoth = describe.each(["postgres", "pglite"] as const);

/** Empties every table, for tests that share one open database. */
export async function emptyTables(database: Database): Promise<void> {
  await database.execute(sql`
    do $$ declare names text; begin
      select string_agg(format('%I.%I', schemaname, tablename), ', ') into names from pg_tables where schemaname = 'public';
      execute 'truncate ' || names || ' restart identity';
    end $$`);
}
