import type { Json } from "./check-input.ts";
import { AwsError } from "./error.ts";

/** What a session is narrowed to, whatever its role may do: actions, `*` is a wildcard. */
export type SessionPolicy = { readonly allow: readonly string[]; readonly deny: readonly string[] };

/** The most that AWS takes as the text of the policies of a session. Source: STS API Reference, AssumeRole. */
const MAX_CHARACTERS = 2048;

/** The managed policies that the sandbox knows: AWS's own, and three that every account has, as docs/iam makes them. */
const AWS_MANAGED: Record<string, readonly string[]> = {
  ReadOnlyAccess: ["personalize:Describe*", "personalize:Get*", "personalize:List*", "tag:Get*"],
};
const OWN_MANAGED: Record<string, readonly string[]> = {
  TagwardenLookup: ["cloudtrail:LookupEvents"],
  TagwardenScan: ["personalize:Describe*", "personalize:List*", "tag:GetResources"],
  TagwardenRepair: ["personalize:ListTagsForResource", "personalize:TagResource", "personalize:UntagResource"],
};

/** The policies that AssumeRole names for a session, put together; null: none is. Throws what AWS answers to a bad one. */
export function sessionPolicyOf(input: Json, account_id: string): SessionPolicy | null {
  const { Policy, PolicyArns } = input;
  if (typeof Policy !== "string" && !Array.isArray(PolicyArns)) return null;
  const inline = typeof Policy === "string" ? parse(Policy) : { allow: [], deny: [] };
  const arns = (Array.isArray(PolicyArns) ? PolicyArns : []) as { arn?: string }[];
  return { allow: [...inline.allow, ...arns.flatMap(({ arn = "" }) => managed(arn, account_id))], deny: inline.deny };
}

/** Whether a policy allows an action. IAM does not tell capitals from small letters here. */
export function allows({ allow, deny }: SessionPolicy, action: string): boolean {
  return matchesAny(allow, action) && !matchesAny(deny, action);
}

/** Whether an action is one of a list with wildcards. */
export function matchesAny(patterns: readonly string[], action: string): boolean {
  return patterns.some((pattern) => {
    const escaped = pattern.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll("*", ".*");
    return new RegExp(`^${escaped}$`, "i").test(action);
  });
}

function parse(text: string): SessionPolicy {
  if (text.length > MAX_CHARACTERS) {
    throw new AwsError("PackedPolicyTooLarge", "The policies of the session are larger than 2048 characters");
  }
  const policy = { allow: [] as string[], deny: [] as string[] };
  for (const statement of statementsOf(text)) {
    const { Effect, Action, Resource, Sid: _sid, ...rest } = statement;
    const actions = [Action].flat();
    if ((Effect !== "Allow" && Effect !== "Deny") || !actions.every((one) => typeof one === "string")) {
      throw malformed("Syntax errors in policy.");
    }
    if (Resource !== "*" || Object.keys(rest).length > 0) {
      const message = "The sandbox looks at Effect, Action and the Resource * of a session policy, and at nothing else";
      throw new AwsError("NotImplementedException", message, 501);
    }
    policy[Effect === "Allow" ? "allow" : "deny"].push(...actions);
  }
  return policy;
}

function statementsOf(text: string): Json[] {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw malformed("This policy contains invalid Json");
  }
  const statements = typeof document === "object" && document !== null ? [(document as Json).Statement].flat() : [];
  if (statements.length === 0 || !statements.every((one) => typeof one === "object" && one !== null)) {
    throw malformed("Syntax errors in policy.");
  }
  return statements as Json[];
}

function managed(arn: string, account_id: string): readonly string[] {
  const [, owner = "", name = ""] = /^arn:[a-z-]+:iam::(aws|\d{12}):policy\/(?:.*\/)?([^/]+)$/.exec(arn) ?? [];
  const actions = owner === "aws" ? AWS_MANAGED[name] : owner === account_id ? OWN_MANAGED[name] : undefined;
  if (!actions) throw malformed(`Policy ${arn} does not exist or is of another account.`);
  return actions;
}

function malformed(message: string): AwsError {
  return new AwsError("MalformedPolicyDocument", message);
}
