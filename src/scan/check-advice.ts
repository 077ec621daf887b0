import { LOOKUP_EVENTS, READ_INDEX } from "../inventory/actions.ts";
import type { Check } from "./check-targets.ts";

/** Who asks, and by which role in other accounts. */
export type Asker = {
  readonly caller: { readonly account_id: string; readonly arn: string; readonly partition: string };
  readonly role: string | undefined;
  readonly external_id: string | undefined;
};

/** What to do about a failed check; null: its message says all that is known. */
export function adviceFor({ account_id, action, error }: Check, asker: Asker): string | null {
  if (error === null) return null;
  const { caller, role } = asker;
  const roleArn = `arn:${caller.partition}:iam::${account_id}:role/${role ?? ""}`;
  const who = account_id === caller.account_id ? caller.arn : `the role ${roleArn}`;
  if (error.name === "WrongAccountError")
    return `What answers as STS gave a session of another account. Nothing is read with it. Look at AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_STS.`;
  if (!error.name.startsWith("AccessDenied")) return null;
  if (action === "sts:AssumeRole") return entryAdvice(error.message, roleArn, asker);
  return `${cause(error.message, action, who)}${CONSEQUENCES[action] ?? ""}`;
}

/** What goes on without a permission. */
const CONSEQUENCES: Readonly<Record<string, string>> = {
  [READ_INDEX]: " Without it a scan asks the service for every resource, which takes longer.",
  [LOOKUP_EVENTS]:
    " Without it nobody is named who reverts repairs, unless an event tells; remediation.cloudtrail asks for it.",
};

/** AWS gives the same answer to a role that is not there and to one that does not let the caller in. */
function entryAdvice(message: string, roleArn: string, { caller, external_id }: Asker): string {
  if (/identity-based policy/.test(message))
    return `Allow sts:AssumeRole on ${roleArn} to ${caller.arn}. See docs/iam.md.`;
  const asked =
    external_id === undefined
      ? "it asks for an external id and targets.external_id is not set"
      : "it asks for another external id than targets.external_id";
  return `Either there is no role ${roleArn}, or its trust policy does not let ${caller.arn} in, or ${asked}: AWS answers the same to all three. See docs/iam.md.`;
}

/** AWS says in its message which kind of policy stands in the way. */
function cause(message: string, action: string, who: string): string {
  if (/session policy/.test(message))
    return `targets.session_policy.scan leaves out ${action}: add it there, or say narrow.`;
  if (/service control policy/.test(message))
    return `A service control policy of the organization denies ${action} to ${who}.`;
  if (/permissions boundary/.test(message)) return `A permissions boundary of ${who} leaves out ${action}.`;
  if (/explicit deny/.test(message)) return `A policy denies ${action} to ${who}.`;
  return `Allow ${action} to ${who}, as docs/iam/${action === LOOKUP_EVENTS ? "lookup" : "scan"}.json does.`;
}
