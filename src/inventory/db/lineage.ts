import { and, eq, sql } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import { type Tags, tagsFrom } from "../../tags/tags.ts";
import { type Lineage, lineageOf, type Link, parentInHand } from "../lineage.ts";
import type { ReadError, Resource } from "../resource.ts";
import type { ResourceType } from "../resource-types.ts";
import { resources, units } from "../schema.ts";
import { storedEdges, storedParent } from "./parents.ts";

/** A resource whose lineage is asked for. It need not be in the inventory yet. */
export type Asking = Pick<Resource, "arn" | "type" | "name" | "summary" | "created_at" | "updated_at">;

/**
 * The lineage of each of these resources, from what is stored: one query for each level of the tree, whatever their number.
 * Meant for a page of resources, up to a few thousand.
 */
export async function loadLineage(database: Database, asking: readonly Asking[]): Promise<Map<string, Lineage>> {
  const edges = await storedEdges(database, asking);
  const lowest = asking.map(({ arn, type, name, summary }): Link => {
    const inHand = parentInHand({ arn, type, summary });
    const parent_arn = inHand === undefined ? edges.get(arn) : inHand;
    return { arn, type, name, tags: null, unread: null, parent_arn, gone: false };
  });
  const links = new Map<string, Link>();
  let level = parentsOf(lowest, links);
  while (level.length > 0) {
    const loaded = await loadLinks(database, level);
    // What is not in the inventory ends the chain there.
    for (const link of loaded) links.set(link.arn, link);
    level = parentsOf(loaded, links);
  }
  return new Map(lowest.map((link) => [link.arn, lineageOf(link, links)]));
}

/** Parents that were not loaded yet. Each level is further up, so levels end. */
function parentsOf(level: readonly Link[], loaded: ReadonlyMap<string, Link>): string[] {
  return [...new Set(level.flatMap(({ parent_arn }) => parent_arn ?? []))].filter((arn) => !loaded.has(arn));
}

type Row = [
  arn: string,
  type: ResourceType,
  name: string,
  summary: Resource["summary"],
  parent_arn: string | null,
  gone: boolean,
  tags: Tags | null,
  reading_error: ReadError | null,
  listed: boolean | null,
  list_error: ReadError | null,
];

/** One row of JSON in place of many, as for the readings of a page. */
async function loadLinks(database: Database, arns: readonly string[]): Promise<Link[]> {
  const [reply] = await database
    .select({
      rows: sql<string | null>`json_agg(json_build_array(
        ${resources.arn}, ${resources.type}, ${resources.name}, ${resources.summary}, ${storedParent},
        ${resources.gone_at} is not null, ${resources.tags}, ${resources.reading_error}, ${units.listed}, ${units.error}))::text`,
    })
    .from(resources)
    .leftJoin(
      units,
      and(
        eq(units.account_id, resources.account_id),
        eq(units.region, resources.region),
        eq(units.type, resources.type),
      ),
    )
    .where(sql`${resources.arn} = any(${sql.param(arns)}::text[])`);
  return (JSON.parse(reply?.rows ?? "[]") as Row[]).map(toLink);
}

function toLink([arn, type, name, summary, read, gone, tags, reading_error, listed, list_error]: Row): Link {
  const inHand = parentInHand({ arn, type, summary });
  const parent_arn = inHand === undefined ? (read ?? undefined) : inHand;
  const unread = whyUnread(type, tags, reading_error, listed, list_error);
  return {
    arn,
    type,
    name,
    tags: unread === null && tags ? tagsFrom(Object.entries(tags)) : null,
    unread,
    parent_arn,
    gone,
  };
}

/** Null: the tags are what the last attempt found. As for compliance, the tags of a type that was not listed may have changed. */
function whyUnread(
  type: ResourceType,
  tags: Tags | null,
  reading_error: ReadError | null,
  listed: boolean | null,
  list_error: ReadError | null,
): string | null {
  if (reading_error) return `its tags could not be read${byOperation(reading_error)}`;
  if (tags === null) return "its tags were never read";
  if (listed === false) return `the last list of type ${type} did not reach its end${byOperation(list_error)}`;
  return null;
}

function byOperation(error: ReadError | null): string {
  return error === null ? "" : ` (${error.operation}: ${error.name})`;
}
