import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { checkPolicies } from "../../../src/policy/check.ts";
import type { Policy } from "../../../src/policy/policy.ts";
import { tagPolicyFrom } from "../../../src/policy/tag-policy/from-policies.ts";
import { mergeTagPolicies } from "../../../src/policy/tag-policy/merge.ts";
import { parseTagPolicy } from "../../../src/policy/tag-policy/parse.ts";
import { policyFrom } from "../../../src/policy/tag-policy/to-policy.ts";

/** Policies as they are read from files, each of these rules in YAML's flow form. */
function read(rules: readonly string[], head: readonly string[] = []): Policy[] {
  const text = ["version: 1", "id: p", ...head, "rules:", ...rules.map((rule) => `  - ${rule}`), ""].join("\n");
  const { policies, problems } = checkPolicies([{ path: "p.yaml", text }]);
  expect(problems).toEqual([]);
  return policies;
}

/** A rule of a language that has `any_case` and conditions, whether or not this version has. */
function withAnyCase(rules: readonly object[]): Policy {
  const base = { version: 1, id: "p", remediation: "plan", applies_to: {} } as const;
  return { ...base, rules: rules as Policy["rules"] };
}

const assign = (value: unknown) => ({ "@@assign": value });
const told = (policies: readonly Policy[]) =>
  tagPolicyFrom(policies).not_expressible.map(
    ({ policy, rule, field }) => `${rule === null ? policy : `${policy}/${rule}`} ${field}`,
  );

describe("what a tag policy can say", () => {
  test("spelling, values, prohibited keys, and required keys of three types", () => {
    const policies = [
      withAnyCase([
        { id: "cost", key: "CostCenter", any_case: true, required: true, allow_empty: true },
        {
          id: "env",
          key: "Environment",
          any_case: true,
          required: "resource.type in ['solution', 'dataset']",
          values: ["dev", "prod*"],
        },
        { id: "old", forbidden: ["temp", "old"], any_case: true },
      ]),
    ];
    expect(tagPolicyFrom(policies).document).toEqual({
      tags: {
        CostCenter: {
          tag_key: assign("CostCenter"),
          report_required_tag_for: assign(["personalize:dataset", "personalize:dataset-group", "personalize:solution"]),
        },
        Environment: {
          tag_key: assign("Environment"),
          tag_value: assign(["dev", "prod*"]),
          report_required_tag_for: assign(["personalize:dataset", "personalize:solution"]),
        },
        temp: { tag_key: assign("temp"), tag_value: assign([]) },
        old: { tag_key: assign("old"), tag_value: assign([]) },
      },
    });
    expect(told(policies)).toEqual(["p/cost required"]);
  });

  test("an empty value beside others, where the rule lets it pass", () => {
    const policies = read(["{id: env, key: Env, values: [dev], allow_empty: true}"]);
    expect(tagPolicyFrom(policies).document.tags).toMatchObject({ Env: { tag_value: assign(["dev", ""]) } });
  });

  test("required keys of the types that the policy is about", () => {
    const policies = read(
      ["{id: o, key: Owner, required: true, values: [a]}"],
      ["applies_to: {types: ['*solution*']}"],
    );
    expect(tagPolicyFrom(policies).document.tags).toMatchObject({
      Owner: { report_required_tag_for: assign(["personalize:solution"]) },
    });
    expect(tagPolicyFrom(policies).not_expressible).toContainEqual({
      policy: "p",
      rule: "o",
      field: "required",
      reason: "AWS reports a missing key of dataset, dataset-group, solution only, not of solution-version",
    });
  });
});

