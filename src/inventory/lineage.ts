import type { Tags } from "../tags/tags.ts";
import type { Resource } from "./resource.ts";
import { RESOURCE_TYPE_NAMES, RESOURCE_TYPES, type ResourceType } from "./resource-types.ts";

/** One resource above another. `tags` null: they were never read, or the last attempt failed (`unread` says why). */
export type Ancestor = {
  readonly arn: string;
  readonly type: ResourceType;
  readonly name: string;
  readonly tags: Tags | null;
  readonly unread: string | null;
};

/**
 * What stands above a resource, nearest first; or why that is not known. A chain that ends early because a parent is gone or
 * not in the inventory says so.
 */
export type Lineage =
  | { readonly known: true; readonly ancestors: readonly Ancestor[] }
  /** `ancestors`: the part below the gap. */
  | { readonly known: false; readonly reason: string; readonly ancestors: readonly Ancestor[] };

/** A resource whose parent has to be read, with the times that show later whether it is still the same and in the same place. */
export type Child = Pick<Resource, "arn" | "type" | "created_at" | "updated_at">;

/** A parent that was read. `list`: the list of that parent's children showed it. `describe`: its own description names it. */
export type ParentEdge = Omit<Child, "type"> & {
  readonly parent_arn: string;
  readonly source: "list" | "describe";
  /** When the answered question was asked. */
  readonly read_at: Date;
};

/** What the inventory holds of one resource in a chain. */
export type Link = Ancestor & {
  /** As in `parentInHand`, or as it was read; undefined: it was not. */
  readonly parent_arn: string | null | undefined;
  readonly gone: boolean;
};

/** The version that a solution happens to have last: a campaign may name it in place of a version, and it is no resource. */
const LATEST = "/$LATEST";

/** The types that can stand above a type, nearest first. */
export function typesAbove(type: ResourceType): ResourceType[] {
  const above: ResourceType[] = [];
  let parent: ResourceType | null = RESOURCE_TYPES[type].parent;
  while (parent !== null) {
    above.push(parent);
    parent = RESOURCE_TYPES[parent].parent;
  }
  return above;
}

/** The most resources that a chain can have, its lowest included. */
export const LONGEST_CHAIN = 1 + Math.max(...RESOURCE_TYPE_NAMES.map((type) => typesAbove(type).length));

/** The parent's ARN as far as the ARN itself or the summary tells it; undefined: it has to be read; null: a root. */
export function parentInHand({
  arn,
  type,
  summary,
}: Pick<Resource, "arn" | "type" | "summary">): string | null | undefined {
  const { parent, parent_in } = RESOURCE_TYPES[type];
  if (parent === null) return null;
  if (parent_in === "arn") return parentInArn(arn, parent);
  const named = parent_in === "summary" ? summary[RESOURCE_TYPES[parent].arn_field] : undefined;
  return typeof named === "string" && named !== "" ? standing(named) : undefined;
}

/** The ARN of what the second part of an ARN names: the solution of a version, the group of a dataset. */
export function parentInArn(arn: string, parent: ResourceType): string {
  const start = arn.lastIndexOf(":") + 1;
  return `${arn.slice(0, start)}${RESOURCE_TYPES[parent].arn_prefix}/${arn.slice(start).split("/")[1] ?? ""}`;
}

/** The resource that an ARN means as a parent: of `<solution>/$LATEST`, which may be another tomorrow, the solution. */
export function standing(arn: string): string {
  return arn.endsWith(LATEST) ? arn.slice(0, -LATEST.length) : arn;
}

/**
 * Walks from a resource to its root over what the inventory holds of the chain, by ARN. Every step leads to a type further up,
 * so it ends whatever the links say.
 */
export function lineageOf(lowest: Link, links: ReadonlyMap<string, Link>): Lineage {
  const ancestors: Ancestor[] = [];
  const unknown = (reason: string): Lineage => ({ known: false, reason, ancestors });
  let link = lowest;
  while (link.parent_arn !== null) {
    if (link.parent_arn === undefined) return unknown(`the parent of ${link.arn} was not read, or could not be`);
    const parent = links.get(link.parent_arn);
    if (parent === undefined) return unknown(`${link.parent_arn}, the parent of ${link.arn}, is not in the inventory`);
    if (parent.gone) return unknown(`${parent.arn}, the parent of ${link.arn}, is gone`);
    if (!typesAbove(link.type).includes(parent.type))
      return unknown(`${link.arn} names ${parent.arn} as its parent, and a ${parent.type} is none of a ${link.type}`);
    const { type, name, tags, unread } = parent;
    ancestors.push({ arn: parent.arn, type, name, tags, unread });
    link = parent;
  }
  return { known: true, ancestors };
}
