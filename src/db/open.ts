import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { type OpenDatabase, openPglite, openPostgres } from "./client.ts";
import { migrate } from "./migrate.ts";
import { claimFolder } from "./owner.ts";

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

/**
 * Opens the database and brings its tables up to date. Throws DatabaseUnreachableError, or DatabaseOwnedError when another
 * process has the embedded one.
 */
export async function openDatabase(location: DatabaseLocation, now: Date): Promise<OpenDatabase> {
  return location.url === null ? openEmbedded(location, now) : openServer(location.url);
}

async function openServer(url: string): Promise<OpenDatabase> {
  const opened = await openPostgres(url);
  try {
    await opened.database.execute(sql`select 1`);
  } catch (cause) {
    await opened.close();
    throw new DatabaseUnreachableError(
      `The database at ${withoutPassword(url)} cannot be reached: ${reason(cause)}. Check DATABASE_URL and that the server runs.`,
      { cause },
    );
  }
  await migrate(opened);
  return opened;
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
    throw new DatabaseUnreachableError(`The folder ${folder} cannot be used: ${reason(cause)}.`, { cause });
  });
  try {
    const opened = await openPglite(join(folder, "pglite"));
    await migrate(opened);
    return {
      ...opened,
      close: async () => {
        await opened.close();
        await claim.release();
      },
    };
  } catch (cause) {
    await claim.release();
    throw new DatabaseUnreachableError(`The embedded database in ${folder} cannot be opened: ${reason(cause)}.`, {
      cause,
    });
  }
}

function withoutPassword(url: string): string {
  return url.replace(/\/\/([^:@/]*)(:[^@/]*)?@/, "//$1@");
}

/** The innermost message: drivers wrap the reason in the text of the query. */
function reason(error: unknown): string {
  let current = error;
  while (current instanceof Error && current.cause instanceof Error) current = current.cause;
  const { code, message } = current as { code?: string; message?: string };
  return message || code || String(current);
}
