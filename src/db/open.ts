import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { type OpenDatabase, openPglite, openPostgres } from "./client.ts";
import { migrate } from "./migrate.ts";
import { claimFolder } from "./owner.ts";
import { ensureMonths } from "./partitions.ts";
import { reasonOf } from "./reason.ts";

/** No database can be reached or opened: nothing was done. */
class DatabaseUnreachableError extends Error {
  override name = "DatabaseUnreachableError";
}

/** Where the database is, and who opens it. */
export type DatabaseLocation = {
  /** PostgreSQL server; null: the embedded database in `folder`. */
  readonly url: string | null;
  readonly folder: string;
  /** Named to a second command that wants the embedded database. */
  readonly command: string;
};

/** Serialises migration: replicas start together. */
const MIGRATE_LOCK = 7_201_002;

/**
 * Opens the database and brings its tables, and the partitions of the months around now, up to date. Throws DatabaseUnreachableError, or DatabaseOwnedError when another
 * process has the embedded one.
 */
export async function openDatabase(location: DatabaseLocation, now: Date): Promise<OpenDatabase> {
  return location.url === null ? openEmbedded(location, now) : openServer(location.url, now);
}

async function openServer(url: string, now: Date): Promise<OpenDatabase> {
  // One connection, so that the lock, which ends with it, is held by whoever migrates.
  const migrating = await openPostgres(url, { max_connections: 1 });
  let failed = "cannot be reached";
  let advice = "Check DATABASE_URL and that the server runs.";
  try {
    await migrating.database.execute(sql`select pg_advisory_lock(${MIGRATE_LOCK})`);
    failed = "cannot be brought up to date";
    advice = "The user that DATABASE_URL names makes the tables, and must be allowed to.";
    await migrate(migrating);
    await ensureMonths(migrating.database, now);
  } catch (cause) {
    throw new DatabaseUnreachableError(
      `The database at ${withoutPassword(url)} ${failed}: ${reasonOf(cause)}. ${advice}`,
      { cause },
    );
  } finally {
    // One that stays open would keep the process from ending.
    await migrating.close();
  }
  return openPostgres(url);
}

async function openEmbedded({ folder, command }: DatabaseLocation, now: Date): Promise<OpenDatabase> {
  await mkdir(folder, { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new DatabaseUnreachableError(
      `The folder ${folder} cannot be made (${cause.code}). TAGWARDEN_DATA_DIR names another one.`,
      { cause },
    );
  });
  const claim = await claimFolder(folder, command, now).catch((cause: Error) => {
    if (cause.name === "DatabaseOwnedError") throw cause;
    throw new DatabaseUnreachableError(`The folder ${folder} cannot be used: ${reasonOf(cause)}.`, { cause });
  });
  try {
    const opened = await openPglite(join(folder, "pglite"));
    await migrate(opened);
    await ensureMonths(opened.database, now);
    return {
      ...opened,
      close: async () => {
        await opened.close();
        await claim.release();
      },
    };
  } catch (cause) {
    await claim.release();
    throw new DatabaseUnreachableError(`The embedded database in ${folder} cannot be opened: ${reasonOf(cause)}.`, {
      cause,
    });
  }
}

function withoutPassword(url: string): string {
  return url.replace(/\/\/([^:@/]*)(:[^@/]*)?@/, "//$1@");
}
