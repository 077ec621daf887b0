import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { PGlite } from "@electric-sql/pglite";
import { openPostgres } from "../../src/db/client.ts";
import { migrate } from "../../src/db/migrate.ts";
import { drizzle } from "drizzle-orm/pglite";
import { migrate as migratePglite } from "drizzle-orm/pglite/migrator";
import { FORGETFUL, startPostgres } from "./postgres.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Base URL of the test server; append a database name. */
    postgres_url: string;
    /** A dump of a migrated PGlite, to be loaded by each test file. */
    pglite_dump: string;
  }
}

/** Starts one real PostgreSQL for the whole run, with a migrated template database, and dumps one migrated PGlite. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startPostgres(FORGETFUL);
  await server.createDatabase("template");
  const template = await openPostgres(`${server.url}/template`, { max_connections: 1 });
  await migrate(template);
  await template.close();

  const folder = await mkdtemp(join(tmpdir(), "tagwarden-test-"));
  const pglite = await PGlite.create();
  await migratePglite(drizzle({ client: pglite }), { migrationsFolder: "drizzle" });
  const dump = join(folder, "pglite.tar");
  await writeFile(dump, Buffer.from(await (await pglite.dumpDataDir("none")).arrayBuffer()));
  await pglite.close();

  project.provide("postgres_url", server.url);
  project.provide("pglite_dump", dump);
  return async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
}
