import type { PolicySet } from "../policy/load.ts";

type Names = { readonly policy_id: string | null; readonly rule_id: string | null };
type Rule = Pick<PolicySet["policies"][number]["rules"][number], "policy_id" | "rule_id" | "formerly">;

/**
 * What an exemption's policy and rule are called now, where policies say that they were once called so (`formerly`). Names that
 * are in use, that nobody knows, or that more than one could be meant by, stay as they are.
 */
export function presentNames<Scope extends Names>(
  scope: Scope,
  policies: readonly { readonly rules: readonly Rule[] }[],
): Scope {
  const rules = policies.flatMap((policy) => policy.rules);
  const { policy_id, rule_id } = scope;
  const about = (policy: string, rule: string) =>
    (policy_id === null || policy === policy_id) && (rule_id === null || rule === rule_id);
  if (rules.some((rule) => about(rule.policy_id, rule.rule_id))) return scope;
  const present = rules
    .filter(({ formerly }) => formerly.some((name) => about(...partsOf(name))))
    .map((rule) => ({
      policy_id: policy_id === null ? null : rule.policy_id,
      rule_id: rule_id === null ? null : rule.rule_id,
    }));
  const [first] = present;
  const isOne = first && present.every((one) => one.policy_id === first.policy_id && one.rule_id === first.rule_id);
  return isOne ? { ...scope, ...first } : scope;
}

function partsOf(name: string): [string, string] {
  const [policy = "", rule = ""] = name.split("/");
  return [policy, rule];
}
