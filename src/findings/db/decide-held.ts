import { appendAudit } from "../../audit-log/store.ts";
import type { Database } from "../../db/client.ts";
import type { Unit } from "../../inventory/resource.ts";
import type { HeldDecision } from "../finding.ts";
import { type Changes, type Known, type Occasion, resolved } from "../changes.ts";
import { reconcileGone } from "../reconcile-absence.ts";
import { held_decisions } from "../schema.ts";
import { NEVER_SEEN } from "../sights.ts";
import { newTally } from "../tally.ts";
import { type HeldClosure, loadHeld, releaseHeld, unitsHeldBy, unitsWithHeld } from "./held.ts";
import { loadKnown } from "./known.ts";
import { writeTally } from "./rollups.ts";
import { endHeldUnit, lockPolicySet, lockUnit, policySetOf } from "./units.ts";
import { writeChanges } from "./write-changes.ts";

/** Who decides about what a scan held, when, and why, as told. */
export type Decider = { readonly actor: string; readonly at: Date; readonly reason?: string | null };

/** What a decision was about: units in which something waited, and findings that were closed or stay open. Both 0: nothing waited. */
export type Decided = { readonly units: number; readonly closures: number };

/**
 * Applies the closures that a scan held and that nothing has spoken against since. Resources that were held as gone are gone
 * from now on.
 */
export async function confirmHeld(database: Database, scan_id: string, by: Decider): Promise<Decided> {
  return database.transaction(async (transaction) => {
    const tally = newTally();
    let closures = 0;
    const policy_set_id = await policySetOf(transaction, scan_id);
    await lockPolicySet(transaction, policy_set_id);
    const units = await unitsWithHeld(transaction, scan_id);
    for (const unit of units) {
      const held = await lockHeld(transaction, unit, scan_id);
      const known = await loadKnown(transaction, [...new Set(held.map(({ arn }) => arn))]);
      const occasion: Occasion = { by: "scan", at: by.at, scan_id, actor: by.actor, policy_set_id };
      const settled = [...Map.groupBy(held, ({ arn }) => arn)].map(([arn, closures]) =>
        confirmClosures(known.get(arn) ?? NEVER_SEEN, closures, occasion),
      );
      const changes = settled.flatMap(({ findings }) => findings);
      await writeChanges(transaction, known, settled, occasion, tally);
      await releaseHeld(
        transaction,
        [...held, ...changes.map(({ finding }) => ({ finding_id: finding.id }))].map(({ finding_id }) => finding_id),
      );
      await endHeldUnit(transaction, scan_id, unit, { state: "complete", resolved: changes.length });
      closures += changes.length;
    }
    await writeTally(transaction, tally, by.at);
    return record(transaction, "confirmed", scan_id, by, { units: units.length, closures });
  });
}

/**
 * Lets go of the closures that a scan held: what it would have closed stays open. The next scan that sees the same asks again,
 * and does not take this one for an agreement; a list that this scan found too short is no measure for later ones.
 */
export async function rejectHeld(database: Database, scan_id: string, by: Decider): Promise<Decided> {
  return database.transaction(async (transaction) => {
    let closures = 0;
    await lockPolicySet(transaction, await policySetOf(transaction, scan_id));
    const units = await unitsHeldBy(transaction, scan_id);
    for (const unit of units) {
      const held = await lockHeld(transaction, unit, scan_id);
      await releaseHeld(
        transaction,
        held.map(({ finding_id }) => finding_id),
      );
      await endHeldUnit(transaction, scan_id, unit, { state: "rejected", resolved: 0 });
      closures += held.length;
    }
    return record(transaction, "rejected", scan_id, by, { units: units.length, closures });
  });
}

async function lockHeld(transaction: Database, unit: Unit, scan_id: string): Promise<HeldClosure[]> {
  await lockUnit(transaction, unit);
  return (await loadHeld(transaction, unit)).filter((one) => one.scan_id === scan_id);
}

async function record(
  transaction: Database,
  decision: HeldDecision,
  scan_id: string,
  { actor, at, reason = null }: Decider,
  decided: Decided,
): Promise<Decided> {
  if (decided.units > 0) {
    await transaction.insert(held_decisions).values({ scan_id, at, decision, actor, reason, ...decided });
    const detail = { ...decided, reason };
    await appendAudit(transaction, { at, actor, action: `scan.${decision}`, subject: scan_id, detail });
  }
  return decided;
}

/** What is still open of what was held for one resource, closed. */
function confirmClosures(known: Known, held: readonly HeldClosure[], occasion: Occasion): Changes {
  if (held.some(({ resolution }) => resolution === "resource_gone")) return reconcileGone(known, occasion);
  const resolutions = new Map(held.map(({ finding_id, resolution }) => [finding_id, resolution]));
  const findings = known.findings.flatMap((finding) => {
    const resolution = resolutions.get(finding.id);
    if (resolution === undefined || finding.state !== "open") return [];
    return resolved(finding, resolution, occasion, { source: null, proven: false });
  });
  return { resource: null, findings, unchanged: 0 };
}
