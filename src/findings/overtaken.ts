import type { Observation } from "../inventory/resource.ts";
import type { ResourceRow } from "./changes.ts";
import { ABSENCES_UNTIL_GONE } from "./reconcile-absence.ts";

/** What was recorded of a resource while a scan was on its way, by something quicker: a repair, an event. */
export type Recorded = {
  readonly resource: ResourceRow | null;
  /** When the service was last asked for its tags and answered. */
  readonly service_read_at: Date | null;
};

/**
 * Whether an observation of a scan is older than what the service has said since, which then stands as a whole, tags, status and all.
 * `began_at`: when the scan began with the unit; an observation without a time of its own is not older than that. A recorded
 * time that is not past by our clock proves nothing.
 */
export function isOvertaken(
  observation: Observation,
  { resource: stored, service_read_at }: Recorded,
  began_at: Date,
  now: Date,
): boolean {
  if (stored === null) return false;
  const age = (stored.created_at?.getTime() ?? 0) - (observation.resource.created_at?.getTime() ?? 0);
  // Under the ARN stands another resource than the one that was recorded: the one that was made later counts.
  if (stored.created_at !== null && observation.resource.created_at !== null && age !== 0) return age > 0;
  if (observation.outcome === "gone") return false;
  const at = observation.outcome === "read" ? observation.reading.read_at : began_at;
  const isLater = (time: Date | null) => time !== null && time > at && time <= now;
  // Gone because lists left it out is no answer of the service at that time; and one that was gone before may be back.
  const gone_at = stored.absences < ABSENCES_UNTIL_GONE ? stored.gone_at : null;
  return isLater(service_read_at) || (isLater(gone_at) && gone_at !== null && gone_at >= began_at);
}
