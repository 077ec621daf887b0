import { and, count, eq, inArray, isNull, not, or, type SQL, sql } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import type { Listing } from "../aws/read-parents.ts";
import type { Child, ParentEdge } from "../lineage.ts";
import type { Resource, Target } from "../resource.ts";
import { RESOURCE_TYPE_NAMES, RESOURCE_TYPES, type ResourceType } from "../resource-types.ts";
import { parents, resources } from "../schema.ts";

/** Rows of one statement. */
const CHUNK = 1000;

/** Types whose parent only a description names. */
const READ_TYPES = RESOURCE_TYPE_NAMES.filter((type) => RESOURCE_TYPES[type].parent_in === "description");
const MOVING_TYPES = RESOURCE_TYPE_NAMES.filter((type) => RESOURCE_TYPES[type].moves !== null);

/**
 * The stored parent of a resource as long as that is still true, else null. It is true while the resource is the one whose parent
 * was read and, where the parent may change, was not updated since; without a time of its last update nobody knows.
 *
 * Not a join: for a page of resources a planner would rather read all parents than look a thousand of them up.
 */
export const storedParent: SQL<string | null> = sql`(
  select ${parents.parent_arn} from ${parents}
  where ${and(
    eq(parents.arn, resources.arn),
    sql`${parents.created_at} is not distinct from ${resources.created_at}`,
    or(not(inArray(resources.type, MOVING_TYPES)), eq(parents.updated_at, resources.updated_at)),
  )})`;

/** The stored parents of some resources, by ARN, as far as they are still true of them; in the same sense as `storedParent`. */
export async function storedEdges(
  database: Database,
  asking: readonly Pick<Resource, "arn" | "type" | "created_at" | "updated_at">[],
): Promise<Map<string, string>> {
  const children = asking.filter(({ type }) => READ_TYPES.includes(type));
  if (children.length === 0) return new Map();
  const { arn, parent_arn, created_at, updated_at } = parents;
  const rows = await database
    .select({ arn, parent_arn, created_at, updated_at })
    .from(parents)
    .where(sql`${arn} = any(${sql.param(children.map((child) => child.arn))}::text[])`);
  const edges = new Map(rows.map((row) => [row.arn, row]));
  return new Map(
    children.flatMap((child) => {
      const edge = edges.get(child.arn);
      return edge && isStillTrue(edge, child) ? [[child.arn, edge.parent_arn] as const] : [];
    }),
  );
}

function isStillTrue(edge: Pick<Child, "created_at" | "updated_at">, child: Omit<Child, "arn">): boolean {
  if (edge.created_at?.getTime() !== child.created_at?.getTime()) return false;
  if (RESOURCE_TYPES[child.type].moves === null) return true;
  return child.updated_at !== null && edge.updated_at?.getTime() === child.updated_at.getTime();
}

/** Stores parents that were read, a thousand a statement, in order of ARN, so that two writers never wait for each other in a ring. */
export async function storeParents(database: Database, edges: readonly ParentEdge[]): Promise<void> {
  const ordered = edges.toSorted((a, b) => (a.arn < b.arn ? -1 : 1));
  for (let start = 0; start < ordered.length; start += CHUNK) {
    await database
      .insert(parents)
      .values(ordered.slice(start, start + CHUNK))
      .onConflictDoUpdate({
        target: parents.arn,
        set: {
          parent_arn: sql`excluded.parent_arn`,
          source: sql`excluded.source`,
          read_at: sql`excluded.read_at`,
          created_at: sql`excluded.created_at`,
          updated_at: sql`excluded.updated_at`,
        },
        setWhere: sql`${parents.read_at} <= excluded.read_at`,
      });
  }
}

/**
 * The live resources of these types in a target, or those of them among `onlyArns`, whose parent has to be read: it is neither in
 * hand nor stored, or what is stored may no longer be true.
 */
export async function childrenWithoutParent(
  database: Database,
  target: Pick<Target, "account_id" | "region">,
  types: readonly ResourceType[],
  onlyArns?: readonly string[],
): Promise<Child[]> {
  const wanted = types.filter((type) => READ_TYPES.includes(type));
  if (wanted.length === 0 || onlyArns?.length === 0) return [];
  const { arn, type, created_at, updated_at } = resources;
  return database
    .select({ arn, type, created_at, updated_at })
    .from(resources)
    .where(
      and(liveIn(target, wanted), isNull(storedParent), onlyArns && sql`${arn} = any(${sql.param(onlyArns)}::text[])`),
    )
    .orderBy(arn);
}

/** What it would take to list a type in a target parent by parent. */
export async function listingOf(
  database: Database,
  target: Pick<Target, "account_id" | "region">,
  type: ResourceType,
): Promise<Listing> {
  const { parent } = RESOURCE_TYPES[type];
  const above = await database
    .select({ arn: resources.arn })
    .from(resources)
    .where(liveIn(target, parent === null ? [] : [parent]))
    .orderBy(resources.arn);
  const [row] = await database
    .select({ children: count() })
    .from(resources)
    .where(liveIn(target, [type]));
  return { parents: above.map(({ arn }) => arn), children: row?.children ?? 0 };
}

function liveIn({ account_id, region }: Pick<Target, "account_id" | "region">, types: ResourceType[]): SQL | undefined {
  return and(
    eq(resources.account_id, account_id),
    eq(resources.region, region),
    inArray(resources.type, types),
    isNull(resources.gone_at),
  );
}
