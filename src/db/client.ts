import type { PGlite } from "@electric-sql/pglite";
import type { PgDatabase, PgQueryResultHKT } from "drizzle-orm/pg-core";

/**
 * A database or a transaction of either kind, PostgreSQL or the embedded PGlite: functions take it first, and the caller
 * decides the transaction.
 */
export type Database = PgDatabase<PgQueryResultHKT>;

/** An opened database. `kind` is for the few places where one connection or many makes a difference. */
export type OpenDatabase = {
  readonly database: Database;
  readonly kind: "postgres" | "pglite";
  /** Where a server is, for what keeps connections of its own; null: it is embedded. */
  readonly url: string | null;
  /** The embedded database itself; null: it is a server. */
  readonly embedded: PGlite | null;
  readonly close: () => Promise<void>;
};

/** Opens a PostgreSQL server by its URL. Nothing is sent before the first query. */
export async function openPostgres(url: string, options: { max_connections?: number } = {}): Promise<OpenDatabase> {
  const [{ Pool }, { drizzle }] = await Promise.all([import("pg"), import("drizzle-orm/node-postgres")]);
  const pool = new Pool({
    connectionString: url,
    max: options.max_connections ?? 10,
    application_name: "tagwarden",
    options: "-c TimeZone=UTC",
    connectionTimeoutMillis: 30_000,
    keepAlive: true,
  });
  // A connection that breaks fails its query, which says so; without listeners the error would end the process as well.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  return {
    database: drizzle({ client: pool }) as unknown as Database,
    kind: "postgres",
    url,
    embedded: null,
    close: () => pool.end(),
  };
}

/**
 * PostgreSQL fills its shared buffers with zeros as it starts: of the 128 MB that are usual, that is half a second and memory that
 * nobody needs where the operating system keeps the same files in its own cache.
 */
const SHARED_BUFFERS = "32MB";

/** Opens the embedded database in a folder, or in memory when none is given. It allows one process at a time. */
export async function openPglite(folder?: string): Promise<OpenDatabase> {
  const [{ PGlite }, { drizzle }] = await Promise.all([import("@electric-sql/pglite"), import("drizzle-orm/pglite")]);
  const startParams = [...PGlite.defaultStartParams, "-c", `shared_buffers=${SHARED_BUFFERS}`];
  const client = await PGlite.create({ startParams, ...(folder !== undefined && { dataDir: folder }) });
  return {
    database: drizzle({ client }) as unknown as Database,
    kind: "pglite",
    url: null,
    embedded: client,
    close: () => client.close(),
  };
}
