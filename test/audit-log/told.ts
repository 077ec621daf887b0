import { asc } from "drizzle-orm";
import { audit_log } from "../../src/audit-log/schema.ts";
import type { Database } from "../../src/db/client.ts";

/** What the log was told since it was last asked, as `action subject`, in order. */
export function listener(database: Database): () => Promise<string[]> {
  let heard = 0;
  return async () => {
    const rows = await database.select().from(audit_log).orderBy(asc(audit_log.position));
    // A log that was emptied begins anew.
    const fresh = rows.filter(({ position }) => position > heard);
    heard = rows.at(-1)?.position ?? 0;
    return fresh.map(({ action, subject }) => `${action} ${subject}`);
  };
}
