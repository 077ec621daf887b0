import type { Database } from "../../db/client.ts";
import { loadSurroundings } from "../../inventory/db/surroundings.ts";
import type { Resource, Unit } from "../../inventory/resource.ts";
import { NOT_LOOKED_UP } from "../../inventory/surroundings.ts";
import { judge } from "../../policy/judge.ts";
import type { PolicySet } from "../../policy/load.ts";
import { wantedForJudging } from "../../policy/needs.ts";
import type { Tags } from "../../tags/tags.ts";
import { contradictions } from "../mass-close.ts";
import { isOvertaken, type Recorded } from "../overtaken.ts";
import type { Changes, Known, Occasion } from "../changes.ts";
import { reconcile } from "../reconcile.ts";
import { reconcileGone } from "../reconcile-absence.ts";
import type { RecordedScan } from "../store.ts";
import { newTally } from "../tally.ts";
import { loadHeld, releaseHeld } from "./held.ts";
import { loadKnown } from "./known.ts";
import { writeTally } from "./rollups.ts";
import { serviceReadTimes } from "./service-readings.ts";
import { lockPolicySet, lockUnit } from "./units.ts";
import { writeChanges, writeServiceReadings } from "./write-changes.ts";

/** What the service said of one resource, asked for it alone. `read_at`: when it was asked. */
export type Sight = {
  readonly unit: Unit;
  readonly arn: string;
  readonly read_at: Date;
} & (
  | {
      readonly outcome: "read";
      readonly tags: Tags;
      /** As the service describes it now; null: only its tags were asked for, and the rest is as recorded. */
      readonly resource: Resource | null;
    }
  | { readonly outcome: "gone" }
);

/** `older`: the service was asked later by someone else, or will be by a write of ours, whose answer stands. `retired`: other policies are active now, and nothing was recorded. */
export type SightRecorded = "recorded" | "older" | "retired";

/**
 * Records one resource as the service shows it and judges it, as a scan would: its findings open, change and close, and nothing
 * else does. The unit stays as complete, and as old, as its last scan left it. `actor`: on what occasion.
 */
export async function recordSight(
  database: Database,
  set: PolicySet,
  sight: Sight,
  { actor, now, under_repair }: { readonly actor: string; readonly now: Date } & Pick<RecordedScan, "under_repair">,
): Promise<SightRecorded> {
  const { unit, arn, read_at } = sight;
  return database.transaction(async (transaction) => {
    if ((await lockPolicySet(transaction, set.id)) === "retired") return "retired";
    await lockUnit(transaction, unit);
    if ((await under_repair?.(transaction, [arn]))?.has(arn)) return "older";
    const stored = await loadKnown(transaction, [arn]);
    const known = stored.get(arn) ?? { resource: null, findings: [] };
    const service_read_at = (await serviceReadTimes(transaction, [arn])).get(arn) ?? null;
    if (isOlder(sight, { resource: known.resource, service_read_at }, now)) return "older";
    const occasion: Occasion = { by: "event", at: now, scan_id: null, actor, policy_set_id: set.id };
    const changes = await changesBy(transaction, set, known, sight, occasion);
    const tally = newTally();
    await writeChanges(transaction, stored, [changes], occasion, tally);
    if (sight.outcome === "read") await writeServiceReadings(transaction, [{ arn, read_at }]);
    const held = (await loadHeld(transaction, unit)).filter((one) => one.arn === arn);
    const closed = changes.findings.flatMap(({ event, finding }) => (event === "resolved" ? finding.id : []));
    await releaseHeld(transaction, [...contradictions(held, sight, changes), ...closed]);
    await writeTally(transaction, tally, now);
    return "recorded";
  });
}

/** Whether the service has said something else since: two processes may look at the same resource at the same time. */
function isOlder(sight: Sight, recorded: Recorded, now: Date): boolean {
  const { read_at } = sight;
  const resource = sight.outcome === "read" ? (sight.resource ?? recorded.resource) : null;
  if (sight.outcome === "gone" || resource === null) {
    const last = recorded.service_read_at;
    return last !== null && last > read_at && last <= now;
  }
  const reading = { tags: sight.tags, source: "service", read_at } as const;
  const observation = { resource, in_index: false, outcome: "read", reading, confirmed: true } as const;
  return isOvertaken(observation, recorded, read_at, now);
}

async function changesBy(
  transaction: Database,
  set: PolicySet,
  known: Known,
  sight: Sight,
  occasion: Occasion,
): Promise<Changes> {
  if (sight.outcome === "gone") return reconcileGone(known, occasion);
  const { tags, read_at, arn } = sight;
  const resource = sight.resource ?? known.resource;
  if (resource === null) throw new Error(`${arn} was never recorded, so its tags alone are not enough`);
  const wanted = wantedForJudging(set.needs, resource.type);
  const around = (await loadSurroundings(transaction, [resource], wanted)).get(arn) ?? NOT_LOOKED_UP;
  // What the index shows the next scan sees; until then what it showed before stands.
  const in_index = known.resource?.gone_at === null && known.resource.in_index;
  const rest = { resource, in_index, confirmed: true };
  try {
    const judgement = judge(set, { resource, tags, now: occasion.at, around });
    const reading = { tags, source: "service", read_at } as const;
    return reconcile(known, { ...rest, reading, error: null, judgement }, occasion);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    const error = { name: "JudgeError", message, operation: "judge" };
    return reconcile(known, { ...rest, reading: null, error, judgement: null }, occasion);
  }
}
