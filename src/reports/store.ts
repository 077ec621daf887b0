import { and, asc, desc, eq, getViewSelectedFields, sql } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import { scan_units } from "../inventory/schema.ts";
import type { Severity } from "../policy/verdict.ts";
import { policy_sets } from "../policy/schema.ts";
import {
  type FindingFilters,
  findingsWhere,
  inScope,
  type ResourceFilters,
  resourcesWhere,
  type Scope,
} from "./db/conditions.ts";
import { findingBreakdown, findingCounts, resourceCounts } from "./db/counts.ts";
import { keysetPage, keysetRows, type Question, type ReadRows, type SortColumn } from "./db/keyset.ts";
import { counted, v1_compliance_by_rule, v1_finding_events, v1_findings, v1_resources, v1_units } from "./db/views.ts";
import type { Page, PageRequest } from "./page.ts";

/** Counts of resources, and what follows from them. Ratios are 0 to 1, rounded down to three decimals; null: nothing was evaluated. */
export type Compliance = {
  compliant: number;
  noncompliant: number;
  exempt: number;
  /** Not read, or not judged: never a pass. */
  unknown: number;
  not_applicable: number;
  /** compliant ÷ (compliant + noncompliant) */
  ratio: number | null;
  /** compliant ÷ all in scope: exempt and unknown count against it. */
  strict_ratio: number | null;
  /** Share of resources in scope that are not unknown; null while a unit in scope was never read. */
  coverage: number | null;
  units_incomplete: number;
  units_never_read: number;
};

/** Compliance of a scope as of now. */
export async function compliance(database: Database, scope: Scope = {}): Promise<Compliance> {
  const [row] = await database
    .select(resourceCounts)
    .from(counted)
    .where(and(inScope(counted, scope), sql`${counted.what} <> 'finding'`));
  return withUnstartedUnits(database, scope, { ...zero, ...row });
}

/** A row of a breakdown. For `key` and `rule` only resources with findings are known: the other counts are null. */
export type BreakdownRow = {
  /** Value of what it is broken down by; a rule as `policy/rule`; null: no owner is named. */
  group: string | null;
  compliant: number | null;
  noncompliant: number;
  exempt: number;
  unknown: number | null;
  not_applicable: number | null;
  ratio: number | null;
  strict_ratio: number | null;
  coverage: number | null;
  units_incomplete: number | null;
  units_never_read: number | null;
  open_findings: number;
  exempt_findings: number;
  /** Of the oldest open finding, for `key` and `rule`. */
  oldest_opened_at: Date | null;
  /** For `rule`. */
  title: string | null;
  severity: Severity | null;
};

export type BreakdownBy = "type" | "account_id" | "region" | "owner" | "key" | "rule";

/** Compliance or findings by one dimension, worst first: most noncompliant resources, then by name. */
export async function breakdown(database: Database, by: BreakdownBy, scope: Scope = {}): Promise<BreakdownRow[]> {
  if (by === "key" || by === "rule") return findingBreakdown(database, by, scope);
  const group = counted[by];
  const ofUnits = by === "owner" ? sql`${counted.unit_incomplete} is null` : undefined;
  const rows = await database
    .select({ group: sql<string | null>`${group}`, ...resourceCounts, ...findingCounts })
    .from(counted)
    .where(and(inScope(counted, scope), ofUnits))
    .groupBy(group)
    .orderBy(sql`${resourceCounts.noncompliant} desc`, asc(group));
  const whole = by === "owner" ? await compliance(database, scope) : null;
  return rows.map((row) => ({
    ...row,
    // An unread unit may hold resources of any owner.
    ...(whole && {
      units_incomplete: whole.units_incomplete,
      units_never_read: whole.units_never_read,
      coverage: whole.units_never_read > 0 ? null : row.coverage,
    }),
    oldest_opened_at: null,
    title: null,
    severity: null,
  }));
}

const zero: Compliance = {
  compliant: 0,
  noncompliant: 0,
  exempt: 0,
  unknown: 0,
  not_applicable: 0,
  ratio: null,
  strict_ratio: null,
  coverage: null,
  units_incomplete: 0,
  units_never_read: 0,
};

