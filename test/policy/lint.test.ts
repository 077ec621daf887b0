import { expect, test } from "vitest";
import { lintPolicies } from "../../src/policy/lint.ts";
import { compilePolicies, printedProblem } from "../../src/policy/load.ts";

/** The warnings about policies that are valid, a line each; files are a.yaml, b.yaml, … unless a name stands in front. */
function warnings(...texts: (string | { path: string; text: string })[]): string[] {
  const files = texts.map((text, index) => (typeof text === "string" ? { path: `${"abc"[index]}.yaml`, text } : text));
  return lintPolicies(compilePolicies(files).files).map((warning) => printedProblem(warning));
}

const policy = (id: string, rules: string, head = "") => `version: 1\nid: ${id}\n${head}rules: [${rules}]\n`;

test("policies that say one thing about each key have no warnings", () => {
  expect(
    warnings(
      policy("p", "{id: env, key: Env, required: true, values: [dev, prod], aliases: [env]}"),
      policy("q", "{id: owner, key: Owner, required: \"tags.Env == 'prod'\"}, {id: no, forbidden: ['tmp*']}"),
    ),
  ).toEqual([]);
});

test.each([
  [
    "a scope that no type in it can meet",
    policy("p", "{id: r, max_tags: 4}", `applies_to: {types: [campaign], where: "resource.type == 'filter'"}\n`),
    "a.yaml:3:40: no resource can meet this condition, so none of these rules is ever reached",
  ],
  [
    "a scope whose condition says nothing",
    policy("p", "{id: r, max_tags: 4}", `applies_to: {where: "1 < 2"}\n`),
    "a.yaml:3:21: every resource meets this condition",
  ],
  [
    "a key that is never required",
    policy(
      "p",
      `{id: r, key: K, required: "resource.type == 'filter'", values: [a]}`,
      "applies_to: {types: [campaign]}\n",
    ),
    "a.yaml:4:35: this condition never holds: the key is not required",
  ],
  [
    "a key that is always required",
    policy("p", `{id: r, key: K, required: "resource.type != 'filter'"}`, "applies_to: {types: [campaign]}\n"),
    "a.yaml:4:35: this condition always holds. Write `required: true`.",
  ],
  [
    "an assertion that always holds",
    policy("p", "{id: r, assert: 'true'}"),
    "a.yaml:3:25: this condition always holds, so the rule finds nothing",
  ],
  [
    "a key that a template cannot carry",
    policy("p", "{id: r, key: Cost Center, required: true}", "applies_to: {types: [solution, campaign]}\n"),
    "a.yaml:4:22: a CloudFormation template cannot give a solution the key `Cost Center`. It takes ASCII letters, digits and . _ : / = + - alone.",
  ],
  [
    "a parent where there is none",
    policy("p", "{id: r, key: K, agrees_with: parent}", "applies_to: {types: [dataset-group]}\n"),
    "a.yaml:4:25: no type of this policy has a parent, so there is nothing to compare with or to inherit from",
  ],
])("%s", (_, text, warning) => expect(warnings(text)).toEqual([warning]));

test.each([
  [
    "values of which none passes both",
    [policy("p", "{id: r, key: K, values: [a, b]}"), policy("q", "{id: r, key: K, values: [c]}")],
    ["b.yaml:3:22: no value of `K` passes both this rule and p/r, and both may be about the same resource"],
  ],
  [
    "a list against a pattern",
    [policy("p", "{id: r, key: K, values: [a, b]}"), policy("q", "{id: r, key: K, pattern: '[0-9]+'}")],
    ["b.yaml:3:22: no value of `K` passes both this rule and p/r, and both may be about the same resource"],
  ],
  [
    "values that meet, in part with wildcards",
    [policy("p", "{id: r, key: K, values: [a1, b]}"), policy("q", "{id: r, key: K, values: ['a*']}")],
    [],
  ],
  [
    "a repair that another rule refuses",
    [
      policy(
        "p",
        "{id: r, key: K, required: true, values: [a, b], fix: {missing: {value: b}, invalid: {map: {x: a}}}}",
      ),
      policy("q", "{id: s, key: K, values: [a]}"),
    ],
    ["a.yaml:3:80: q/s refuses `b`, and may be about the same resource"],
  ],
  [
    "an alias that is the key of another rule",
    [policy("p", "{id: r, key: K, aliases: [L]}"), policy("q", "{id: s, key: L, required: true}")],
    ["a.yaml:3:35: `L` is the key of q/s, which may be about the same resource"],
  ],
  [
    "an alias of two keys",
    [policy("p", "{id: r, key: K, aliases: [x]}"), policy("q", "{id: s, key: L, aliases: [x]}")],
    ["b.yaml:3:35: `x` is an alias of `K` in p/r as well"],
  ],
  [
    "a key that is forbidden and wanted",
    [policy("p", "{id: r, forbidden: ['temp*']}"), policy("q", "{id: s, key: template, required: true}")],
    ["a.yaml:3:29: `temp*` forbids `template`, which q/s is about on the same resources"],
  ],
])("across policies: %s", (_, texts, expected) => expect(warnings(...texts)).toEqual(expected));

test("policies that are about different resources cannot contradict each other", () => {
  const values = (id: string, scope: string, value: string) =>
    policy(id, `{id: r, key: K, values: [${value}]}`, `applies_to: {${scope}}\n`);
  expect(warnings(values("p", "types: [campaign]", "a"), values("q", "types: [solution]", "b"))).toEqual([]);
  expect(warnings(values("p", "names: ['prod-*']", "a"), values("q", "names: ['dev-*']", "b"))).toEqual([]);
  expect(warnings(values("p", "regions: [us-east-1]", "a"), values("q", "regions: ['eu-*']", "b"))).toEqual([]);
  expect(warnings(values("p", "names: ['prod-*']", "a"), values("q", "names: ['*-eu']", "b"))).toHaveLength(1);
});

test("more keys than a resource holds, over several files", () => {
  const many = (id: string, count: number) =>
    policy(id, Array.from({ length: count }, (_, n) => `{id: r${n}, key: ${id}${n}, required: true}`).join(", "));
  expect(warnings(many("p", 30), many("q", 20))).toEqual([]);
  expect(warnings(many("p", 30), many("q", 21))).toEqual([
    expect.stringMatching(/^b.yaml:3:\d+: a dataset-group needs 51 keys by all policies together, and holds 50 tags$/),
  ]);
});

test("a table that nobody looks at", () => {
  expect(warnings(policy("p", "{id: r, max_tags: 4}"), { path: "teams.csv", text: "a,b\n" })).toEqual([
    "teams.csv: no rule looks anything up here",
  ]);
});
