import { fileURLToPath } from "node:url";
import type { OpenDatabase } from "./client.ts";

const MIGRATIONS = fileURLToPath(new URL("../../drizzle", import.meta.url));

/** Applies what `drizzle/` has and the database has not, in order. Safe to run at every start. */
export async function migrate({ database, kind }: OpenDatabase): Promise<void> {
  const config = { migrationsFolder: MIGRATIONS };
  if (kind === "postgres") {
    const { migrate } = await import("drizzle-orm/node-postgres/migrator");
    await migrate(database as unknown as Parameters<typeof migrate>[0], config);
  } else {
    const { migrate } = await import("drizzle-orm/pglite/migrator");
    await migrate(database as unknown as Parameters<typeof migrate>[0], config);
  }
}
