import { type Given, keysToGive } from "../policy/given.ts";
import { ruleOf } from "../policy/fix.ts";
import { appliesTo } from "../policy/judge.ts";
import type { PolicySet } from "../policy/load.ts";
import { anyWildcard } from "../policy/wildcard.ts";
import { keyProblem, valueProblem } from "../tags/limits.ts";
import { nearestWord } from "../tags/spelling.ts";
import type { PlannableResource } from "./plan.ts";

/** A value that a person gives for a key of some resources. */
export type GivenValue = {
  /** Where it was said, for messages: `values.csv:3`, `--set Owner`. */
  readonly at: string;
  /** An ARN, or a pattern of ARNs in which `*` stands for any characters. */
  readonly arn: string;
  readonly key: string;
  readonly value: string;
};

/** What is wrong with values whatever resources they are for, a line each. Never says a value, which may be personal. */
export function problemsOfValues(set: PolicySet, values: readonly GivenValue[]): string[] {
  const rules = set.policies.flatMap((policy) => policy.rules);
  const keys = [...new Set(rules.flatMap(keysToGive))];
  const problems: string[] = [];
  const said = new Map<string, GivenValue>();
  for (const one of values) {
    const { at, arn, key, value } = one;
    const wrong = wrongText(one);
    const twin = said.get(JSON.stringify([arn, key]));
    said.set(JSON.stringify([arn, key]), one);
    if (wrong !== null) problems.push(`${at}: ${wrong}.`);
    else if (twin && twin.value !== value) problems.push(contradiction(one, twin));
    else if (!keys.includes(key)) {
      const near = nearestWord(key, keys);
      problems.push(
        `${at}: no active rule asks for a value of \`${key}\`. ${near === null ? `They ask for ${keys.join(", ") || "none"}.` : `Did you mean \`${near}\`?`}`,
      );
    }
  }
  return problems;
}

function wrongText({ arn, key, value }: GivenValue): string | null {
  if (!isArnPattern(arn)) return `${JSON.stringify(arn)} is neither an ARN nor a pattern that begins with arn: or *`;
  const of_key = keyProblem(key);
  if (of_key !== null) return `the key ${JSON.stringify(key)} ${of_key}`;
  const of_value = valueProblem(value);
  if (of_value !== null) return `the value of \`${key}\` ${of_value}`;
  // Legal, and next to never meant: a sheet shows nothing of it.
  if (value !== value.trim()) return `the value of \`${key}\` begins or ends with a space: take it away`;
  return null;
}

/** Whether a text may name resources: an ARN, or a pattern that could match one. */
export function isArnPattern(text: string): boolean {
  return /^(\*|arn:)/.test(text);
}

function contradiction(one: GivenValue, other: GivenValue, arn?: string): string {
  const where = arn === undefined ? "" : ` for ${arn}`;
  return `${one.at}: another value of \`${one.key}\`${where} than at ${other.at}: keep one of them.`;
}

/** Prepares the question which values are for a resource: those of its ARN and of the patterns that match it, in order. */
export function valuesFor(values: readonly GivenValue[]): (arn: string) => readonly GivenValue[] {
  const exact = Map.groupBy(
    values.filter(({ arn }) => !arn.includes("*")),
    ({ arn }) => arn,
  );
  const byPattern = [
    ...Map.groupBy(
      values.filter(({ arn }) => arn.includes("*")),
      ({ arn }) => arn,
    ),
  ].map(([pattern, members]) => ({ matches: anyWildcard([pattern]), members }));
  return (arn) => [
    ...(exact.get(arn) ?? []),
    ...byPattern.flatMap(({ matches, members }) => (matches(arn) ? members : [])),
  ];
}

/** The values for one resource, as a plan takes them. */
export function toGiven(values: readonly GivenValue[], about: Pick<Given, "overwrite" | "from">): Given {
  return { ...about, values: new Map(values.map(({ key, value }) => [key, value])) };
}

/** Those of the values for a resource for which some open finding of it asks. */
export function askedValues(
  set: PolicySet,
  { findings }: Pick<PlannableResource, "findings">,
  values: readonly GivenValue[],
): GivenValue[] {
  const asked = new Set(
    findings.flatMap(({ policy_id, rule_id }) => {
      const rule = ruleOf(set, policy_id, rule_id);
      return rule ? keysToGive(rule) : [];
    }),
  );
  return values.filter(({ key }) => asked.has(key));
}

/** What is wrong with values on one resource: two that contradict each other, one that a rule about the resource refuses. */
export function problemsOn(
  set: PolicySet,
  { resource, tags, around }: Pick<PlannableResource, "resource" | "tags" | "around">,
  values: readonly GivenValue[],
  now: Date,
): string[] {
  const problems: string[] = [];
  const said = new Map<string, GivenValue>();
  for (const one of values) {
    const other = said.get(one.key);
    if (other && other.value !== one.value) problems.push(contradiction(one, other, resource.arn));
    else said.set(one.key, one);
  }
  for (const policy of set.policies) {
    const applies = appliesTo(policy, { resource, tags: tags ?? {}, around, now });
    if ("unknown" in applies || !applies.applies) continue;
    for (const rule of policy.rules) {
      const given = rule.about === "key" ? said.get(rule.key) : undefined;
      if (rule.about !== "key" || given === undefined || rule.passes(given.value, true)) continue;
      const { rule_id, key, expected } = rule;
      // The same line for every resource, so that it is read once.
      problems.push(`${given.at}: ${policy.id}/${rule_id} refuses the value of \`${key}\`: it wants ${expected}.`);
    }
  }
  return problems;
}
