import { RESOURCE_TYPES } from "./resource-types.ts";

/** What credentials are used for: reading only, or writing tags. */
export type Purpose = "scan" | "repair";

const TYPES = Object.values(RESOURCE_TYPES);

/** Asked about single resources, before and after a write too. */
export const READ_TAGS = "personalize:ListTagsForResource";
/** The tag index; it knows no narrower resource than all. */
export const READ_INDEX = "tag:GetResources";
/** Who called what, from the event history of CloudTrail. Asked only where `remediation.cloudtrail` is on. */
export const LOOKUP_EVENTS = "cloudtrail:LookupEvents";

/** The lists of the thirteen types. */
export const LIST_ACTIONS: readonly string[] = TYPES.map(({ list_operation }) => `personalize:${list_operation}`);

/**
 * Every action of IAM that Tagwarden needs in an account, by purpose. Descriptions are read only of types whose parent no list
 * names. The documents, the templates and the policies of sessions are held to this.
 */
export const ACTIONS: Readonly<Record<Purpose, readonly string[]>> = {
  scan: [
    ...LIST_ACTIONS,
    ...TYPES.filter(({ parent_in }) => parent_in === "description").map(
      ({ describe_operation }) => `personalize:${describe_operation}`,
    ),
    READ_TAGS,
    READ_INDEX,
  ].toSorted(),
  repair: [READ_TAGS, "personalize:TagResource", "personalize:UntagResource"],
};

/** What an event needs besides a scan's actions: to describe a resource that no list has shown yet. */
const DESCRIBE_ACTIONS = TYPES.map(({ describe_operation }) => `personalize:${describe_operation}`);

/**
 * What a session is narrowed to, whatever its role may do besides: a policy of its own, for the text of which AWS allows 2,048
 * characters. `cloudtrail`: a scan may look up there who reverts repairs. Source: STS API Reference, AssumeRole.
 */
export function sessionPolicyText(purpose: Purpose, cloudtrail: boolean): string {
  if (purpose === "repair") return policyText(ACTIONS.repair);
  const lookup = cloudtrail ? [LOOKUP_EVENTS] : [];
  return policyText([...new Set([...ACTIONS.scan, ...DESCRIBE_ACTIONS, ...lookup])].toSorted());
}

function policyText(actions: readonly string[]): string {
  return JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: actions, Resource: "*" }] });
}
