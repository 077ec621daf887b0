import { and, eq, getTableColumns, gt, isNull, type SQL, sql } from "drizzle-orm";
import type { PgTable } from "drizzle-orm/pg-core";
import type { Database } from "../../db/client.ts";
import type { Unit } from "../../inventory/resource.ts";
import { resources } from "../../inventory/schema.ts";
import type { Known, ResourceRow } from "../changes.ts";
import { findings } from "../schema.ts";
import { textArray } from "./insert-rows.ts";

/** What is known of some resources, in two queries. An ARN that was never recorded has a null row; each ARN is in the map. */
export async function loadKnown(database: Database, arns: readonly string[]): Promise<Map<string, Known>> {
  if (arns.length === 0) return new Map();
  const list = textArray(arns);
  const rows = await selectRows(database, resources, sql`${resources.arn} = any(${list})`);
  const found = await selectRows(database, findings, sql`${findings.arn} = any(${list})`);
  const resourceByArn = new Map(rows.map((row) => [row.arn, row]));
  const findingsByArn = Map.groupBy(found, ({ arn }) => arn);
  return new Map(
    arns.map((arn) => [arn, { resource: resourceByArn.get(arn) ?? null, findings: findingsByArn.get(arn) ?? [] }]),
  );
}

/** Digests of resources, by ARN, where there is one: see `digestOfState`. */
export async function loadDigests(database: Database, arns: readonly string[]): Promise<Map<string, string>> {
  if (arns.length === 0) return new Map();
  const [packed] = await database
    .select({ digests: sql<string | null>`json_object_agg(${resources.arn}, ${resources.digest})::text` })
    .from(resources)
    .where(sql`${resources.arn} = any(${textArray(arns)}) and ${resources.digest} is not null`);
  return new Map(Object.entries(JSON.parse(packed?.digests ?? "{}") as Record<string, string>));
}

/** The next live resources in order of ARN, with their findings, in one query. Empty: there are no more. */
export async function loadLiveAfter(
  database: Database,
  arn: string,
  limit: number,
): Promise<(Known & { resource: ResourceRow })[]> {
  const next = database.$with("next").as(
    database
      .select()
      .from(resources)
      .where(and(gt(resources.arn, arn), isNull(resources.gone_at)))
      .orderBy(resources.arn)
      .limit(limit),
  );
  const [packed] = await database
    .with(next)
    .select({
      rows: sql<string | null>`(select json_agg(${next} order by arn)::text from ${next})`,
      found: sql<
        string | null
      >`(select json_agg(${findings})::text from ${findings} where arn = any(array(select arn from ${next})))`,
    })
    .from(sql`(values (1)) as one`);
  const found = unpack(findings, packed?.found);
  const findingsByArn = Map.groupBy(found, (finding) => finding.arn);
  const rows = unpack(resources, packed?.rows);
  return rows.map((resource) => ({ resource, findings: findingsByArn.get(resource.arn) ?? [] }));
}

/**
 * Whole rows of a table, packed by the database into one JSON text: a steady scan looks at every row it knows, and handing
 * over twenty values for each, one by one, costs the embedded database three times as much.
 */
async function selectRows<Table extends typeof resources | typeof findings>(
  database: Database,
  table: Table,
  where: SQL,
): Promise<Table["$inferSelect"][]> {
  const source: PgTable = table;
  const [packed] = await database
    .select({ rows: sql<string | null>`json_agg(${source})::text` })
    .from(source)
    .where(where);
  return unpack(table, packed?.rows);
}

/** Rows of a table from the JSON text into which the database packed them; null is none. */
function unpack<Table extends typeof resources | typeof findings>(
  table: Table,
  json: string | null | undefined,
): Table["$inferSelect"][] {
  const rows = JSON.parse(json ?? "[]") as Record<string, unknown>[];
  const source: PgTable = table;
  const instants = Object.values(getTableColumns(source)).filter(({ dataType }) => dataType === "date");
  for (const row of rows) {
    for (const { name } of instants) if (typeof row[name] === "string") row[name] = new Date(row[name]);
  }
  return rows as Table["$inferSelect"][];
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
