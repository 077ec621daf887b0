import { asc, eq, sql } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import { held_closures } from "../../findings/schema.ts";
import { scan_units, units } from "../../inventory/schema.ts";
import { v1_held_decisions } from "./views.ts";

/** A decision of a person about what a scan held. */
export type HeldDecisionRow = typeof v1_held_decisions.$inferSelect;

/** What of a scan waits for a decision now. A closure that a later scan held anew waits there. */
export type Waiting = { readonly units: number; readonly closures: number };

/** What people decided about closures that a scan held, the oldest first. */
export async function heldDecisions(database: Database, scan_id: string): Promise<HeldDecisionRow[]> {
  return await database
    .select()
    .from(v1_held_decisions)
    .where(eq(v1_held_decisions.scan_id, scan_id))
    .orderBy(asc(v1_held_decisions.at));
}

/** What of a scan waits now. */
export async function waitingOf(database: Database, scan_id: string): Promise<Waiting> {
  const [closures] = await database
    .select({ count: sql<number>`count(*)::int` })
    .from(held_closures)
    .where(eq(held_closures.scan_id, scan_id));
  const [held] = await database
    .select({ count: sql<number>`count(*)::int` })
    .from(scan_units)
    .innerJoin(
      units,
      sql`${units.account_id} = ${scan_units.account_id} and ${units.region} = ${scan_units.region} and ${units.type} = ${scan_units.type}`,
    )
    .where(
      sql`${scan_units.scan_id} = ${scan_id} and ${scan_units.state} = 'held' and (${units.last_scan_id} = ${scan_id} or exists (
        select from held_closures h where h.scan_id = ${scan_id} and h.account_id = ${scan_units.account_id}
          and h.region = ${scan_units.region} and h.type = ${scan_units.type}))`,
    );
  return { units: held?.count ?? 0, closures: closures?.count ?? 0 };
}