/** A scan may have units that no attempt has reached yet: they were never read either. */
async function withUnstartedUnits(database: Database, scope: Scope, found: Compliance): Promise<Compliance> {
  if (scope.scan_id === undefined) return found;
  const [row] = await database
    .select({ count: sql<number>`count(*)::integer` })
    .from(scan_units)
    .where(
      and(
        inScope(scan_units, scope),
        eq(scan_units.scan_id, scope.scan_id),
        sql`not exists (select from units u where u.account_id = ${scan_units.account_id} and u.region = ${scan_units.region} and u.type = ${scan_units.type})`,
      ),
    );
  const unstarted = row?.count ?? 0;
  if (unstarted === 0) return found;
  return {
    ...found,
    coverage: null,
    units_incomplete: found.units_incomplete + unstarted,
    units_never_read: found.units_never_read + unstarted,
  };
}

/** A finding as reports show it: values of sensitive rules are masked. */
export type FindingRow = typeof v1_findings.$inferSelect;
/** A live resource with its compliance: values of sensitive keys are masked. */
export type ResourceRow = typeof v1_resources.$inferSelect;
/** Something that happened to a finding. */
export type FindingEventRow = typeof v1_finding_events.$inferSelect;
/** A rule with its open findings; those of the active set without any included. */
export type RuleRow = typeof v1_compliance_by_rule.$inferSelect;
/** A unit and how the last attempt to read it ended. */
export type UnitRow = typeof v1_units.$inferSelect;

/** What a list of findings may be sorted by. With `-` in front: descending. Severity sorts by rank, then by the start of the episode. */
export const FINDING_SORTS = [
  "-severity",
  "severity",
  "-opened_at",
  "opened_at",
  "account_id",
  "-account_id",
  "arn",
  "-arn",
] as const;
export type FindingSort = (typeof FINDING_SORTS)[number];

const opened: SortColumn = { column: v1_findings.opened_at, type: "timestamptz" };
const findingOrder: Record<string, SortColumn[]> = {
  severity: [{ column: v1_findings.severity_rank, type: "integer" }, opened],
  opened_at: [opened],
  account_id: [{ column: v1_findings.account_id, type: "text" }],
  arn: [{ column: v1_findings.arn, type: "text" }],
};

/** Findings, by default open and not exempt, the most severe first. Throws PageTokenError, RangeError. */
export async function findingsPage(
  database: Database,
  filters: FindingFilters = {},
  request: PageRequest & { sort?: FindingSort | undefined } = {},
): Promise<Page<FindingRow>> {
  return await keysetPage(findingsQuestion(database, filters, request), readFindings(database));
}

/** Hands over every finding of a list, 500 at a time, as of one instant. */
export async function eachFindingsPage(
  database: Database,
  filters: FindingFilters,
  sort: FindingSort | undefined,
  use: (rows: FindingRow[]) => Promise<void>,
): Promise<void> {
  await database.transaction(
    async (snapshot) => {
      let page_token: string | undefined;
      do {
        const question = findingsQuestion(snapshot, filters, { sort, page_size: 500, page_token });
        const page = await keysetRows(question, readFindings(snapshot));
        await use(page.items);
        page_token = page.next_page_token ?? undefined;
      } while (page_token !== undefined);
    },
    { isolationLevel: "repeatable read", accessMode: "read only" },
  );
}

function findingsQuestion(
  database: Database,
  filters: FindingFilters,
  request: PageRequest & { sort?: FindingSort | undefined },
): Question {
  const sort = request.sort ?? "-severity";
  return {
    database,
    asked: { list: "findings", filters, sort },
    request,
    columns: [...(findingOrder[sort.replace("-", "")] ?? []), { column: v1_findings.id, type: "text" }],
    descending: sort.startsWith("-"),
    where: findingsWhere(filters),
    from: sql`${v1_findings}`,
  };
}

function readFindings(database: Database): ReadRows<FindingRow> {
  return async ({ where, order, limit, sort_values }) =>
    await database
      .select({ item: getViewSelectedFields(v1_findings), sort_values })
      .from(v1_findings)
      .where(where)
      .orderBy(...order)
      .limit(limit);
}

/** One finding, or null. */
export async function finding(database: Database, id: string): Promise<FindingRow | null> {
  const [row] = await database.select().from(v1_findings).where(eq(v1_findings.id, id));
  return row ?? null;
}

