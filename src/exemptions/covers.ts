import type { Resource } from "../inventory/resource.ts";
import { anyWildcard } from "../policy/wildcard.ts";
import { tagValue, type Tags } from "../tags/tags.ts";
import type { Scope } from "./exemption.ts";

/** What a finding is about, whether it is stored or would only come. */
type About = { readonly policy_id: string; readonly rule_id: string; readonly key: string };
/** The resource of the finding. `tags`: as last read; null: never read, which no exemption by tags covers. */
type Holder = Pick<Resource, "arn" | "account_id" | "region" | "type" | "name"> & { readonly tags: Tags | null };
type Covers = (finding: About, holder: Holder) => boolean;

/**
 * Whether any of some exemptions that are in force covers a finding. For findings that are not stored; for those that are, the
 * view `reporting.covered_findings` decides, and a law holds the two together (test/exemptions/law.test.ts).
 */
export function coveredBy(exemptions: readonly Scope[]): Covers {
  const byArn = new Map<string, Covers[]>();
  const others: Covers[] = [];
  for (const one of exemptions) {
    const covers = compile(one);
    const exact = one.arns?.every((arn) => !arn.includes("*")) ? one.arns : null;
    if (exact === null) others.push(covers);
    else for (const arn of exact) byArn.set(arn, [...(byArn.get(arn) ?? []), covers]);
  }
  return (finding, holder) =>
    (byArn.get(holder.arn)?.some((covers) => covers(finding, holder)) ?? false) ||
    others.some((covers) => covers(finding, holder));
}

function compile({ policy_id, rule_id, key, accounts, regions, types, names, arns, tags }: Scope): Covers {
  const isNamed = names && anyWildcard(names);
  const isArn = arns && anyWildcard(arns);
  const tagged = tags && Object.entries(tags).map(([tag, pattern]) => ({ tag, matches: anyWildcard([pattern]) }));
  return (finding, holder) =>
    (policy_id === null || policy_id === finding.policy_id) &&
    (rule_id === null || rule_id === finding.rule_id) &&
    (key === null || key === finding.key) &&
    (accounts === null || accounts.includes(holder.account_id)) &&
    (regions === null || regions.includes(holder.region)) &&
    (types === null || types.includes(holder.type)) &&
    (isArn === null || isArn(holder.arn)) &&
    (isNamed === null || isNamed(holder.name)) &&
    (tagged === null || tagged.every(({ tag, matches }) => hasValue(holder.tags, tag, matches)));
}

function hasValue(tags: Tags | null, key: string, matches: (value: string) => boolean): boolean {
  const value = tags === null ? undefined : tagValue(tags, key);
  return value !== undefined && matches(value);
}
