import { and, asc, desc, eq, sql } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import { type FindingKind, SEVERITIES } from "../../policy/verdict.ts";
import { policy_rules } from "../../policy/schema.ts";
import { countsOf, type RemediationCounts } from "../../remediation/counts.ts";
import { type ActionState, plan_actions, plans } from "../../remediation/schema.ts";
import type { RuleCounts, ScanDetails, ScanReport } from "../scan-report.ts";
import { inScope, type Scope } from "./conditions.ts";
import { counted, v1_findings, v1_resources } from "./views.ts";

/** The policies of a set, in the order of their files. */
export async function policiesOf(database: Database, set_id: string | null): Promise<ScanReport["policies"]> {
  if (set_id === null) return null;
  const items = await database
    .select({
      policy_id: policy_rules.policy_id,
      title: policy_rules.title,
      owner: policy_rules.owner,
      rules: sql<number>`count(*)::integer`,
    })
    .from(policy_rules)
    .where(eq(policy_rules.policy_set_id, set_id))
    .groupBy(policy_rules.policy_id, policy_rules.title, policy_rules.owner)
    .orderBy(sql`min(${policy_rules.position})`);
  return { set_id, items };
}

/** Every rule with an open finding in a scope, exempt ones counted apart. */
export async function rulesOf(database: Database, scope: Scope): Promise<RuleCounts[]> {
  // First by resource, to count those: cheaper than `count(distinct)`, which sorts all findings.
  const found = database
    .select({
      policy_id: v1_findings.policy_id,
      rule_id: v1_findings.rule_id,
      kind: v1_findings.kind,
      title: sql<string | null>`max(${v1_findings.policy_title})`.as("title"),
      rank: sql<number>`max(${v1_findings.severity_rank})`.as("rank"),
      open: sql<number>`count(*) filter (where ${v1_findings.effective_status} = 'open')`.as("open"),
      exempt: sql<number>`count(*) filter (where ${v1_findings.effective_status} = 'exempt')`.as("exempt"),
    })
    .from(v1_findings)
    .where(and(inScope(v1_findings, scope), sql`${v1_findings.state} = 'open'`))
    .groupBy(v1_findings.policy_id, v1_findings.rule_id, v1_findings.kind, v1_findings.arn)
    .as("found");
  const rows = await database
    .select({
      policy_id: found.policy_id,
      rule_id: found.rule_id,
      kind: found.kind,
      title: sql<string | null>`max(${found.title})`,
      rank: sql<number>`max(${found.rank})`,
      open: sql<number>`sum(${found.open})::integer`,
      exempt: sql<number>`sum(${found.exempt})::integer`,
      // A resource has one finding for a rule and a key; only `forbidden` has several keys, and is then a kind of its own rule.
      resources: sql<number>`(count(*) filter (where ${found.open} > 0))::integer`,
    })
    .from(found)
    .groupBy(found.policy_id, found.rule_id, found.kind)
    .orderBy(asc(found.policy_id), asc(found.rule_id), asc(found.kind));
  const ranks = new Map<string, number>();
  const rules = new Map<string, RuleCounts & { kinds: Partial<Record<FindingKind, number>> }>();
  for (const { kind, rank, open, exempt, resources, ...row } of rows) {
    const name = JSON.stringify([row.policy_id, row.rule_id]);
    const rule = rules.get(name) ?? { ...row, severity: "low" as const, open: 0, exempt: 0, resources: 0, kinds: {} };
    rules.set(name, rule);
    ranks.set(name, Math.max(ranks.get(name) ?? 1, rank));
    rule.severity = SEVERITIES[(ranks.get(name) ?? 1) - 1] ?? "low";
    rule.open += open;
    rule.exempt += exempt;
    rule.resources += resources;
    if (open > 0) rule.kinds[kind] = open;
  }
  return [...rules.values()].sort(
    (a, b) => SEVERITIES.indexOf(b.severity) - SEVERITIES.indexOf(a.severity) || b.open - a.open,
  );
}

