import { UsageError } from "../config.ts";
import type { Database } from "../db/client.ts";
import { scan, type ScanRow } from "../reports/db/scans.ts";

/** The scan that an argument names. Throws UsageError when there is none. */
export async function knownScan(database: Database, id: string): Promise<ScanRow> {
  const row = await scan(database, id);
  if (!row)
    throw new UsageError(`There is no scan ${JSON.stringify(id)} in this database. List them: tagwarden scans list`);
  return row;
}
