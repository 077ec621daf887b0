import { and, desc, eq, gt, inArray, isNotNull, isNull, lte, ne, or } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import { listFights, nameOpponent } from "../findings/db/fights.ts";
import { wasVerifiedAt } from "../remediation/db/own-writes.ts";
import { OWN_WRITE } from "./event-store.ts";
import { TAGGING } from "./last-writers.ts";
import { event_deliveries } from "./schema.ts";

/** How far the clock of AWS, by which an event says when it was, may be from ours. Milliseconds. */
export const CLOCKS_MS = 5000;

/**
 * Says of fights who wrote tags of the resource between our last repair and when it was seen to be reverted, where an event told of it:
 * the last one that was not us. `arn`: only of this resource. Returns how many were named.
 */
export async function nameOpponents(database: Database, now: Date, arn?: string): Promise<number> {
  let named = 0;
  for (const one of await listFights(database, arn)) {
    const { by, repaired_at, reverted_at } = one.fight;
    if (by !== undefined) continue;
    const writer = await lastWriter(database, one.arn, new Date(repaired_at), new Date(reverted_at));
    if (writer !== null && (await nameOpponent(database, one, writer, now))) named++;
  }
  return named;
}

async function lastWriter(
  database: Database,
  arn: string,
  after: Date,
  until: Date,
): Promise<{ principal: string; at: string } | null> {
  const { principal, event_name, event_time, reason } = event_deliveries;
  const rows = await database
    .select({ principal, event_time })
    .from(event_deliveries)
    .where(
      and(
        eq(event_deliveries.arn, arn),
        inArray(event_name, TAGGING),
        isNotNull(principal),
        or(isNull(reason), ne(reason, OWN_WRITE)),
        gt(event_time, after),
        lte(event_time, new Date(until.getTime() + CLOCKS_MS)),
      ),
    )
    .orderBy(desc(event_time));
  for (const row of rows) {
    // So near a repair of ours it may be ours: nobody is named by mistake.
    if (row.principal === null || (await wasVerifiedAt(database, arn, row.event_time))) continue;
    return { principal: row.principal, at: row.event_time.toISOString() };
  }
  return null;
}
