import { and, eq, exists, or, type SQL, sql } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import type { Unit } from "../../inventory/resource.ts";
import { scan_units, units } from "../../inventory/schema.ts";
import type { Resolution } from "../finding.ts";
import type { FindingChange } from "../changes.ts";
import { findings, held_closures } from "../schema.ts";
import { insertRows, textArray } from "./insert-rows.ts";

/** A closure that waits for confirmation, of a finding that is still open. */
export type HeldClosure = {
  readonly scan_id: string;
  readonly finding_id: string;
  readonly arn: string;
  readonly resolution: Resolution;
};

/** What waits in a unit, from whichever scan. */
export async function loadHeld(database: Database, unit: Unit): Promise<HeldClosure[]> {
  // Nearly always nothing, and that is cheaper to see without the findings.
  const [some] = await database
    .select({ scan_id: held_closures.scan_id })
    .from(held_closures)
    .where(isIn(unit))
    .limit(1);
  if (!some) return [];
  return database
    .select({
      scan_id: held_closures.scan_id,
      finding_id: held_closures.finding_id,
      arn: findings.arn,
      resolution: held_closures.resolution,
    })
    .from(held_closures)
    .innerJoin(findings, and(eq(findings.id, held_closures.finding_id), eq(findings.state, "open")))
    .where(isIn(unit));
}

function isIn(unit: Unit): SQL | undefined {
  const { account_id, region, type } = held_closures;
  return and(eq(account_id, unit.account_id), eq(region, unit.region), eq(type, unit.type));
}

/** Units in which closures of a scan wait, in the order in which they are to be locked. */
export async function unitsWithHeld(database: Database, scan_id: string): Promise<Unit[]> {
  const { partition, account_id, region, type } = units;
  return database
    .selectDistinct({ partition, account_id, region, type })
    .from(units)
    .innerJoin(
      held_closures,
      and(eq(held_closures.account_id, account_id), eq(held_closures.region, region), eq(held_closures.type, type)),
    )
    .where(eq(held_closures.scan_id, scan_id))
    .orderBy(account_id, region, type);
}

/**
 * Units that a scan holds, in the order in which they are to be locked: those in which closures of it wait, and those whose list it
 * found too short, as long as no later scan was there.
 */
export async function unitsHeldBy(database: Database, scan_id: string): Promise<Unit[]> {
  const { partition, account_id, region, type } = units;
  const waiting = database
    .select({ one: sql`1` })
    .from(held_closures)
    .where(
      and(
        eq(held_closures.scan_id, scan_id),
        eq(held_closures.account_id, account_id),
        eq(held_closures.region, region),
        eq(held_closures.type, type),
      ),
    );
  return database
    .select({ partition, account_id, region, type })
    .from(units)
    .innerJoin(
      scan_units,
      and(eq(scan_units.account_id, account_id), eq(scan_units.region, region), eq(scan_units.type, type)),
    )
    .where(
      and(
        eq(scan_units.scan_id, scan_id),
        eq(scan_units.state, "held"),
        or(exists(waiting), eq(units.last_scan_id, scan_id)),
      ),
    )
    .orderBy(account_id, region, type);
}

/** Lets closures wait under this scan; one that an earlier scan held is held anew. `closures` are findings as they would be. */
export async function storeHeld(
  database: Database,
  scan_id: string,
  closures: readonly FindingChange[],
): Promise<void> {
  if (closures.length === 0) return;
  await releaseHeld(
    database,
    closures.map(({ finding }) => finding.id),
  );
  const rows = closures.map(({ finding: { id, account_id, region, type, resolution, resolved_at } }) => {
    if (resolution === null || resolved_at === null)
      throw new Error(`finding ${id} is held, but would not be resolved`);
    return { scan_id, finding_id: id, account_id, region, type, resolution, held_at: resolved_at };
  });
  await insertRows(database, held_closures, rows);
}

/** Findings of these identities wait no longer: applied, or contradicted by what was seen. */
export async function releaseHeld(database: Database, finding_ids: readonly string[]): Promise<void> {
  if (finding_ids.length === 0) return;
  await database.delete(held_closures).where(sql`${held_closures.finding_id} = any(${textArray(finding_ids)})`);
}
