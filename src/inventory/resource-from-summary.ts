import { parseArn } from "./parse-arn.ts";
import type { Resource, Unit } from "./resource.ts";
import { RESOURCE_TYPES } from "./resource-types.ts";
import { storableText } from "./storable-text.ts";

/** Fields of a summary that the resource holds under names of its own. */
const OWN_FIELDS = new Set(["name", "jobName", "status", "creationDateTime", "lastUpdatedDateTime"]);

/**
 * Makes a resource of one entry of a List reply, or says in words why it cannot be one: no member of a summary is required
 * by the service model, and an entry of another account, region or type must not be taken for one of this unit.
 */
export function resourceFromSummary(unit: Unit, summary: Readonly<Record<string, unknown>>): Resource | string {
  const { arn_field, name_field } = RESOURCE_TYPES[unit.type];
  const arn = summary[arn_field];
  if (typeof arn !== "string" || arn === "") return `an entry has no ${arn_field}`;
  const parsed = parseArn(arn);
  if (!parsed) return `${arn} is not the ARN of a taggable resource`;
  const { account_id, region, type, partition } = parsed;
  if (type !== unit.type) return `${arn} is of type ${type}`;
  if (account_id !== unit.account_id || region !== unit.region || partition !== unit.partition) {
    return `${arn} is not in account ${unit.account_id}, region ${unit.region}`;
  }
  const given = name_field === null ? parsed.name_part.split("/")[0] : summary[name_field];
  const others: Record<string, string | number | boolean> = {};
  for (const [field, value] of Object.entries(summary)) {
    if (field === arn_field || OWN_FIELDS.has(field)) continue;
    if (typeof value === "string") others[field] = storableText(value);
    else if (typeof value === "number" || typeof value === "boolean") others[field] = value;
  }
  return {
    arn,
    account_id,
    region,
    type,
    name: typeof given === "string" && given !== "" ? storableText(given) : arn.slice(arn.lastIndexOf("/") + 1),
    status: typeof summary["status"] === "string" ? storableText(summary["status"]) : "",
    created_at: instant(summary["creationDateTime"]),
    updated_at: instant(summary["lastUpdatedDateTime"]),
    summary: others,
  };
}

function instant(value: unknown): Date | null {
  return value instanceof Date && !Number.isNaN(value.getTime()) ? value : null;
}