describe("what a tag policy cannot say is told, with its policy, rule and field", () => {
  test.each<[string, readonly string[], readonly string[], readonly string[]]>([
    [
      "owner, title, repairs",
      ["{id: m, max_tags: 45}"],
      ["title: T", "owner: O", "remediation: auto"],
      ["p title", "p owner", "p remediation", "p/m max_tags"],
    ],
    [
      "where the policy counts",
      ["{id: m, max_tags: 45}"],
      ["applies_to: {types: [campaign], accounts: ['111122223333'], regions: [us-*], names: [prod-*]}"],
      ["p applies_to.types", "p applies_to.accounts", "p applies_to.regions", "p applies_to.names", "p/m max_tags"],
    ],
    [
      "patterns and formats",
      ["{id: a, key: A, pattern: 'a+'}", "{id: b, key: B, format: email}"],
      [],
      ["p/a any_case", "p/a pattern", "p/b any_case", "p/b format"],
    ],
    [
      "other words for the key, but not its other cases",
      ["{id: a, key: CostCenter, aliases: [costcenter, COSTCENTER, cost-center]}"],
      [],
      ["p/a any_case", "p/a aliases"],
    ],
    [
      "that a value must not be empty",
      ["{id: a, key: A, required: true}"],
      ["applies_to: {types: [dataset, solution]}"],
      ["p applies_to.types", "p/a any_case", "p/a required"],
    ],
    [
      "how bad it is, what it says, who may see and repair it",
      ["{id: a, key: A, values: [x], severity: high, message: M, sensitive: true, protected: true}"],
      [],
      ["p/a severity", "p/a message", "p/a sensitive", "p/a protected", "p/a any_case"],
    ],
    [
      "repairs",
      [
        "{id: a, key: A, aliases: [a], required: true, values: [x], fix: {variant: rename, missing: {value: x}, invalid: {map: {y: x}}}}",
      ],
      ["applies_to: {types: [dataset]}"],
      ["p applies_to.types", "p/a fix.variant", "p/a fix.missing", "p/a fix.invalid", "p/a any_case"],
    ],
    [
      "wildcards in keys",
      ["{id: f, forbidden: ['tmp-*', tmp], fix: {forbidden: remove}}"],
      [],
      ["p/f fix.forbidden", "p/f any_case", "p/f forbidden"],
    ],
  ])("%s", (_, rules, head, fields) => {
    expect(told(read(rules, head))).toEqual(fields);
  });

  test("a pattern that listed values pass anyway says nothing more", () => {
    expect(told(read(["{id: a, key: A, values: [x], pattern: '[a-z]'}"]))).toEqual(["p/a any_case"]);
  });

  test("values with several wildcards: nothing is said of values, rather than something wrong", () => {
    const policies = [withAnyCase([{ id: "a", key: "A", any_case: true, values: ["x", "a*b*c"] }])];
    expect(tagPolicyFrom(policies)).toEqual({
      document: { tags: { A: { tag_key: assign("A") } } },
      not_expressible: [{ policy: "p", rule: "a", field: "values", reason: expect.stringContaining("`a*b*c`") }],
    });
  });

  test("conditions that do more than name types, and whatever the language may have one day", () => {
    const policies = [
      withAnyCase([
        { id: "a", key: "A", any_case: true, required: "tags.B == 'b'" },
        { id: "b", assert: "true", any_new_field: { inner: 1 } },
      ]),
    ];
    expect(told(policies)).toEqual(["p/a required", "p/b assert", "p/b any_new_field.inner"]);
  });

  test("a second rule about a key, in whatever case", () => {
    const policies = read(["{id: a, key: Owner, values: [x]}", "{id: b, key: owner, values: [y]}"]);
    expect(tagPolicyFrom(policies).document.tags).toEqual({
      Owner: { tag_key: assign("Owner"), tag_value: assign(["x"]) },
    });
    expect(tagPolicyFrom(policies).not_expressible).toContainEqual({
      policy: "p",
      rule: "b",
      field: "key",
      reason: "a tag policy has one entry for a key, and p/a is about `owner` already",
    });
  });

  test("what would make the document larger than AWS allows; the document itself is always taken", () => {
    const values = Array.from({ length: 300 }, (_, n) => `value-${n}`);
    const rules = Array.from({ length: 6 }, (_, n) => ({ id: `r${n}`, key: `K${n}`, any_case: true, values }));
    const { document, not_expressible } = tagPolicyFrom([withAnyCase(rules)]);
    expect(Object.keys(document.tags)).toEqual(["K0", "K1"]);
    expect(not_expressible.map(({ rule, field }) => `${rule} ${field}`)).toEqual([
      "r2 key",
      "r3 key",
      "r4 key",
      "r5 key",
    ]);
    expect(parseTagPolicy(document).problems).toEqual([]);
  });

  test("more required keys than AWS allows for a type", () => {
    const rules = Array.from({ length: 52 }, (_, n) => ({
      id: `r${n}`,
      key: `K${n}`,
      any_case: true,
      required: "resource.type == 'dataset'",
      allow_empty: true,
    }));
    const { document, not_expressible } = tagPolicyFrom([withAnyCase(rules)]);
    expect(not_expressible.map(({ rule }) => rule)).toEqual(["r50", "r51"]);
    expect(parseTagPolicy(document).problems).toEqual([]);
  });
});

