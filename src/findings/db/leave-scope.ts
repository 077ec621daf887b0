import { asc, eq } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import type { Unit } from "../../inventory/resource.ts";
import { type Departure, scan_units, type scans, units } from "../../inventory/schema.ts";
import type { Occasion } from "../changes.ts";
import { holdClosures, isMassClose, type MassCloseLimits } from "../mass-close.ts";
import { reconcileOutOfScope } from "../reconcile-absence.ts";
import { newTally } from "../tally.ts";
import { loadHeld, releaseHeld, storeHeld } from "./held.ts";
import { countOpen, liveArns, loadKnown } from "./known.ts";
import { writeTally } from "./rollups.ts";
import { isUnit, lockPolicySet, lockUnit } from "./units.ts";
import { writeChanges } from "./write-changes.ts";

type EndingScan = Pick<typeof scans.$inferSelect, "id" | "epoch" | "policy_set_id" | "departed">;

/** How many resources are taken out at a time: an account may have a hundred thousand. */
const BATCH = 1000;

/**
 * Takes accounts out of scope that AWS Organizations called closed or no longer members: no rule applies to their resources any
 * longer, and their findings resolve as `out_of_scope`. What is more than the mass-close guard allows, or doubtful, waits for a
 * person; where an earlier scan held the same and it is not doubtful, this one agrees.
 */
export async function leaveScope(
  transaction: Database,
  scan: EndingScan,
  limits: MassCloseLimits,
  now: Date,
): Promise<void> {
  if (scan.departed.length === 0) return;
  const policy_set_id = scan.policy_set_id ?? "";
  await lockPolicySet(transaction, policy_set_id);
  const occasion: Occasion = { by: "scan", at: now, scan_id: scan.id, actor: null, policy_set_id };
  const tally = newTally();
  for (const departure of scan.departed.toSorted((a, b) => (a.account_id < b.account_id ? -1 : 1))) {
    for (const unit of await unitsOf(transaction, departure.account_id)) {
      const { applied_epoch } = await lockUnit(transaction, unit);
      if (applied_epoch >= scan.epoch) continue;
      const held = await leaveUnit(transaction, { unit, departure, limits, occasion, tally });
      if (held > 0) await holdUnit(transaction, scan.id, unit, held, now);
      else await transaction.delete(units).where(isUnit(units, unit));
    }
    tally.accounts.add(departure.account_id);
  }
  await writeTally(transaction, tally, now);
}

/** Takes the resources of one unit out of scope. Returns how many closures wait. */
async function leaveUnit(
  transaction: Database,
  {
    unit,
    departure,
    limits,
    occasion,
    tally,
  }: {
    unit: Unit;
    departure: Departure;
    limits: MassCloseLimits;
    occasion: Occasion;
    tally: ReturnType<typeof newTally>;
  },
): Promise<number> {
  // Another answer of the same wrong organization is no second opinion.
  const waiting = departure.doubtful ? [] : await loadHeld(transaction, unit);
  const agreed = new Set(waiting.map(({ finding_id }) => finding_id));
  const open = await countOpen(transaction, unit);
  const guarded = departure.doubtful || isMassClose(open - agreed.size, open, limits);
  const arns = await liveArns(transaction, unit);
  let waits = 0;
  for (let start = 0; start < arns.length; start += BATCH) {
    const known = await loadKnown(transaction, arns.slice(start, start + BATCH));
    const all = [...known.values()].map((one) => reconcileOutOfScope(one, occasion));
    const { applied, held } = guarded ? holdClosures(all, agreed) : { applied: all, held: [] };
    await writeChanges(transaction, known, applied, occasion, tally);
    await releaseHeld(
      transaction,
      applied.flatMap(({ findings }) => findings.map(({ finding }) => finding.id)),
    );
    await storeHeld(transaction, occasion.scan_id ?? "", held);
    waits += held.length;
  }
  return waits;
}

async function unitsOf(transaction: Database, account_id: string): Promise<Unit[]> {
  const { partition, region, type } = units;
  return transaction
    .select({ partition, account_id: units.account_id, region, type })
    .from(units)
    .where(eq(units.account_id, account_id))
    .orderBy(asc(region), asc(type));
}

/** The scan did not read this unit, but what it would close there waits under its name. */
async function holdUnit(transaction: Database, scan_id: string, unit: Unit, held: number, now: Date): Promise<void> {
  const { account_id, region, type } = unit;
  await transaction
    .insert(scan_units)
    .values({ scan_id, account_id, region, type, state: "held", held, finished_at: now })
    .onConflictDoUpdate({
      target: [scan_units.scan_id, scan_units.account_id, scan_units.region, scan_units.type],
      set: { state: "held", held, finished_at: now },
    });
}