/** What happened to a finding, oldest first. */
export async function findingHistory(database: Database, finding_id: string): Promise<FindingEventRow[]> {
  return await database
    .select()
    .from(v1_finding_events)
    .where(eq(v1_finding_events.finding_id, finding_id))
    .orderBy(asc(v1_finding_events.id));
}

/** Open findings of a scope that are not exempt, by severity. */
export async function openBySeverity(database: Database, scope: Scope = {}): Promise<Record<Severity, number>> {
  const rows = await database
    .select({ severity: v1_findings.severity, count: sql<number>`count(*)::integer` })
    .from(v1_findings)
    .where(findingsWhere({ ...scope, effective_status: "open" }))
    .groupBy(v1_findings.severity);
  return {
    low: 0,
    medium: 0,
    high: 0,
    critical: 0,
    ...Object.fromEntries(rows.map((row) => [row.severity, row.count])),
  };
}

/** Every rule of the active set and every other that still has open findings, the one with most noncompliant resources first. */
export async function rules(database: Database): Promise<RuleRow[]> {
  const view = v1_compliance_by_rule;
  return await database.select().from(view).orderBy(desc(view.noncompliant), asc(view.policy_id), asc(view.rule_id));
}

/** Live resources by ARN. Throws PageTokenError, RangeError. */
export function resourcesPage(
  database: Database,
  filters: ResourceFilters = {},
  request: PageRequest = {},
): Promise<Page<ResourceRow>> {
  return keysetPage<ResourceRow>(
    {
      database,
      asked: { list: "resources", filters },
      request,
      columns: [{ column: v1_resources.arn, type: "text" }],
      descending: false,
      where: resourcesWhere(filters),
      from: sql`${v1_resources}`,
    },
    async ({ where, order, limit, sort_values }) =>
      await database
        .select({ item: getViewSelectedFields(v1_resources), sort_values })
        .from(v1_resources)
        .where(where)
        .orderBy(...order)
        .limit(limit),
  );
}

/** A live resource with all its findings, open ones first and worst first, and the latest 100 of what happened to them, newest first. */
export type ResourceDetail = ResourceRow & { findings: FindingRow[]; history: FindingEventRow[] };

/** One live resource, or null when it is gone or was never seen. */
export async function resource(database: Database, arn: string): Promise<ResourceDetail | null> {
  const [[row], findings, history] = await Promise.all([
    database.select().from(v1_resources).where(eq(v1_resources.arn, arn)),
    database
      .select()
      .from(v1_findings)
      .where(eq(v1_findings.arn, arn))
      .orderBy(asc(v1_findings.state), desc(v1_findings.severity_rank), asc(v1_findings.id)),
    database
      .select()
      .from(v1_finding_events)
      .where(eq(v1_finding_events.arn, arn))
      .orderBy(desc(v1_finding_events.id))
      .limit(100),
  ]);
  return row ? { ...row, findings, history } : null;
}

/** Every unit that was ever in scope, by account, region and type. */
export async function units(database: Database, scope: Scope = {}): Promise<UnitRow[]> {
  return await database
    .select()
    .from(v1_units)
    .where(inScope(v1_units, scope))
    .orderBy(asc(v1_units.account_id), asc(v1_units.region), asc(v1_units.type));
}

/** What the numbers rest on: the active set of policies and how fresh the units are. */
export type Basis = {
  policy_set_id: string | null;
  policy_version: number | null;
  /** The oldest and the newest instant at which a unit was last listed to its end. */
  oldest_listed_at: Date | null;
  newest_listed_at: Date | null;
};

/** What compliance of a scope rests on. */
export async function basis(database: Database, scope: Scope = {}): Promise<Basis> {
  const [[active], [fresh]] = await Promise.all([
    database
      .select({ id: policy_sets.id, version: policy_sets.version })
      .from(policy_sets)
      .where(eq(policy_sets.active, true)),
    database
      .select({
        oldest_listed_at: sql`min(${v1_units.listed_at})`.mapWith(v1_units.listed_at),
        newest_listed_at: sql`max(${v1_units.listed_at})`.mapWith(v1_units.listed_at),
      })
      .from(v1_units)
      .where(inScope(v1_units, scope)),
  ]);
  return {
    policy_set_id: active?.id ?? null,
    policy_version: active?.version ?? null,
    oldest_listed_at: fresh?.oldest_listed_at ?? null,
    newest_listed_at: fresh?.newest_listed_at ?? null,
  };
}
