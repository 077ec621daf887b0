import type { Json } from "./check-input.ts";
import { AwsError } from "./error.ts";
import { hashText } from "./hash.ts";
import { accountOf, ARN, ORGANIZATION_ID, page, placeOf, unitPath, type Place } from "./organization-tree.ts";
import type { Context, Handler } from "./service.ts";
import { mergeTagPolicies, SEEDED_TAG_POLICIES, type SandboxTagPolicy } from "./tag-policies.ts";

const TAG_POLICY = "TAG_POLICY";
/** When the policies of the organization were last touched. */
const CHANGED_AT = new Date("2026-06-01T09:00:00Z").getTime() / 1000;

/** Policies of the organization, of which it has tag policies only, and the tags of what it consists of. */
export const POLICY_OPERATIONS: Record<string, Handler> = {
  ListPolicies: (input, context) =>
    page(`ListPolicies ${String(input.Filter)}`, "Policies", ofType(input, policiesOf(context)), input, context),
  ListPoliciesForTarget(input, context) {
    const target = String(input.TargetId);
    const policies = policiesAt(existing(target, context), context);
    const question = `ListPoliciesForTarget ${target} ${String(input.Filter)}`;
    return page(question, "Policies", ofType(input, policies), input, context);
  },
  DescribePolicy(input, context) {
    const policy = policiesOf(context).find((each) => policyId(each) === input.PolicyId);
    if (!policy) throw new AwsError("PolicyNotFoundException", "You specified a policy that doesn't exist.");
    return { Policy: { PolicySummary: summary(policy), Content: JSON.stringify(policy.content) } };
  },
  DescribeEffectivePolicy(input, context) {
    const target = typeof input.TargetId === "string" ? input.TargetId : context.caller.account_id;
    refuseOthers(target, context);
    const place = existing(target, context);
    if (place.kind !== "account") {
      throw new AwsError("InvalidInputException", "A root or an organizational unit has no effective policy.", 400, {
        Reason: "INVALID_PATTERN_TARGET_ID",
      });
    }
    const content = input.PolicyType === TAG_POLICY ? effectiveContent(place.account.id, context) : null;
    if (content === null) {
      throw new AwsError(
        "EffectivePolicyNotFoundException",
        "There is no effective policy of this type for this account.",
      );
    }
    const PolicyContent = JSON.stringify(content);
    return {
      EffectivePolicy: { PolicyContent, LastUpdatedTimestamp: CHANGED_AT, TargetId: target, PolicyType: TAG_POLICY },
    };
  },
  ListTagsForResource(input, context) {
    const id = String(input.ResourceId);
    const isPolicy = policiesOf(context).some((policy) => policyId(policy) === id);
    const place = isPolicy ? null : existing(id, context);
    const tags = place?.kind === "account" ? [...place.account.tags].map(([Key, Value]) => ({ Key, Value })) : [];
    return page(`ListTagsForResource ${id}`, "Tags", tags, input, context);
  },
};

function policiesOf({ world }: Context): readonly SandboxTagPolicy[] {
  return world.settings.tag_policies ?? SEEDED_TAG_POLICIES;
}

function policiesAt(place: Place, context: Context): readonly SandboxTagPolicy[] {
  const name = place.kind === "root" ? "root" : place.kind === "unit" ? place.name : place.account.id;
  return policiesOf(context).filter(({ attached_to }) => attached_to === name);
}

function effectiveContent(account_id: string, context: Context): Json | null {
  const account = accountOf(account_id, context);
  const units = account.unit === null ? [] : unitPath(account.unit);
  const path: Place[] = [
    { kind: "root" },
    ...units.map((name): Place => ({ kind: "unit", name })),
    { kind: "account", account },
  ];
  return mergeTagPolicies(path.map((place) => policiesAt(place, context).map(({ content }) => content)));
}

function ofType(input: Json, policies: readonly SandboxTagPolicy[]): Json[] {
  return input.Filter === TAG_POLICY ? policies.map(summary) : [];
}

function summary(policy: SandboxTagPolicy): Json {
  const Id = policyId(policy);
  return {
    Id,
    Arn: `${ARN}:policy/${ORGANIZATION_ID}/${TAG_POLICY.toLowerCase()}/${Id}`,
    Name: policy.name,
    Description: policy.description,
    Type: TAG_POLICY,
    AwsManaged: false,
  };
}

function policyId({ name }: SandboxTagPolicy): string {
  return `p-sb${hashText(name).toString(36).padStart(8, "0")}`;
}

/** Throws TargetNotFoundException. */
function existing(id: string, context: Context): Place {
  const place = placeOf(id, context);
  if (place) return place;
  throw new AwsError("TargetNotFoundException", "You specified a target that doesn't exist.");
}

/** Any account may ask for its own effective policy, the management account for all. */
function refuseOthers(target: string, { caller, world }: Context): void {
  const [management] = world.accounts;
  if (caller.account_id === target || caller.account_id === management?.id) return;
  throw new AwsError("AccessDeniedException", "You don't have permissions to access this resource.");
}
