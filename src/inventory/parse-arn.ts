import { RESOURCE_TYPES, RESOURCE_TYPE_NAMES, type ResourceType } from "./resource-types.ts";

/** The parts of the ARN of a taggable Personalize resource. `name_part`: what follows the prefix, slashes included. */
export type ParsedArn = {
  readonly partition: string;
  readonly account_id: string;
  readonly region: string;
  readonly type: ResourceType;
  readonly name_part: string;
};

/** By prefix and number of parts: a solution and its versions share the prefix. */
const TYPE_BY_FORM = new Map(
  RESOURCE_TYPE_NAMES.map((type) => [`${RESOURCE_TYPES[type].arn_prefix}/${RESOURCE_TYPES[type].arn_parts}`, type]),
);

/**
 * Reads the ARN of one of the thirteen taggable types; null for everything else, including AWS-owned recipes, schemas and
 * ARNs with a part too many. At most 256 characters, as the service model says. A solution version may be `$LATEST`.
 */
export function parseArn(arn: string): ParsedArn | null {
  if (arn.length > 256 || /\s/.test(arn)) return null;
  const fields = arn.split(":");
  const [scheme, partition = "", service, region = "", account_id = "", resource = ""] = fields;
  if (fields.length !== 6 || scheme !== "arn" || service !== "personalize") return null;
  if (!/^[a-z][a-z\d-]*$/.test(partition) || !/^[a-z\d-]+$/.test(region) || !/^\d{12}$/.test(account_id)) return null;
  const parts = resource.split("/");
  if (parts.includes("")) return null;
  const type = TYPE_BY_FORM.get(`${parts[0]}/${parts.length}`);
  return type ? { partition, account_id, region, type, name_part: parts.slice(1).join("/") } : null;
}
