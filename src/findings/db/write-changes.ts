import { sql } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import { resources, service_readings } from "../../inventory/schema.ts";
import { digestOfState } from "../digest.ts";
import type { Changes, FindingChange, Known, Occasion, ResourceRow } from "../changes.ts";
import { finding_events, findings } from "../schema.ts";
import { countChanges, type Tally } from "../tally.ts";
import { insertRows, orReplace } from "./insert-rows.ts";

/** When the service was asked for a resource's tags and answered. */
export type ServiceReading = typeof service_readings.$inferInsert;

/**
 * Writes resources by ARN, findings by identity, and an event for each change of a finding; and the digest of each state that
 * results. Nothing else writes resources or findings, so that no digest is of another state than the one beside it. `all`: at
 * most one for each resource; `known`: what they are the changes of, by ARN. What they do to the daily numbers is added to
 * `tally`, which the caller writes at the end (rollups.ts).
 *
 * The caller holds the transaction, and the lock on the units that the rows belong to; with the fixed order two writers never
 * wait for each other in a ring.
 */
export async function writeChanges(
  database: Database,
  known: ReadonlyMap<string, Known>,
  all: readonly Changes[],
  occasion: Occasion,
  tally: Tally,
): Promise<void> {
  countChanges(tally, known, all);
  const rows = all.flatMap((changes) =>
    changes.resource === null ? [] : { ...changes.resource, digest: digestAfter(known, changes) },
  );
  await insertRows(database, resources, rows.toSorted(byText("arn")), orReplace(resources, resources.arn));
  const ordered = all.flatMap(({ findings }) => findings).toSorted((a, b) => compare(a.finding.id, b.finding.id));
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
  const others = all.flatMap((changes) => {
    const [change] = changes.findings;
    return changes.resource !== null || !change ? [] : { arn: change.finding.arn, digest: digestAfter(known, changes) };
  });
  await writeDigests(database, others.toSorted(byText("arn")));
}

/** Digest of what is stored of a resource once changes to it were written. */
function digestAfter(known: ReadonlyMap<string, Known>, { resource, findings }: Changes): string | null {
  const arn = resource?.arn ?? findings[0]?.finding.arn ?? "";
  const before = known.get(arn);
  const row = resource ?? before?.resource ?? null;
  if (row === null) return null;
  const after = new Map(before?.findings.map((finding) => [finding.id, finding]));
  for (const { finding } of findings) after.set(finding.id, finding);
  return digestOfState(row, [...after.values()]);
}

/** Writes the digests of resources whose findings have other names than before, and say the same. */
export async function restoreDigests(
  database: Database,
  known: readonly (Known & { readonly resource: ResourceRow })[],
): Promise<void> {
  const rows = known.map(({ resource, findings }) => ({
    arn: resource.arn,
    digest: digestOfState(resource, findings),
  }));
  await writeDigests(database, rows.toSorted(byText("arn")));
}

/** Writes digests where they are others than before. */
async function writeDigests(
  database: Database,
  rows: readonly { readonly arn: string; readonly digest: string | null }[],
): Promise<void> {
  if (rows.length === 0) return;
  const given = sql`jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as given(arn text, digest text)`;
  await database.execute(
    sql`update ${resources} set digest = given.digest from ${given} where ${resources.arn} = given.arn and ${resources.digest} is distinct from given.digest`,
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
