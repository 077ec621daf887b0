import { and, type SQL, sql } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import type { Severity } from "../../policy/verdict.ts";
import type { BreakdownRow } from "../store.ts";
import { inScope, type Scope } from "./conditions.ts";
import { counted, v1_findings } from "./views.ts";

const having = (...statuses: string[]): SQL =>
  sql`count(*) filter (where ${counted.status} in (${sql.join(
    statuses.map((status) => sql.raw(`'${status}'`)),
    sql`, `,
  )}))`;
const evaluated = having("compliant", "noncompliant", "exempt");
const applicable = having("compliant", "noncompliant", "exempt", "unknown");

/** The same sums as the views v1_compliance_*, for any scope; a test compares them. */
export const resourceCounts = {
  compliant: sql<number>`(${having("compliant")})::integer`,
  noncompliant: sql<number>`(${having("noncompliant")})::integer`,
  exempt: sql<number>`(${having("exempt")})::integer`,
  unknown: sql<number>`(${having("unknown")})::integer`,
  not_applicable: sql<number>`(${having("not_applicable")})::integer`,
  ratio: sql<number | null>`reporting.ratio(${having("compliant")}, ${having("compliant", "noncompliant")})`,
  strict_ratio: sql<
    number | null
  >`case when ${evaluated} > 0 then reporting.ratio(${having("compliant")}, ${applicable}) end`,
  coverage: sql<
    number | null
  >`case when count(*) filter (where ${counted.unit_never_read}) = 0 then reporting.ratio(${evaluated}, ${applicable}) end`,
  units_incomplete: sql<number>`(count(*) filter (where ${counted.unit_incomplete}))::integer`,
  units_never_read: sql<number>`(count(*) filter (where ${counted.unit_never_read}))::integer`,
};

/** Open findings of a group. */
export const findingCounts = {
  open_findings: sql<number>`(count(*) filter (where ${counted.effective_status} = 'open'))::integer`,
  exempt_findings: sql<number>`(count(*) filter (where ${counted.effective_status} = 'exempt'))::integer`,
};

/** Open findings by key or by rule, most noncompliant resources first. */
export async function findingBreakdown(database: Database, by: "key" | "rule", scope: Scope): Promise<BreakdownRow[]> {
  const group = by === "key" ? sql`${v1_findings.key}` : sql`${v1_findings.policy_id} || '/' || ${v1_findings.rule_id}`;
  const noncompliant = sql<number>`(count(distinct ${v1_findings.arn}) filter (where ${v1_findings.effective_status} = 'open'))::integer`;
  const rows = await database
    .select({
      group: sql<string>`${group}`.as("grouped"),
      noncompliant,
      exempt: sql<number>`(count(distinct ${v1_findings.arn}) filter (where ${v1_findings.effective_status} = 'exempt'))::integer`,
      open_findings: sql<number>`(count(*) filter (where ${v1_findings.effective_status} = 'open'))::integer`,
      exempt_findings: sql<number>`(count(*) filter (where ${v1_findings.effective_status} = 'exempt'))::integer`,
      oldest_opened_at:
        sql`min(${v1_findings.opened_at}) filter (where ${v1_findings.effective_status} = 'open')`.mapWith(
          v1_findings.opened_at,
        ),
      title: by === "rule" ? sql<string | null>`max(${v1_findings.policy_title})` : sql<null>`null`,
      severity: by === "rule" ? SEVERITY_MAX : sql<null>`null`,
    })
    .from(v1_findings)
    .where(and(inScope(v1_findings, scope), sql`${v1_findings.state} = 'open'`))
    .groupBy(sql`1`)
    .orderBy(sql`2 desc`, sql`1`);
  return rows.map((row) => ({ ...row, ...unknownCounts }));
}

/** The worst severity among the rows of a group. */
const SEVERITY_MAX = sql<Severity>`case max(${v1_findings.severity_rank}) when 4 then 'critical' when 3 then 'high' when 2 then 'medium' else 'low' end`;

const unknownCounts = {
  compliant: null,
  unknown: null,
  not_applicable: null,
  ratio: null,
  strict_ratio: null,
  coverage: null,
  units_incomplete: null,
  units_never_read: null,
};
