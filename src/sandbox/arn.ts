import type { ResourceType } from "../inventory/resource-types.ts";
import { RESOURCE_TYPE_NAMES, RESOURCE_TYPES } from "../inventory/resource-types.ts";
import { partitionOf } from "./caller.ts";

/** An account in a region. */
export type Place = { readonly account_id: string; readonly region: string };

/** ARN of a Personalize resource from the parts after the prefix: `dataset` and `["shop", "ITEMS"]`. */
export function arnOf(place: Place, prefix: string, parts: readonly string[]): string {
  return `arn:${partitionOf(place.region)}:personalize:${place.region}:${place.account_id}:${prefix}/${parts.join("/")}`;
}

/** An ARN of Personalize taken apart. `type` is null for kinds that take no tags: schemas, metric attributions, recipes. */
export type ArnParts = { readonly place: Place; readonly prefix: string; readonly type: ResourceType | null };

/** Takes an ARN of Personalize apart; null for anything else, kinds that AWS does not have included. */
export function parseArn(arn: string): ArnParts | null {
  const [head, , service, region, account_id, resource, ...more] = arn.split(":");
  if (head !== "arn" || service !== "personalize" || !resource || more.length > 0) return null;
  const [prefix = "", ...rest] = resource.split("/");
  if (rest.length === 0 || rest.includes("")) return null;
  const type = TYPE_OF_FORM.get(`${prefix}/${rest.length + 1}`) ?? null;
  if (type === null && !UNTAGGABLE.has(prefix)) return null;
  return { place: { account_id: account_id ?? "", region: region ?? "" }, prefix, type };
}

const TYPE_OF_FORM = new Map<string, ResourceType>(
  RESOURCE_TYPE_NAMES.map((type) => [`${RESOURCE_TYPES[type].arn_prefix}/${RESOURCE_TYPES[type].arn_parts}`, type]),
);

/** Kinds that exist and take no tags. */
const UNTAGGABLE = new Set(["schema", "metric-attribution", "recipe", "algorithm", "feature-transformation"]);

/** A part dropped from the end: the solution of a solution version, of a `$LATEST` too. */
export function parentPart(arn: string): string {
  return arn.slice(0, arn.lastIndexOf("/"));
}
