import { and, eq, gt, isNull, type SQL, sql } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import type { Unit } from "../../inventory/resource.ts";
import { resources } from "../../inventory/schema.ts";
import type { FindingRow, Known, ResourceRow } from "../reconcile.ts";
import { findings } from "../schema.ts";
import { textArray } from "./insert-rows.ts";

/** What is known of some resources, in two queries. An ARN that was never recorded has a null row; each ARN is in the map. */
export async function loadKnown(database: Database, arns: readonly string[]): Promise<Map<string, Known>> {
  if (arns.length === 0) return new Map();
  const list = textArray(arns);
  const rows = await database
    .select()
    .from(resources)
    .where(sql`${resources.arn} = any(${list})`);
  const found = await database
    .select()
    .from(findings)
    .where(sql`${findings.arn} = any(${list})`);
  return joinKnown(arns, rows, found);
}

/** The next live resources in order of ARN, with their findings. Empty: there are no more. */
export async function loadLiveAfter(
  database: Database,
  arn: string,
  limit: number,
): Promise<(Known & { resource: ResourceRow })[]> {
  const rows = await database
    .select()
    .from(resources)
    .where(and(gt(resources.arn, arn), isNull(resources.gone_at)))
    .orderBy(resources.arn)
    .limit(limit);
  const found =
    rows.length === 0
      ? []
      : await database
          .select()
          .from(findings)
          .where(sql`${findings.arn} = any(${textArray(rows.map((row) => row.arn))})`);
  const byArn = groupByArn(found);
  return rows.map((resource) => ({ resource, findings: byArn.get(resource.arn) ?? [] }));
}

/** Live resources of a unit: how many are stored and not gone. */
export async function countLive(database: Database, unit: Unit): Promise<number> {
  const [row] = await database
    .select({ count: sql<number>`count(*)::int` })
    .from(resources)
    .where(liveIn(unit));
  return row?.count ?? 0;
}

/** ARNs of the live resources of a unit, in order. */
export async function liveArns(database: Database, unit: Unit): Promise<string[]> {
  const rows = await database.select({ arn: resources.arn }).from(resources).where(liveIn(unit)).orderBy(resources.arn);
  return rows.map(({ arn }) => arn);
}

/** Open findings of a unit. */
export async function countOpen(database: Database, unit: Unit): Promise<number> {
  const [row] = await database
    .select({ count: sql<number>`count(*)::int` })
    .from(findings)
    .where(
      and(
        eq(findings.account_id, unit.account_id),
        eq(findings.region, unit.region),
        eq(findings.type, unit.type),
        eq(findings.state, "open"),
      ),
    );
  return row?.count ?? 0;
}

/** What names a unit among all: an account lies in one partition. */
export type UnitKey = Pick<Unit, "account_id" | "region" | "type">;

/** A text that is different for different units. */
export function unitKey({ account_id, region, type }: UnitKey): string {
  return `${account_id}/${region}/${type}`;
}

/** Open findings of every unit that has any, by `unitKey`. */
export async function openByUnit(database: Database): Promise<Map<string, number>> {
  const { account_id, region, type, state } = findings;
  const rows = await database
    .select({ account_id, region, type, count: sql<number>`count(*)::int` })
    .from(findings)
    .where(eq(state, "open"))
    .groupBy(account_id, region, type);
  return new Map(rows.map((row) => [unitKey(row), row.count]));
}

function liveIn(unit: Unit): SQL | undefined {
  return and(
    eq(resources.account_id, unit.account_id),
    eq(resources.region, unit.region),
    eq(resources.type, unit.type),
    isNull(resources.gone_at),
  );
}

function joinKnown(
  arns: readonly string[],
  rows: readonly ResourceRow[],
  found: readonly FindingRow[],
): Map<string, Known> {
  const byArn = groupByArn(found);
  const resourceByArn = new Map(rows.map((row) => [row.arn, row]));
  return new Map(
    arns.map((arn) => [arn, { resource: resourceByArn.get(arn) ?? null, findings: byArn.get(arn) ?? [] }]),
  );
}

function groupByArn(found: readonly FindingRow[]): Map<string, FindingRow[]> {
  const byArn = new Map<string, FindingRow[]>();
  for (const finding of found) {
    const group = byArn.get(finding.arn);
    if (group) group.push(finding);
    else byArn.set(finding.arn, [finding]);
  }
  return byArn;
}
