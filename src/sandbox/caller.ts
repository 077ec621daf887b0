import type { IncomingHttpHeaders } from "node:http";
import { AwsError } from "./error.ts";
import type { SessionPolicy } from "./session-policy.ts";

/** Who calls, as the signature says: the sandbox reads the credential scope and does not check the signature itself. */
export type Caller = {
  readonly account_id: string;
  readonly region: string;
  /** Signing name: `personalize`, `tagging`, `sts`, `organizations`, `cloudtrail`. */
  readonly service: string;
  readonly access_key_id: string;
  /** ARN of the user, or of the assumed role's session. */
  readonly arn: string;
  readonly user_id: string;
  /** Name of the role whose session it is; null: a user. */
  readonly role: string | null;
  /** What the session is narrowed to; null: to nothing. */
  readonly session_policy: SessionPolicy | null;
};

/** What AssumeRole puts into its session token. */
export type SessionToken = {
  readonly role: string;
  readonly session: string;
  readonly expires_at: number;
  readonly policy: SessionPolicy | null;
};

/** Credentials that the sandbox accepts for an account: those of its IAM user `sandbox`. */
export function sandboxCredentials(account_id: string): {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
} {
  return { accessKeyId: `AKIASANDBOX${account_id}`, secretAccessKey: "sandbox-secret-key" };
}

/** Credentials of a role's session; the token carries everything, so nothing is kept. */
export function roleCredentials(
  account_id: string,
  token: SessionToken,
): Required<ReturnType<typeof sandboxCredentials>> {
  return {
    accessKeyId: `ASIASANDBOX${account_id}`,
    secretAccessKey: "sandbox-session-key",
    sessionToken: Buffer.from(JSON.stringify(token)).toString("base64url"),
  };
}

/** The partition of a region. */
export function partitionOf(region: string): string {
  if (region.startsWith("cn-")) return "aws-cn";
  return region.startsWith("us-gov-") ? "aws-us-gov" : "aws";
}

const CREDENTIAL = /Credential=([^/\s,]+)\/\d{8}\/([a-z0-9-]+)\/([a-z0-9-]+)\/aws4_request/;
const OWN_KEY = /^A[KS]IASANDBOX(\d{12})$/;

/**
 * Reads the caller from the headers of a request. A key that is not of the sandbox (`test`) belongs to the management account.
 * Throws the errors of AWS for a missing signature and an expired token.
 */
export function callerOf(headers: IncomingHttpHeaders, management_account_id: string, now: Date): Caller {
  if (!headers.authorization)
    throw new AwsError("MissingAuthenticationTokenException", "Missing Authentication Token", 403);
  const [, key = "", region = "", service = ""] = CREDENTIAL.exec(headers.authorization) ?? [];
  if (key === "") {
    throw new AwsError("IncompleteSignatureException", "Authorization header requires 'Credential' parameter.", 403);
  }
  const account_id = OWN_KEY.exec(key)?.[1] ?? management_account_id;
  const token = key.startsWith("ASIASANDBOX") ? sessionOf(headers["x-amz-security-token"], now) : null;
  const partition = partitionOf(region);
  return {
    account_id,
    region,
    service,
    access_key_id: key,
    role: token?.role ?? null,
    session_policy: token?.policy ?? null,
    ...(token
      ? {
          arn: `arn:${partition}:sts::${account_id}:assumed-role/${token.role}/${token.session}`,
          user_id: `AROASANDBOX${account_id.slice(0, 10)}:${token.session}`,
        }
      : { arn: `arn:${partition}:iam::${account_id}:user/sandbox`, user_id: `AIDASANDBOX${account_id.slice(0, 10)}` }),
  };
}

function sessionOf(header: string | string[] | undefined, now: Date): SessionToken {
  let token: SessionToken;
  try {
    token = JSON.parse(Buffer.from(String(header), "base64url").toString("utf8")) as SessionToken;
  } catch {
    throw new AwsError("UnrecognizedClientException", "The security token included in the request is invalid.", 403);
  }
  if (!(token.expires_at > now.getTime())) {
    throw new AwsError("ExpiredTokenException", "The security token included in the request is expired", 403);
  }
  return token;
}
