import { RESOURCE_TYPE_NAMES, type ResourceType } from "../inventory/resource-types.ts";
import type { CompiledPolicy, CompiledRule } from "./compile.ts";
import type { Needs } from "./condition.ts";
import type { MissingFix, Source } from "./fix-format.ts";
import type { Policy, Rule } from "./policy.ts";
import { compileTemplate } from "./template.ts";
import { anyWildcard } from "./wildcard.ts";

/** What a set needs to know of what stands around resources, so that nothing else is read. */
export type NeedsOfSet = {
  /** Types of which some rule cannot be judged without what stands above them. */
  readonly lineage: ReadonlySet<ResourceType>;
  /** Types of which some fix takes a value from what stands above them. */
  readonly fix_lineage: ReadonlySet<ResourceType>;
  /** The rules that have such a fix. */
  readonly fix_rules: readonly { readonly policy_id: string; readonly rule_id: string }[];
  /** Some rule or fix asks for the account's name or tags. */
  readonly account: boolean;
};

/** What is to be looked up so that repairs of any type can be planned. */
export function wantedForRepair({ lineage, fix_lineage, account }: NeedsOfSet): { lineage: boolean; account: boolean } {
  return { lineage: lineage.size + fix_lineage.size > 0, account };
}

/** What is to be looked up so that resources of a type can be judged. */
export function wantedForJudging(
  { lineage, account }: NeedsOfSet,
  type: ResourceType,
): { lineage: boolean; account: boolean } {
  return { lineage: lineage.has(type), account };
}

/** The needs of checked policies; both lists are in the same order. */
export function needsOf(compiled: readonly CompiledPolicy[], policies: readonly Policy[]): NeedsOfSet {
  const lineage = new Set<ResourceType>();
  const fix_lineage = new Set<ResourceType>();
  const fix_rules: NeedsOfSet["fix_rules"][number][] = [];
  let account = false;
  for (const [index, policy] of compiled.entries()) {
    const types = typesOf(policy);
    const conditions = [policy.where, policy.managed].flatMap((one) => one?.needs ?? []);
    const judging = [...conditions, ...policy.rules.flatMap(needsOfRule)];
    const rules = policies[index]?.rules ?? [];
    const fixing = rules.flatMap(needsOfFix);
    for (const rule of rules)
      if (needsOfFix(rule).some((needs) => needs.lineage)) fix_rules.push({ policy_id: policy.id, rule_id: rule.id });
    if (judging.some((needs) => needs.lineage)) for (const type of types) lineage.add(type);
    if (fixing.some((needs) => needs.lineage)) for (const type of types) fix_lineage.add(type);
    if ([...judging, ...fixing].some((needs) => needs.account)) account = true;
  }
  return { lineage, fix_lineage, fix_rules, account };
}

function typesOf({ scope }: CompiledPolicy): ResourceType[] {
  return scope.types === undefined ? RESOURCE_TYPE_NAMES : RESOURCE_TYPE_NAMES.filter(anyWildcard(scope.types));
}

function needsOfRule(rule: CompiledRule): Needs[] {
  if (rule.about === "assert") return [rule.condition.needs];
  if (rule.about !== "key") return [];
  const required = typeof rule.required === "boolean" ? [] : [rule.required.needs];
  return rule.agrees_with_parent ? [...required, { lineage: true, account: false, now: false }] : required;
}

function needsOfFix(rule: Rule): Needs[] {
  if (!("key" in rule) || rule.fix.missing === "review") return [];
  return sourcesOf(rule.fix.missing).map((source) => ({
    lineage:
      source.inherit === true || (source.template !== undefined && compileTemplate(source.template).needs.lineage),
    account:
      source.account_tag !== undefined ||
      [source.lookup?.by ?? []].flat().includes("account_name") ||
      (source.template !== undefined && compileTemplate(source.template).needs.account),
    now: false,
  }));
}

/** The sources of a fix, in the order in which they are asked. */
export function sourcesOf(fix: MissingFix): Source[] {
  if (fix.otherwise === undefined) return [fix];
  return [fix, typeof fix.otherwise === "string" ? { value: fix.otherwise } : fix.otherwise];
}
