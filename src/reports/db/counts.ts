import { type SQL, sql } from "drizzle-orm";
import { counted } from "./views.ts";

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
