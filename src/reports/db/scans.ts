import { and, asc, desc, eq, getTableColumns, getViewSelectedFields, gte, type SQL, sql } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import type { FindingEventName } from "../../findings/finding.ts";
import type { ReadError } from "../../inventory/resource.ts";
import type { ResourceType } from "../../inventory/resource-types.ts";
import { type ScanUnitState, scan_units, scans } from "../../inventory/schema.ts";
import type { Page, PageRequest } from "../page.ts";
import { keysetPage } from "./keyset.ts";
import { v1_finding_events, v1_scans } from "./views.ts";

/** A scan with the sums over its units. */
export type ScanRow = typeof v1_scans.$inferSelect;

/** Scans, newest first. Throws PageTokenError, RangeError. */
export function scansPage(
  database: Database,
  filters: { state?: readonly ScanRow["state"][] | undefined } = {},
  request: PageRequest = {},
): Promise<Page<ScanRow>> {
  const { state } = filters;
  return keysetPage<ScanRow>(
    {
      database,
      asked: { list: "scans", filters },
      request,
      columns: [
        { column: v1_scans.created_at, type: "timestamptz" },
        { column: v1_scans.id, type: "uuid" },
      ],
      descending: true,
      where:
        state === undefined
          ? undefined
          : sql`${v1_scans.state} in (select jsonb_array_elements_text(${JSON.stringify(state)}::text::jsonb))`,
      from: sql`${v1_scans}`,
    },
    async ({ where, order, limit, sort_values }) =>
      await database
        .select({ item: getViewSelectedFields(v1_scans), sort_values })
        .from(v1_scans)
        .where(where)
        .orderBy(...order)
        .limit(limit),
  );
}

/** One scan, or null; also for what cannot be the id of a scan. */
export async function scan(database: Database, id: string): Promise<ScanRow | null> {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) return null;
  const [row] = await database.select().from(v1_scans).where(eq(v1_scans.id, id));
  return row ?? null;
}

/** The newest scan that ended; null when none has. */
export async function latestScan(database: Database): Promise<ScanRow | null> {
  const [row] = await database
    .select()
    .from(v1_scans)
    .where(sql`${v1_scans.state} in ('succeeded', 'partial', 'failed')`)
    .orderBy(desc(v1_scans.created_at), desc(v1_scans.id))
    .limit(1);
  return row ?? null;
}

/** A unit as one scan left it. */
export type ScanUnitRow = {
  account_id: string;
  region: string;
  type: ResourceType;
  state: ScanUnitState;
  listed: boolean;
  resources: number;
  pages: number;
  unread: number;
  error: ReadError | null;
  opened: number;
  reopened: number;
  changed: number;
  resolved: number;
  unchanged: number;
  held: number;
  readings_index: number;
  readings_service: number;
  readings_stored: number;
  readings_sampled: number;
  readings_mismatched: number;
  started_at: Date | null;
  finished_at: Date | null;
};

/** The units of a scan, by account, region and type. */
export async function unitsOf(database: Database, scan_id: string): Promise<ScanUnitRow[]> {
  const { scan_id: _, ...columns } = getTableColumns(scan_units);
  return await database
    .select(columns)
    .from(scan_units)
    .where(eq(scan_units.scan_id, scan_id))
    .orderBy(asc(scan_units.account_id), asc(scan_units.region), asc(scan_units.type));
}

/** How often each cause had each effect: `{opened: {observed: 3}, resolved: {fixed_observed: 2, rule_removed: 9}}`. */
export type Changes = Record<FindingEventName, Record<string, number>>;

/** What happened to findings since an instant, or in one scan, by effect and cause. */
export async function changesSince(database: Database, since: { at: Date } | { scan_id: string }): Promise<Changes> {
  const view = v1_finding_events;
  const rows = await database
    .select({ event: view.event, cause: view.cause, count: sql<number>`count(*)::integer` })
    .from(view)
    .where(
      "at" in since
        ? gte(view.at, since.at)
        : and(eq(view.scan_id, since.scan_id), gte(view.at, notBefore(since.scan_id))),
    )
    .groupBy(view.event, view.cause)
    .orderBy(view.event, view.cause);
  const changes: Changes = { opened: {}, changed: {}, reopened: {}, resolved: {} };
  for (const { event, cause, count } of rows) changes[event][cause] = count;
  return changes;
}

/** Nothing of a scan is older than this, whatever the clocks of its workers: the events of all other scans need not be looked at. */
function notBefore(scan_id: string): SQL {
  return sql`(select ${scans.created_at} - interval '1 day' from ${scans} where ${scans.id} = ${scan_id})`;
}
