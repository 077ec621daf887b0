import type { Database } from "./db/client.ts";
import { type RecordedScan, UnitRecorder, type UnitSummary } from "./findings/store.ts";
import type { UnitReading } from "./inventory/aws/read-unit.ts";
import { storeCoverage } from "./inventory/db/coverage.ts";
import { loadSurroundings } from "./inventory/db/surroundings.ts";
import type { Observation, Unit } from "./inventory/resource.ts";
import type { Surroundings } from "./inventory/surroundings.ts";
import { judge } from "./policy/judge.ts";
import type { PolicySet } from "./policy/load.ts";
import { wantedForJudging } from "./policy/needs.ts";
import type { Judgement } from "./policy/verdict.ts";
import { writesUnderWay } from "./remediation/db/under-way.ts";

/** What an audit of one unit works with. */
export type UnitAudit = {
  readonly database: Database;
  readonly scan: Omit<RecordedScan, "policy_set_id">;
  readonly unit: Unit;
  /** The unit's listing and tag reading, already begun. */
  readonly reading: UnitReading;
  readonly set: PolicySet;
  readonly settings: { readonly mass_close: { readonly share: number; readonly count: number } };
  readonly now: () => Date;
  readonly signal?: AbortSignal;
};

/**
 * Audits one unit, from listing to recorded changes: page by page it is read, judged and compared with what is known; what
 * changed is recorded at the end in one transaction. AWS errors end as the unit's state, never as an empty list.
 * Throws only when the database fails or `signal` aborts; then nothing of this unit is recorded.
 */
export async function auditUnit(audit: UnitAudit): Promise<UnitSummary> {
  const { database, scan, unit, reading, set, settings, now, signal } = audit;
  const recorded = { ...scan, policy_set_id: set.id, under_repair: writesUnderWay };
  const recorder = new UnitRecorder(database, recorded, unit, settings, now);
  const wanted = wantedForJudging(set.needs, unit.type);
  for await (const page of reading.observations) {
    const resources = page.map(({ resource }) => resource);
    const around = await loadSurroundings(database, resources, wanted);
    await recorder.add(page.map((observation) => judged(set, observation, now(), around)));
  }
  const outcome = reading.outcome();
  const summary = await recorder.finish(outcome, signal);
  if (outcome.learned) await storeCoverage(database, unit, outcome.learned);
  return summary;
}

/** Judges what was read. A resource that the judge cannot cope with is unknown, and the rest of the unit goes on. */
function judged(
  set: PolicySet,
  observation: Observation,
  now: Date,
  surroundings: ReadonlyMap<string, Surroundings>,
): { observation: Observation; judgement: Judgement | null } {
  if (observation.outcome !== "read") return { observation, judgement: null };
  const { resource, reading } = observation;
  const around = surroundings.get(resource.arn);
  try {
    const subject = { resource, tags: reading.tags, now, ...(around && { around }) };
    return { observation, judgement: judge(set, subject) };
  } catch (error) {
    const { in_index } = observation;
    const message = error instanceof Error ? error.message : String(error);
    return {
      observation: {
        resource,
        in_index,
        outcome: "unknown",
        error: { name: "JudgeError", message, operation: "judge" },
      },
      judgement: null,
    };
  }
}
