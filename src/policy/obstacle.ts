import { stackOf } from "../tags/stack.ts";
import { managedBy } from "./fix.ts";
import type { PolicySet } from "./load.ts";
import type { Subject } from "./subject.ts";

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
  if (stack !== null) {
    return `CloudFormation stack ${stack} manages it: change the tags in its template, and mind that this may replace the resource`;
  }
  const { status } = subject.resource;
  if (status.toUpperCase().startsWith("DELETE")) return `it is being deleted (${status})`;
  return managedBy(set, policy_ids, subject);
}