/** Rules that a tag policy can say in full. */
const TYPES = ["dataset", "dataset-group", "solution"];
const key = (index: number) => fc.constantFrom(`Key${index}`, `key-${index}`, `acme:Key ${index}`, `Größe${index}`);
const value = fc.constantFrom(
  "a",
  "b*",
  "*c",
  "d*e",
  "007",
  "true",
  "null",
  "é",
  "x y",
  "",
  "a: b",
  "- a",
  "*@example.com",
);
const keyRule = (index: number) =>
  fc
    .record({
      key: key(index),
      values: fc.option(fc.uniqueArray(value, { minLength: 1, maxLength: 4 }), { nil: undefined }),
      required: fc.option(fc.subarray(TYPES, { minLength: 1 }), { nil: undefined }),
    })
    .map(({ key, values, required }) => ({
      key,
      any_case: true,
      ...(required && { required: `resource.type in [${required.map((type) => `'${type}'`).join(", ")}]` }),
      ...(values && { values }),
      ...(required && !values && { allow_empty: true }),
    }));
const forbiddenRule = (index: number) => key(index).map((key) => ({ forbidden: [key], any_case: true }));
const rules = fc.tuple(...[0, 1, 2, 3].map((index) => fc.oneof(keyRule(index), forbiddenRule(index))));

describe("export, then import", () => {
  test("gives the rules back, where a tag policy can say them", () => {
    fc.assert(
      fc.property(rules, (rules) => {
        const exported = tagPolicyFrom([withAnyCase(rules.map((rule, index) => ({ id: `r${index}`, ...rule })))]);
        expect(exported.not_expressible).toEqual([]);
        expect(imported(exported.document)).toEqual(rules.map((rule) => ({ id: expect.any(String), ...rule })));
      }),
      { numRuns: 300 },
    );
  });

  test("and once more gives the same document", () => {
    fc.assert(
      fc.property(rules, (rules) => {
        const { document } = tagPolicyFrom([withAnyCase(rules.map((rule, index) => ({ id: `r${index}`, ...rule })))]);
        expect(tagPolicyFrom([withAnyCase(imported(document))])).toEqual({ document, not_expressible: [] });
      }),
    );
  });

  test("gives policies that can be read, and exported again from what was read", () => {
    fc.assert(
      fc.property(rules, (rules) => {
        const { document } = tagPolicyFrom([withAnyCase(rules.map((rule, index) => ({ id: `r${index}`, ...rule })))]);
        const { policies, problems } = checkPolicies([{ path: "p.yaml", text: textOf(document) }]);
        expect(problems).toEqual([]);
        expect(tagPolicyFrom(policies)).toEqual({
          document,
          not_expressible: [{ policy: "p", rule: null, field: "title", reason: expect.any(String) }],
        });
      }),
    );
  });
});

function textOf(document: unknown): string {
  const { policy, problems } = parseTagPolicy(JSON.stringify(document));
  expect(problems).toEqual([]);
  const { effective } = mergeTagPolicies(policy ? [{ target: "root", policy }] : []);
  return policyFrom(effective, { id: "p", require: "listed", source: [] }).text ?? "";
}

function imported(document: unknown): { id: string }[] {
  return (parse(textOf(document)) as { rules: { id: string }[] }).rules;
}