/** The units of a scope with noncompliant resources, the most first. */
export async function placesOf(
  database: Database,
  scope: Scope,
  limit: number,
): Promise<Pick<ScanDetails, "places" | "places_total">> {
  const noncompliant = sql<number>`(count(*) filter (where ${counted.status} = 'noncompliant'))::integer`;
  const rows = await database
    .select({
      account_id: counted.account_id,
      region: counted.region,
      type: counted.type,
      noncompliant,
      in_scope: sql<number>`(count(*) filter (where ${counted.status} <> 'not_applicable'))::integer`,
      places_total: sql<number>`(count(*) over ())::integer`,
    })
    .from(counted)
    .where(and(inScope(counted, scope), sql`${counted.what} = 'resource'`))
    .groupBy(counted.account_id, counted.region, counted.type)
    .having(sql`${noncompliant} > 0`)
    .orderBy(desc(noncompliant), asc(counted.account_id), asc(counted.region), asc(counted.type))
    .limit(limit);
  return { places: rows.map(({ places_total: _total, ...row }) => row), places_total: rows[0]?.places_total ?? 0 };
}

/** The resources with the most severe open findings, then with the most. */
export async function worstOf(database: Database, scope: Scope, limit: number): Promise<ScanDetails["worst"]> {
  const rank = sql<number>`max(${v1_findings.severity_rank})`;
  const rows = await database
    .select({
      account_id: v1_findings.account_id,
      region: v1_findings.region,
      type: v1_findings.type,
      arn: v1_findings.arn,
      name: sql<string | null>`max(${v1_findings.name})`,
      rank,
      open: sql<number>`count(*)::integer`,
      keys: sql<
        string[]
      >`coalesce(jsonb_agg(distinct ${v1_findings.key}) filter (where ${v1_findings.key} <> ''), '[]')`,
    })
    .from(v1_findings)
    .where(
      and(
        inScope(v1_findings, scope),
        sql`${v1_findings.state} = 'open'`,
        sql`${v1_findings.effective_status} = 'open'`,
      ),
    )
    .groupBy(v1_findings.account_id, v1_findings.region, v1_findings.type, v1_findings.arn)
    .orderBy(desc(rank), sql`count(*) desc`, asc(v1_findings.arn))
    .limit(limit);
  return rows.map(({ rank, ...row }) => ({ ...row, severity: SEVERITIES[rank - 1] ?? "low" }));
}

/** Why resources of a scope are unknown, the most frequent reason first, ten at most. */
export async function unknownsOf(database: Database, scope: Scope): Promise<ScanDetails["unknowns"]> {
  const reason = sql<string>`case
    when ${v1_resources.reading_error} is not null then 'tags could not be read: ' || (${v1_resources.reading_error} ->> 'name')
    when ${v1_resources.unknown_reason} is not null then ${v1_resources.unknown_reason}
    else 'the list of their unit was not read to its end' end`;
  return await database
    .select({ reason, resources: sql<number>`count(*)::integer` })
    .from(v1_resources)
    .where(and(inScope(v1_resources, scope), eq(v1_resources.status, "unknown")))
    .groupBy(sql`1`)
    .orderBy(sql`2 desc`, sql`1`)
    .limit(10);
}

/** What became of the repairs that a scan made by itself. */
export async function remediationOf(database: Database, scan_id: string): Promise<RemediationCounts> {
  const rows = await database
    .select({ state: plan_actions.state, count: sql<number>`count(*)::integer` })
    .from(plan_actions)
    .innerJoin(plans, eq(plans.id, plan_actions.plan_id))
    .where(and(eq(plans.scan_id, scan_id), eq(plans.mode, "auto")))
    .groupBy(plan_actions.state);
  const states: Record<ActionState, number> = {
    planned: 0,
    intended: 0,
    verified: 0,
    unchanged: 0,
    skipped: 0,
    conflict: 0,
    blocked: 0,
    failed: 0,
  };
  for (const { state, count } of rows) states[state] = count;
  return countsOf(states).counts;
}
