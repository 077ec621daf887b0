import { REPAIR_ROLE_NAME, ROLE_NAME } from "./accounts.ts";
import type { SessionToken } from "./caller.ts";
import { partitionOf, roleCredentials } from "./caller.ts";
import { AwsError } from "./error.ts";
import { parseModel } from "./model.ts";
import { STS_MODEL } from "./models/sts.ts";
import type { Handler, Service } from "./service.ts";
import { sessionPolicyOf } from "./session-policy.ts";

/** An hour: the default of AWS, and the limit for role chaining. */
const DEFAULT_SECONDS = 3600;

const getCallerIdentity: Handler = (_input, { caller }) => ({
  UserId: caller.user_id,
  Account: caller.account_id,
  Arn: caller.arn,
});

const assumeRole: Handler = (input, { world, roles, caller, now }) => {
  const role_arn = String(input.RoleArn);
  const session = String(input.RoleSessionName);
  const [, account_id = "", role = ""] = /^arn:[a-z-]+:iam::(\d{12}):role\/(?:.*\/)?([^/]+)$/.exec(role_arn) ?? [];
  const isActive = (id: string): boolean =>
    world.accounts.some((account) => account.id === id && account.state === "ACTIVE");
  const isUsual = role === REPAIR_ROLE_NAME;
  const { missing = false, external_id, trusts, leads_to = account_id } = (isUsual ? null : roles.of(account_id)) ?? {};
  const isTrusted =
    isActive(caller.account_id) &&
    (trusts?.includes(caller.account_id) ?? true) &&
    (external_id === undefined || input.ExternalId === external_id);
  // Who is not let in is answered as if the role did not exist.
  if (!isActive(account_id) || (role !== ROLE_NAME && !isUsual) || missing || !isTrusted) {
    throw new AwsError(
      "AccessDenied",
      `User: ${caller.arn} is not authorized to perform: sts:AssumeRole on resource: ${role_arn}`,
      403,
    );
  }
  const seconds = Number(input.DurationSeconds ?? DEFAULT_SECONDS);
  if (caller.access_key_id.startsWith("ASIA") && seconds > DEFAULT_SECONDS) {
    throw new AwsError(
      "ValidationError",
      "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
    );
  }
  const policy = sessionPolicyOf(input, account_id);
  const token: SessionToken = { role, session, expires_at: now.getTime() + seconds * 1000, policy };
  const credentials = roleCredentials(leads_to, token);
  return {
    Credentials: {
      AccessKeyId: credentials.accessKeyId,
      SecretAccessKey: credentials.secretAccessKey,
      SessionToken: credentials.sessionToken,
      Expiration: new Date(token.expires_at).toISOString(),
    },
    AssumedRoleUser: {
      AssumedRoleId: `AROASANDBOX${leads_to.slice(0, 10)}:${session}`,
      Arn: `arn:${partitionOf(caller.region)}:sts::${leads_to}:assumed-role/${role}/${session}`,
    },
  };
};

/** AWS Security Token Service: GetCallerIdentity and AssumeRole. */
export const STS: Service = {
  signing_name: "sts",
  protocol: "query",
  prefix: "https://sts.amazonaws.com/doc/2011-06-15/",
  iam_prefix: "sts",
  model: parseModel(STS_MODEL),
  operations: { GetCallerIdentity: getCallerIdentity, AssumeRole: assumeRole },
  errors: {
    constraint: { name: "ValidationError", status: 400 },
    throttle: { name: "Throttling", status: 400 },
    internal: { name: "InternalFailure", status: 500 },
    denied: { name: "AccessDenied", status: 403 },
    unknown_operation: { name: "InvalidAction", status: 400 },
  },
};
