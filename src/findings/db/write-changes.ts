import { sql } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import { resources, service_readings } from "../../inventory/schema.ts";
import type { FindingChange, Occasion, ResourceRow } from "../reconcile.ts";
import { finding_events, findings } from "../schema.ts";
import { insertRows, orReplace } from "./insert-rows.ts";

/** When the service was asked for a resource's tags and answered. */
export type ServiceReading = typeof service_readings.$inferInsert;

/**
 * Writes resources by ARN, findings by identity, and an event for each change of a finding. The caller holds the transaction,
 * and the lock on the units that the rows belong to; with the fixed order two writers never wait for each other in a ring.
 */
export async function writeChanges(
  database: Database,
  rows: readonly ResourceRow[],
  changes: readonly FindingChange[],
  occasion: Occasion,
): Promise<void> {
  await insertRows(database, resources, rows.toSorted(byText("arn")), orReplace(resources, resources.arn));
  const ordered = changes.toSorted((a, b) => compare(a.finding.id, b.finding.id));
  await insertRows(
    database,
    findings,
    ordered.map(({ finding }) => finding),
    orReplace(findings, findings.id),
  );
  await insertRows(
    database,
    finding_events,
    ordered.map((change) => eventOf(change, occasion)),
  );
}

/** Notes when the service was asked. A reading never moves back in time. */
export async function writeServiceReadings(database: Database, readings: readonly ServiceReading[]): Promise<void> {
  await insertRows(
    database,
    service_readings,
    readings.toSorted(byText("arn")),
    sql`on conflict (arn) do update set read_at = excluded.read_at where ${service_readings}.read_at < excluded.read_at`,
  );
}

function eventOf(
  { event, cause, finding, source }: FindingChange,
  occasion: Occasion,
): typeof finding_events.$inferInsert {
  const { kind, severity, detail } = finding;
  const { at, policy_set_id, scan_id, actor } = occasion;
  return { finding_id: finding.id, at, event, cause, kind, severity, detail, source, policy_set_id, scan_id, actor };
}

function byText<Key extends string>(key: Key): (a: Record<Key, string>, b: Record<Key, string>) => number {
  return (a, b) => compare(a[key], b[key]);
}

/** By code unit, the same on every machine, whatever the database's collation. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
