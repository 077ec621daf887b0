import type { Resource } from "../inventory/resource.ts";
import type { ResourceType } from "../inventory/resource-types.ts";
import { anyWildcard } from "../policy/wildcard.ts";
import { ownerOf } from "../tags/owner.ts";
import type { Tags } from "../tags/tags.ts";
import type { Reason } from "./schema.ts";

/** What part of the open findings a plan is about. Fields narrow each other, lists are "any of"; an absent field narrows nothing. */
export type PlanFilters = {
  readonly rules?: readonly Pick<Reason, "policy_id" | "rule_id">[] | undefined;
  readonly accounts?: readonly string[] | undefined;
  readonly regions?: readonly string[] | undefined;
  readonly types?: readonly ResourceType[] | undefined;
  /** Owners of resources, as everywhere: `tags/owner.ts`. */
  readonly owners?: readonly string[] | undefined;
  /** Only what lies in the units of this scan. */
  readonly scan_id?: string | undefined;
  /** ARNs, or patterns of them in which `*` stands for any characters. */
  readonly arns?: readonly string[] | undefined;
};

/** Whether a resource is one of those that filters are about. */
export function resourceFilter(
  { accounts, regions, types, owners, arns }: PlanFilters,
  isSensitive: (key: string) => boolean,
): (one: { readonly resource: Resource; readonly tags: Tags | null }) => boolean {
  const named = arns && anyWildcard(arns);
  return ({ resource, tags }) =>
    (accounts?.includes(resource.account_id) ?? true) &&
    (regions?.includes(resource.region) ?? true) &&
    (types?.includes(resource.type) ?? true) &&
    (owners?.includes(ownerOf(tags, isSensitive) ?? "") ?? true) &&
    (named?.(resource.arn) ?? true);
}

/** Whether a finding is of one of the rules that filters are about. */
export function findingFilter({ rules }: PlanFilters): (finding: Pick<Reason, "policy_id" | "rule_id">) => boolean {
  if (rules === undefined) return () => true;
  const names = new Set(rules.map(({ policy_id, rule_id }) => `${policy_id}/${rule_id}`));
  return ({ policy_id, rule_id }) => names.has(`${policy_id}/${rule_id}`);
}
