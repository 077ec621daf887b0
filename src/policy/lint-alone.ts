import { RESOURCE_TYPES, type ResourceType } from "../inventory/resource-types.ts";
import { compileCondition, type Expression } from "./condition.ts";
import { Facts } from "./facts.ts";
import { keyRulesOf, type LintWarning, type PlacedPolicy } from "./lint-warning.ts";
import type { Path } from "./parse.ts";
import { typesIn } from "./scopes.ts";

/** What one policy says that is probably not meant. */
export function lintAlone(of: PlacedPolicy): LintWarning[] {
  return [...lintWhere(of), ...lintConditions(of), ...lintTemplates(of), ...lintParents(of)];
}

/** An instant and a subject for conditions that look at nothing but a type, or at nothing at all. */
const SOME_DAY = new Date(0);

/** What a condition says of each type; null where it looks at more than the type. */
function answers(condition: Expression<boolean>, types: readonly ResourceType[]): boolean[] | null {
  if (condition.looks_at.some((name) => name !== "resource.type")) return null;
  const found = types.map((type) => condition.evaluate(new Facts(subjectOf(type))));
  return found.every((answer) => "value" in answer) ? found.map(({ value }) => value) : null;
}

function subjectOf(type: ResourceType) {
  const place = { account_id: "000000000000", region: "", name: "", status: "" };
  const resource = { arn: "", type, ...place, created_at: null, updated_at: null, summary: {} };
  return { resource, tags: {}, now: SOME_DAY };
}

/** A scope that no type can be in, and one whose condition lets every type through. */
function lintWhere(of: PlacedPolicy): LintWarning[] {
  const { applies_to } = of.policy;
  if (applies_to.where === undefined) return [];
  const found = answers(compileCondition(applies_to.where), typesIn(applies_to));
  const at: Path = ["applies_to", "where"];
  if (found?.every((answer) => !answer))
    return [{ of, at, message: "no resource can meet this condition, so none of these rules is ever reached" }];
  if (found?.every((answer) => answer)) return [{ of, at, message: "every resource meets this condition" }];
  return [];
}

/** Conditions of rules that are always the same, whatever the resource. */
function lintConditions(of: PlacedPolicy): LintWarning[] {
  const types = typesIn(of.policy.applies_to);
  return of.policy.rules.flatMap((rule, index): LintWarning[] => {
    if ("assert" in rule && answers(compileCondition(rule.assert), types)?.every((answer) => answer))
      return [
        { of, at: ["rules", index, "assert"], message: "this condition always holds, so the rule finds nothing" },
      ];
    if (!("key" in rule) || typeof rule.required !== "string") return [];
    const found = answers(compileCondition(rule.required), types);
    const at = ["rules", index, "required"];
    if (found?.every((answer) => !answer))
      return [{ of, at, message: "this condition never holds: the key is not required" }];
    if (found?.every((answer) => answer))
      return [{ of, at, message: "this condition always holds", hint: "Write `required: true`." }];
    return [];
  });
}

/** Types whose tags a CloudFormation template sets by a narrower alphabet. Source: the CloudFormation resource schemas of these three types. */
const IN_TEMPLATES: ResourceType[] = ["dataset-group", "dataset", "solution"];
/** Their pattern for keys, whose accidental range `+-=` lets digits and `,-./:;<` in. No space, no `@`, no letters beyond ASCII. */
const TEMPLATE_KEY = /^[a-zA-Z+-=._:/]+$/;

function lintTemplates(of: PlacedPolicy): LintWarning[] {
  const types = IN_TEMPLATES.filter((type) => typesIn(of.policy.applies_to).includes(type));
  if (types.length === 0) return [];
  return keyRulesOf(of).flatMap(({ rule, at }) => {
    if (rule.required === false || TEMPLATE_KEY.test(rule.key)) return [];
    const message = `a CloudFormation template cannot give a ${types.join(", ")} the key \`${rule.key}\``;
    return [{ of, at: [...at, "key"], message, hint: "It takes ASCII letters, digits and . _ : / = + - alone." }];
  });
}

/** What looks at a parent where no type in scope has one. */
function lintParents(of: PlacedPolicy): LintWarning[] {
  if (typesIn(of.policy.applies_to).some((type) => RESOURCE_TYPES[type].parent !== null)) return [];
  return keyRulesOf(of).flatMap(({ rule, at }) => {
    const warnings: LintWarning[] = [];
    const message = "no type of this policy has a parent, so there is nothing to compare with or to inherit from";
    if (rule.agrees_with) warnings.push({ of, at: [...at, "agrees_with"], on: "key", message });
    if (rule.fix.missing !== "review" && rule.fix.missing.inherit)
      warnings.push({ of, at: [...at, "fix", "missing", "inherit"], on: "key", message });
    return warnings;
  });
}
