import type * as Sts from "@aws-sdk/client-sts";
import { type Purpose, sessionPolicyText } from "../actions.ts";
import { errorName } from "../call-error.ts";
import type { AwsCredentials } from "./credentials.ts";

/** How the sessions of one purpose are narrowed: to what it calls, to managed policies by name or ARN, or not at all. */
type SessionPolicy = "narrow" | "off" | readonly string[];

/** The roles to assume in accounts. */
export type RoleSettings = {
  /** In every account that is not the caller's own; absent: only that one can be entered. */
  readonly name?: string;
  /** Another role by which tags are written, in the caller's own account too: the one that scans need not be able to. */
  readonly repair_name?: string;
  readonly external_id?: string;
  readonly session_name: string;
  /** `narrow` where it says nothing. */
  readonly session_policy?: Partial<Record<Purpose, SessionPolicy>>;
  /** The session of a scan may also look up events of CloudTrail; not when absent. */
  readonly cloudtrail?: boolean;
};

/** The role of one account, for one purpose. */
export type AccountRole = {
  readonly settings: RoleSettings;
  readonly partition: string;
  readonly account_id: string;
  readonly purpose: Purpose;
};

/** ARN of the role in its account. */
export function roleArn({ settings, partition, account_id, purpose }: AccountRole): string {
  return `arn:${partition}:iam::${account_id}:role/${roleName(settings, purpose)}`;
}

/** Name of the role for a purpose. `own`: in the caller's own account, where their credentials do, unless a role is set for this purpose alone. */
export function roleName(settings: RoleSettings | undefined, purpose: Purpose, own = false): string | undefined {
  const named = purpose === "repair" ? settings?.repair_name : undefined;
  return named ?? (own ? undefined : settings?.name);
}

/** Assumes a role. Throws what STS answers, under its name, with what to do about it where a person can do something. */
export async function assumeRole(
  { AssumeRoleCommand }: typeof Sts,
  role: AccountRole,
  send: (command: Sts.AssumeRoleCommand) => Promise<Sts.AssumeRoleCommandOutput>,
): Promise<AwsCredentials> {
  const { external_id, session_name } = role.settings;
  const command = new AssumeRoleCommand({
    RoleArn: roleArn(role),
    RoleSessionName: session_name,
    ...(external_id !== undefined && { ExternalId: external_id }),
    ...sessionPolicy(role),
  });
  const reply = await send(command).catch((error: unknown) => {
    throw explained(error, role);
  });
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = reply.Credentials ?? {};
  if (!AccessKeyId || !SecretAccessKey || !SessionToken)
    throw new Error(`STS gave no credentials for ${roleArn(role)}.`);
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken,
    ...(Expiration && { expiration: Expiration }),
  };
}

/** Managed policies have to be of AWS or of the role's own account, so a mere name is one of the latter. */
function sessionPolicy({ settings, partition, account_id, purpose }: AccountRole): Partial<Sts.AssumeRoleCommandInput> {
  const policy = settings.session_policy?.[purpose] ?? "narrow";
  if (policy === "off") return {};
  if (policy === "narrow") return { Policy: sessionPolicyText(purpose, settings.cloudtrail ?? false) };
  const own = `arn:${partition}:iam::${account_id}:policy/`;
  return { PolicyArns: policy.map((one) => ({ arn: one.startsWith("arn:") ? one : `${own}${one}` })) };
}

/** What a person may do about what STS answers, by the error's name. */
const ADVICE: Record<string, (role: AccountRole) => string> = {
  PackedPolicyTooLargeException: tooLarge,
  MalformedPolicyDocumentException: malformed,
  RegionDisabledException: ({ account_id }) =>
    `STS is not activated in this region for account ${account_id}: activate it there, or set AWS_REGION to another region.`,
};

function tooLarge({ purpose }: AccountRole): string {
  return `The session policy and the tags of the session do not fit into what STS packs them in. Name fewer or smaller policies in targets.session_policy.${purpose}, or set it to "off".`;
}

function malformed({ purpose, account_id }: AccountRole): string {
  return `STS did not take the session policy. A policy that targets.session_policy.${purpose} names has to exist in account ${account_id}, or be one of AWS's own, given by its ARN.`;
}

/** The same error with more to say: whoever tells errors apart does it by name. */
function explained(error: unknown, role: AccountRole): unknown {
  const advice = ADVICE[errorName(error)];
  if (advice && error instanceof Error) error.message = `${error.message.replace(/\.?$/, ".")} ${advice(role)}`;
  return error;
}
