import { and, eq, inArray, or, type SQL, sql } from "drizzle-orm";
import type { AnyPgColumn } from "drizzle-orm/pg-core";
import type { ResourceType } from "../../inventory/resource-types.ts";
import type { FindingKind, Severity } from "../../policy/verdict.ts";
import { type ComplianceStatus, type EffectiveStatus, v1_findings, v1_resources } from "./views.ts";

/** What part of the inventory is asked about. Fields narrow each other; an absent one narrows nothing. */
export type Scope = {
  /** The units of this scan. */
  readonly scan_id?: string | undefined;
  readonly units?: readonly { account_id: string; region: string; type: ResourceType }[] | undefined;
  readonly account_id?: readonly string[] | undefined;
  readonly region?: readonly string[] | undefined;
  readonly type?: readonly ResourceType[] | undefined;
};

/** Filters of findings. Lists are OR inside a field; fields are AND. */
export type FindingFilters = Scope & {
  /** Default: open and not exempt. `all` shows every finding. */
  readonly effective_status?: EffectiveStatus | "all" | undefined;
  /** As scans see it, whatever a person decided. */
  readonly state?: "open" | "resolved" | undefined;
  readonly severity?: readonly Severity[] | undefined;
  readonly kind?: readonly FindingKind[] | undefined;
  readonly policy_id?: readonly string[] | undefined;
  /** `rule`, or `policy/rule`. */
  readonly rule?: readonly string[] | undefined;
  readonly key?: readonly string[] | undefined;
  readonly arn?: readonly string[] | undefined;
  /** Owner of the resource; "" means that nobody is named. */
  readonly owner?: readonly string[] | undefined;
  /** Part of the ARN or of the name, in any case. */
  readonly q?: string | undefined;
};

/** Filters of resources. Lists are OR inside a field; fields are AND. */
export type ResourceFilters = Scope & {
  readonly status?: readonly ComplianceStatus[] | undefined;
  /** Has a tag with this exact key, whatever its value. */
  readonly has_tag?: readonly string[] | undefined;
  /** Has no tag with this exact key, and its tags were read. */
  readonly lacks_tag?: readonly string[] | undefined;
  readonly owner?: readonly string[] | undefined;
  readonly q?: string | undefined;
};

type UnitColumns = {
  account_id: AnyPgColumn | SQL.Aliased;
  region: AnyPgColumn | SQL.Aliased;
  type: AnyPgColumn | SQL.Aliased;
};

/** Rows of a view with the columns of a unit that lie in a scope; undefined: all of them. */
export function inScope(view: UnitColumns, scope: Scope): SQL | undefined {
  const unit = sql`(${view.account_id}, ${view.region}, ${view.type})`;
  return and(
    scope.scan_id === undefined ? undefined : inScan(view, scope.scan_id),
    scope.units === undefined
      ? undefined
      : sql`${unit} in (select account_id, region, type from jsonb_to_recordset(${JSON.stringify(scope.units)}::text::jsonb) as given(account_id text, region text, type text))`,
    anyOf(view.account_id, scope.account_id),
    anyOf(view.region, scope.region),
    anyOf(view.type, scope.type),
  );
}

/**
 * Rows that lie in a unit of a scan. Statistics know nothing of the newest scan, and as a plain `in` the planner takes its units for
 * a single one and reads the inventory once for each; with `is true` they are hashed, and it is read once. The account alone
 * is said apart, because an index can find it.
 */
function inScan({ account_id, region, type }: UnitColumns, scan_id: string): SQL | undefined {
  return and(
    sql`${account_id} = any(array(select distinct account_id from scan_units where scan_id = ${scan_id}))`,
    sql`((${account_id}, ${region}, ${type}) in (select account_id, region, type from scan_units where scan_id = ${scan_id})) is true`,
  );
}

/** The condition of a findings list. */
export function findingsWhere(filters: FindingFilters): SQL | undefined {
  const view = v1_findings;
  return and(
    inScope(view, filters),
    effectively(filters.effective_status ?? (filters.state === undefined ? "open" : "all")),
    filters.state === undefined ? undefined : filters.state === "open" ? OPEN : RESOLVED,
    anyOf(view.severity, filters.severity),
    anyOf(view.kind, filters.kind),
    anyOf(view.policy_id, filters.policy_id),
    filters.rule === undefined ? undefined : (or(...filters.rule.map(rule)) ?? sql`false`),
    anyOf(view.key, filters.key),
    anyOf(view.arn, filters.arn),
    owned(view.owner, filters.owner),
    contains(filters.q, view.arn, view.name),
  );
}

/** The condition of a resources list. */
export function resourcesWhere(filters: ResourceFilters): SQL | undefined {
  const view = v1_resources;
  return and(
    inScope(view, filters),
    anyOf(view.status, filters.status),
    ...(filters.has_tag ?? []).map((key) => sql`${view.tags} ->> ${key} is not null`),
    ...(filters.lacks_tag ?? []).map((key) => sql`${view.tags} is not null and ${view.tags} ->> ${key} is null`),
    owned(view.owner, filters.owner),
    contains(filters.q, view.arn, view.name),
  );
}

// Written out, not as parameters: the planner takes the partial indexes over open findings only when it sees the word.
const OPEN = sql`${v1_findings.state} = 'open'`;
const RESOLVED = sql`${v1_findings.state} = 'resolved'`;

function effectively(status: EffectiveStatus | "all"): SQL | undefined {
  if (status === "all") return undefined;
  if (status === "resolved") return RESOLVED;
  return and(
    OPEN,
    status === "open" ? sql`${v1_findings.effective_status} = 'open'` : sql`${v1_findings.effective_status} = 'exempt'`,
  );
}

function anyOf(column: AnyPgColumn | SQL.Aliased, values: readonly string[] | undefined): SQL | undefined {
  if (values === undefined) return undefined;
  const [first] = values;
  if (first === undefined) return sql`false`;
  return values.length === 1 ? eq(column as AnyPgColumn, first) : inArray(column as AnyPgColumn, [...values]);
}

function rule(name: string): SQL | undefined {
  const slash = name.indexOf("/");
  if (slash < 0) return eq(v1_findings.rule_id, name);
  return and(eq(v1_findings.policy_id, name.slice(0, slash)), eq(v1_findings.rule_id, name.slice(slash + 1)));
}

function owned(column: AnyPgColumn, owners: readonly string[] | undefined): SQL | undefined {
  if (owners === undefined) return undefined;
  const named = owners.filter((owner) => owner !== "");
  return or(anyOf(column, named), named.length < owners.length ? sql`${column} is null` : undefined);
}

function contains(text: string | undefined, ...columns: AnyPgColumn[]): SQL | undefined {
  if (text === undefined || text === "") return undefined;
  const pattern = `%${text.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
  return or(...columns.map((column) => sql`${column} ilike ${pattern}`));
}
