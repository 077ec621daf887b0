import { and, asc, eq, getTableColumns, getViewSelectedFields, inArray, sql } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import { type ScanUnitState, scan_units, scans } from "../../inventory/schema.ts";
import type { Page, PageRequest } from "../page.ts";
import type { ScanUnitRow } from "../db/scans.ts";
import { keysetPage, keysetRows, type Question, type ReadRows } from "./keyset.ts";
import { type TargetState, v1_scan_targets } from "./views.ts";

/** States of a target in a scan. */
export const TARGET_STATES = ["queued", "running", "ended", "cancelled"] as const satisfies readonly TargetState[];

/** States of a unit in a scan: those that have not ended, the good one, and those that left something to be read. */
export const UNIT_STATES = [
  "pending",
  "running",
  "complete",
  "partial",
  "denied",
  "failed",
  "held",
  "rejected",
  "superseded",
  "cancelled",
] as const satisfies readonly ScanUnitState[];

/** How units end that somebody should look at. */
export const INCOMPLETE_STATES = UNIT_STATES.slice(UNIT_STATES.indexOf("complete") + 1);

/** A target in a scan, and who works on it. */
export type ScanTargetRow = Omit<typeof v1_scan_targets.$inferSelect, "scan_id">;

/** Whether there is such a scan, at the cost of one row: the view would add up its units. */
export async function scanExists(database: Database, scan_id: string): Promise<boolean> {
  return (await database.$count(scans, eq(scans.id, scan_id))) > 0;
}

type UnitFilters = { readonly state?: readonly ScanUnitState[] | undefined };

/** The units of a scan by account, region and type, page by page: an organization has hundreds of thousands. Throws PageTokenError, RangeError. */
export function scanUnitsPage(
  database: Database,
  scan_id: string,
  filters: UnitFilters = {},
  request: PageRequest = {},
): Promise<Page<ScanUnitRow>> {
  return keysetPage(unitsQuestion(database, scan_id, filters, request), readUnits(database));
}

/** Hands over all units of a scan, 500 at a time. */
export async function eachScanUnitsPage(
  database: Database,
  scan_id: string,
  filters: UnitFilters,
  use: (units: ScanUnitRow[]) => Promise<void> | void,
): Promise<void> {
  let page_token: string | undefined;
  do {
    const question = unitsQuestion(database, scan_id, filters, { page_size: 500, page_token });
    const page = await keysetRows(question, readUnits(database));
    await use(page.items);
    page_token = page.next_page_token ?? undefined;
  } while (page_token !== undefined);
}

/** The first so many units of a scan, by account, region and type. */
export function firstScanUnits(database: Database, scan_id: string, limit: number): Promise<ScanUnitRow[]> {
  return database
    .select(unitColumns)
    .from(scan_units)
    .where(eq(scan_units.scan_id, scan_id))
    .orderBy(asc(scan_units.account_id), asc(scan_units.region), asc(scan_units.type))
    .limit(limit);
}

/** The targets of a scan, by account and region. Throws PageTokenError, RangeError. */
export function scanTargetsPage(
  database: Database,
  scan_id: string,
  filters: { readonly state?: readonly TargetState[] | undefined } = {},
  request: PageRequest = {},
): Promise<Page<ScanTargetRow>> {
  const { scan_id: of, ...columns } = getViewSelectedFields(v1_scan_targets);
  const { state } = filters;
  return keysetPage<ScanTargetRow>(
    {
      database,
      asked: { list: "scan targets", scan_id, filters },
      request,
      columns: [
        { column: v1_scan_targets.account_id, type: "text" },
        { column: v1_scan_targets.region, type: "text" },
      ],
      descending: false,
      where: and(eq(of, scan_id), state && inArray(v1_scan_targets.state, [...state])),
      from: sql`${v1_scan_targets}`,
    },
    async ({ where, order, limit, sort_values }) =>
      await database
        .select({ item: columns, sort_values })
        .from(v1_scan_targets)
        .where(where)
        .orderBy(...order)
        .limit(limit),
  );
}

/** How many units of a scan are in each state; states without any are left out. */
export async function unitsByState(
  database: Database,
  scan_id: string,
): Promise<Partial<Record<ScanUnitState, number>>> {
  const rows = await database
    .select({ state: scan_units.state, count: sql<number>`count(*)::integer` })
    .from(scan_units)
    .where(eq(scan_units.scan_id, scan_id))
    .groupBy(scan_units.state);
  const counts = new Map(rows.map(({ state, count }) => [state, count]));
  return Object.fromEntries(
    UNIT_STATES.flatMap((state) => (counts.has(state) ? [[state, counts.get(state) ?? 0]] : [])),
  );
}

/** A process that works on a scan. */
export type ScanWorker = { readonly worker: string; readonly targets: number };

/** Who works on a scan, `host:process`, the busiest first; at most 100. */
export async function workersOf(database: Database, scan_id: string): Promise<ScanWorker[]> {
  // The random part of an owner tells two processes of the same number apart, which no person needs.
  const worker = sql<string>`regexp_replace(${v1_scan_targets.lease_owner}, ':[^:]*$', '')`;
  return await database
    .select({ worker, targets: sql<number>`count(*)::integer` })
    .from(v1_scan_targets)
    .where(and(eq(v1_scan_targets.scan_id, scan_id), eq(v1_scan_targets.state, "running")))
    .groupBy(worker)
    .orderBy(sql`2 desc`, sql`1`)
    .limit(100);
}

const { scan_id: _, ...unitColumns } = getTableColumns(scan_units);

function unitsQuestion(database: Database, scan_id: string, { state }: UnitFilters, request: PageRequest): Question {
  return {
    database,
    asked: { list: "scan units", scan_id, state },
    request,
    columns: [
      { column: scan_units.account_id, type: "text" },
      { column: scan_units.region, type: "text" },
      { column: scan_units.type, type: "text" },
    ],
    descending: false,
    where: and(eq(scan_units.scan_id, scan_id), state && inArray(scan_units.state, [...state])),
    from: sql`${scan_units}`,
  };
}

function readUnits(database: Database): ReadRows<ScanUnitRow> {
  return async ({ where, order, limit, sort_values }) =>
    await database
      .select({ item: unitColumns, sort_values })
      .from(scan_units)
      .where(where)
      .orderBy(...order)
      .limit(limit);
}
