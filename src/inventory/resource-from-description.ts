import type { Resource, Unit } from "./resource.ts";
import { resourceFromSummary } from "./resource-from-summary.ts";
import { RESOURCE_TYPES } from "./resource-types.ts";

/** Members of every description and of every summary that has them. */
const COMMON_FIELDS = ["name", "jobName", "status", "creationDateTime", "lastUpdatedDateTime"];

/**
 * Makes a resource of what Describe says, the very same that its entry in a list would make, or says in words why it cannot be
 * one. A description holds more than that, such as role names and data locations: it is not kept.
 */
export function resourceFromDescription(unit: Unit, described: Readonly<Record<string, unknown>>): Resource | string {
  const { arn_field, summary_fields } = RESOURCE_TYPES[unit.type];
  const fields = [arn_field, ...COMMON_FIELDS, ...summary_fields];
  return resourceFromSummary(unit, Object.fromEntries(fields.map((field) => [field, described[field]])));
}
