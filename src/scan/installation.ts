import { sql } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import { UsageError } from "../config.ts";
import { installation } from "./schema.ts";

/** What a database is made for at its first use: a sandbox's data and real data never mix. */
export type InstallationKind = "sandbox" | "aws";

/** Marks a new database, or refuses one that was made for the other kind with a UsageError. */
export async function ensureInstallation(database: Database, kind: InstallationKind, now: Date): Promise<void> {
  await database.insert(installation).values({ id: 1, kind, created_at: now }).onConflictDoNothing();
  const [row] = await database.select().from(installation);
  if (row && row.kind !== kind) {
    throw new UsageError(
      row.kind === "sandbox"
        ? "This database holds the data of a sandbox, and the endpoint is real AWS. Use another database: DATABASE_URL or TAGWARDEN_DATA_DIR."
        : "This database holds data of real AWS, and the endpoint is a sandbox. Use another database: DATABASE_URL or TAGWARDEN_DATA_DIR.",
    );
  }
}

/** Whether the database answers. Never throws. */
export async function isReachable(database: Database): Promise<boolean> {
  return database.execute(sql`select 1`).then(
    () => true,
    () => false,
  );
}
