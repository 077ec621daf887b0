import { UsageError } from "../config.ts";
import { RESOURCE_TYPE_NAMES, type ResourceType } from "../inventory/resource-types.ts";
import { ruleOf } from "../policy/fix.ts";
import type { PolicySet } from "../policy/load.ts";
import type { PlanFilters } from "../remediation/filters.ts";
import { nearestWord } from "../tags/spelling.ts";

/** Options by which `plan` is narrowed; all but the scan are lists. */
export type FilterOptions = {
  rule?: string[];
  account?: string[];
  region?: string[];
  type?: string[];
  owner?: string[];
  arn?: string[];
  scan?: string;
};

/** The filters that options name. Throws UsageError for what cannot be. */
export function planFilters(set: PolicySet, options: FilterOptions): PlanFilters {
  const { rule, account, region, type, owner, arn, scan } = options;
  return {
    rules: rule?.map((text) => parseRule(set, text)),
    accounts: account?.map(parseAccount),
    regions: region?.map(parseRegion),
    types: type?.map(parseType),
    owners: owner,
    arns: arn,
    scan_id: scan,
  };
}

function parseRule(set: PolicySet, text: string): { policy_id: string; rule_id: string } {
  const [policy_id = "", rule_id = "", ...rest] = text.split("/");
  if (rest.length === 0 && ruleOf(set, policy_id, rule_id)) return { policy_id, rule_id };
  const rules = set.policies.flatMap((policy) => policy.rules.map((rule) => `${policy.id}/${rule.rule_id}`));
  throw new UsageError(
    `--rule ${JSON.stringify(text)}: the active policies have no such rule. They have ${rules.join(", ")}.`,
  );
}

function parseAccount(text: string): string {
  if (/^\d{12}$/.test(text)) return text;
  throw new UsageError(`--account ${JSON.stringify(text)}: an account id has twelve digits.`);
}

function parseRegion(text: string): string {
  if (/^[a-z]{2}(-[a-z]+)+-\d$/.test(text)) return text;
  throw new UsageError(`--region ${JSON.stringify(text)}: a region looks like us-east-1.`);
}

function parseType(text: string): ResourceType {
  const type = RESOURCE_TYPE_NAMES.find((name) => name === text);
  if (type) return type;
  const near = nearestWord(text, RESOURCE_TYPE_NAMES);
  throw new UsageError(
    `--type ${JSON.stringify(text)} is no resource type. ${near === null ? `They are ${RESOURCE_TYPE_NAMES.join(", ")}.` : `Did you mean ${near}?`}`,
  );
}
