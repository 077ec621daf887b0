import type { Resource } from "../inventory/resource.ts";
import { RESOURCE_TYPES, type ResourceType } from "../inventory/resource-types.ts";
import { stackOf } from "../tags/stack.ts";
import { managedBy } from "./fix.ts";
import type { PolicySet } from "./load.ts";
import type { Subject } from "./subject.ts";

/** What somebody can do about the tags of a resource of a stack, and what that does to it. */
const IN_TEMPLATE = {
  updates: "change the tags in its template, which leaves the rest of it as it is",
  replaces: "change the tags in its template, but mind that this replaces the resource by a new one",
  deletes_data:
    "change the tags in its template, but mind that this deletes the dataset and its data, and makes a new one",
  none: "a template has no tags for this type, so ask whoever runs the stack",
  unknown: "change the tags in its template, but look first whether that replaces the resource",
} as const;

/** That a stack manages a resource of this type, and what can be done about its tags. */
export function managedByStack(stack: string, type: ResourceType): string {
  return `CloudFormation stack ${stack} manages it: ${IN_TEMPLATE[RESOURCE_TYPES[type].in_template]}`;
}

/**
 * Why a resource may not be changed whatever the rules say; null: it may. `seen_stack`: the stack that was ever seen to manage
 * it; `policy_ids`: the policies that ask for the change, which may say by themselves what is managed elsewhere.
 */
export function obstacleOf(
  set: PolicySet,
  subject: Subject,
  seen_stack: string | null,
  policy_ids: readonly string[],
): string | null {
  const stack = seen_stack ?? stackOf(subject.tags);
  if (stack !== null) return managedByStack(stack, subject.resource.type);
  const { status } = subject.resource;
  if (status.toUpperCase().startsWith("DELETE")) return `it is being deleted (${status})`;
  return managedBy(set, policy_ids, subject);
}

/**
 * Names of the policies about a resource by type, account, region and name. An undo asks all of them what is managed elsewhere: those
 * that asked for the change may have another name by now, or be gone.
 */
export function policiesAbout(set: PolicySet, resource: Resource): string[] {
  return set.policies.filter((policy) => policy.appliesTo(resource)).map(({ id }) => id);
}
