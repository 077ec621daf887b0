import { and, asc, eq, exists, gt, inArray, isNull, ne, not, sql } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import { covered_findings, isExempt } from "../findings/db/covered.ts";
import { openFights } from "../findings/db/fights.ts";
import type { Resource } from "../inventory/resource.ts";
import type { ResourceType } from "../inventory/resource-types.ts";
import { loadSurroundings, type Wanted } from "../inventory/db/surroundings.ts";
import { resources, scan_units } from "../inventory/schema.ts";
import { NOT_LOOKED_UP } from "../inventory/surroundings.ts";
import { OWN_POLICY_ID } from "../policy/own-policy.ts";
import { policy_sets } from "../policy/schema.ts";
import type { Known } from "./decide.ts";
import type { PlannableResource } from "./plan.ts";
import type { Reason } from "./schema.ts";

/** Which resources a plan looks at; an absent field means all. */
export type PlanScope = {
  readonly accounts?: readonly string[] | undefined;
  readonly regions?: readonly string[] | undefined;
  /** The units of this scan. */
  readonly scan_id?: string | undefined;
  readonly types?: readonly ResourceType[] | undefined;
};

const PAGE = 2000;

const toPlan = and(eq(covered_findings.state, "open"), ne(covered_findings.policy_id, OWN_POLICY_ID), not(isExempt));

/** Every resource that is not gone and has open findings nobody exempted, page by page, with all of those, and with what is wanted of its surroundings. */
export async function* loadPlannable(
  database: Database,
  scope: PlanScope,
  wanted: Wanted,
): AsyncGenerator<PlannableResource[]> {
  const inScope = and(
    isNull(resources.gone_at),
    scope.accounts === undefined ? undefined : inArray(resources.account_id, [...scope.accounts]),
    scope.regions === undefined ? undefined : inArray(resources.region, [...scope.regions]),
    scope.types === undefined ? undefined : inArray(resources.type, [...scope.types]),
    scope.scan_id === undefined ? undefined : exists(unitOfScan(database, scope.scan_id)),
    exists(
      database
        .select({ one: sql`1` })
        .from(covered_findings)
        .where(and(eq(covered_findings.arn, resources.arn), toPlan)),
    ),
  );
  let last = "";
  for (;;) {
    const rows = await database
      .select()
      .from(resources)
      .where(and(inScope, gt(resources.arn, last)))
      .orderBy(asc(resources.arn))
      .limit(PAGE);
    if (rows.length === 0) return;
    const arns = rows.map(({ arn }) => arn);
    const found = await database
      .select({ arn: covered_findings.arn, reason: reasonColumns })
      .from(covered_findings)
      .where(and(inArray(covered_findings.arn, arns), toPlan))
      .orderBy(asc(covered_findings.id));
    const byArn = Map.groupBy(found, ({ arn }) => arn);
    const around = await loadSurroundings(database, rows, wanted);
    const fights = await openFights(database, arns);
    yield rows.map((row) => ({
      resource: toResource(row),
      tags: row.tags,
      unread: row.reading_error?.name ?? null,
      stack: row.stack,
      around: around.get(row.arn) ?? NOT_LOOKED_UP,
      findings: (byArn.get(row.arn) ?? []).map(({ reason }) => reason),
      fights: fights.get(row.arn) ?? [],
    }));
    last = rows.at(-1)?.arn ?? last;
    if (rows.length < PAGE) return;
  }
}

/** Those of some ARNs, or patterns of them, that no live resource has. */
export async function unknownArns(database: Database, arns: readonly string[]): Promise<Set<string>> {
  const unknown = new Set(arns);
  const exact = [...unknown].filter((arn) => !arn.includes("*"));
  for (let start = 0; start < exact.length; start += PAGE) {
    const found = await database
      .select({ arn: resources.arn })
      .from(resources)
      .where(and(inArray(resources.arn, exact.slice(start, start + PAGE)), isNull(resources.gone_at)));
    for (const { arn } of found) unknown.delete(arn);
  }
  for (const pattern of [...unknown].filter((arn) => arn.includes("*"))) {
    const like = pattern.replaceAll(/[\\%_]/g, String.raw`\$&`).replaceAll("*", "%");
    const found = await database
      .select({ arn: resources.arn })
      .from(resources)
      .where(and(sql`${resources.arn} like ${like}`, isNull(resources.gone_at)))
      .limit(1);
    if (found.length > 0) unknown.delete(pattern);
  }
  return unknown;
}

/** What is known of an action's resource and findings right now. */
export async function loadKnown(
  database: Database,
  action: { readonly arn: string; readonly reasons: readonly Reason[] },
  wanted: Wanted,
): Promise<Known> {
  const [row] = await database
    .select()
    .from(resources)
    .where(and(eq(resources.arn, action.arn), isNull(resources.gone_at)));
  const [active] = await database.select({ id: policy_sets.id }).from(policy_sets).where(eq(policy_sets.active, true));
  const open = await database
    .select({ id: covered_findings.id, exempt: isExempt })
    .from(covered_findings)
    .where(
      and(
        inArray(
          covered_findings.id,
          action.reasons.map(({ finding_id }) => finding_id),
        ),
        eq(covered_findings.state, "open"),
      ),
    );
  return {
    resource: row ? toResource(row) : null,
    stack: row?.stack ?? null,
    tags: row?.tags ?? null,
    around: (row && (await loadSurroundings(database, [row], wanted)).get(row.arn)) ?? NOT_LOOKED_UP,
    policy_set_id: active?.id ?? null,
    open: new Map(open.map(({ id, exempt }) => [id, { exempt }])),
    fights: (await openFights(database, [action.arn])).get(action.arn) ?? [],
  };
}

/** The unit of a resource, where a scan has it. */
function unitOfScan(database: Database, scan_id: string) {
  return database
    .select({ one: sql`1` })
    .from(scan_units)
    .where(
      and(
        eq(scan_units.scan_id, scan_id),
        eq(scan_units.account_id, resources.account_id),
        eq(scan_units.region, resources.region),
        eq(scan_units.type, resources.type),
      ),
    );
}

const reasonColumns = {
  finding_id: covered_findings.id,
  policy_id: covered_findings.policy_id,
  rule_id: covered_findings.rule_id,
  key: covered_findings.key,
  kind: covered_findings.kind,
};

/** What a row of the inventory says of a resource, without its tags. */
export function toResource(row: typeof resources.$inferSelect): Resource {
  const { arn, account_id, region, type, name, status, created_at, updated_at, summary } = row;
  return { arn, account_id, region, type, name, status, created_at, updated_at, summary };
}
