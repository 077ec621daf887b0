import { describe, expect, test } from "vitest";
import { judge } from "../../src/policy/judge.ts";
import { compilePolicies } from "../../src/policy/load.ts";
import { tagsFrom, type Tags } from "../../src/tags/tags.ts";
import { found, policy, resource, subject } from "./build.ts";

const REQUIRED = "{id: r, key: CostCenter, required: true}";
const ALIASES = "{id: r, key: CostCenter, required: true, aliases: [cost-center, costcenter]}";
const VALUES = "{id: r, key: Environment, values: [dev, prod]}";

describe("one rule on one resource", () => {
  const cases: [what: string, rule: string, tags: Tags, expected: string[]][] = [
    ["a required key that is there passes", REQUIRED, { CostCenter: "x" }, []],
    ["a required key that is not there is missing", REQUIRED, {}, ["r CostCenter missing"]],
    ["case counts", REQUIRED, { costcenter: "x" }, ["r CostCenter missing"]],
    ["an empty value of a required key is invalid", REQUIRED, { CostCenter: "" }, ["r CostCenter invalid"]],
    ["a space is a value", REQUIRED, { CostCenter: " " }, []],
    ["an empty value passes with allow_empty", "{id: r, key: K, required: true, allow_empty: true}", { K: "" }, []],
    ["allow_empty holds against values, too", "{id: r, key: K, values: [a], allow_empty: true}", { K: "" }, []],
    ["an empty value passes when listed", "{id: r, key: K, required: true, values: ['', a]}", { K: "" }, []],
    ["a key that is not required may be away", VALUES, {}, []],
    ["a value that is not listed is invalid", VALUES, { Environment: "test" }, ["r Environment invalid"]],
    ["values are compared with their case", VALUES, { Environment: "Prod" }, ["r Environment invalid"]],
    ["an empty value that is not listed is invalid", VALUES, { Environment: "" }, ["r Environment invalid"]],
    ["a pattern matches the whole value", "{id: r, key: K, pattern: 'CC-\\d{4}'}", { K: "CC-12345" }, ["r K invalid"]],
    ["also where it has alternatives", "{id: r, key: K, pattern: 'a|bc'}", { K: "abc" }, ["r K invalid"]],
    ["its own anchors do no harm", "{id: r, key: K, pattern: '^a+$'}", { K: "aaa" }, []],
    [
      "values, pattern and format all must hold",
      "{id: r, key: K, values: ['12', '34'], pattern: '\\d+', format: number}",
      { K: "56" },
      ["r K invalid"],
    ],
    ["an alias alone is a variant", ALIASES, { "cost-center": "x" }, ["r CostCenter variant"]],
    ["an alias beside the key is a variant", ALIASES, { costcenter: "x", CostCenter: "x" }, ["r CostCenter variant"]],
    ["two aliases are one violation", ALIASES, { costcenter: "x", "cost-center": "y" }, ["r CostCenter variant"]],
    ["invalid comes before variant", ALIASES, { CostCenter: "", costcenter: "x" }, ["r CostCenter invalid"]],
    [
      "an alias of a key that is not required is a variant all the same",
      "{id: r, key: Owner, aliases: [owner]}",
      { owner: "x" },
      ["r Owner variant"],
    ],
    ["an alias with another case is none", ALIASES, { Costcenter: "x" }, ["r CostCenter missing"]],
    ["a forbidden key is found", "{id: r, forbidden: [Tmp]}", { Tmp: "" }, ["r Tmp forbidden"]],
    [
      "each forbidden key is a violation of its own, in the order of the keys",
      "{id: r, forbidden: ['temp:*', 'tmp-*', '*-old']}",
      { "tmp-b": "", "temp:a": "1", "x-old": "", "tmp-old": "", tmpx: "" },
      ["r temp:a forbidden", "r tmp-b forbidden", "r tmp-old forbidden", "r x-old forbidden"],
    ],
    ["forbidden keys are compared with their case", "{id: r, forbidden: ['tmp*']}", { Tmp: "" }, []],
    ["so many tags are allowed", "{id: r, max_tags: 2}", { a: "", b: "" }, []],
    ["one more is too many", "{id: r, max_tags: 2}", { a: "", b: "", c: "" }, ["r too_many"]],
    ["aws: tags are not counted", "{id: r, max_tags: 2}", { a: "", b: "", "aws:c": "", "AWS:d": "" }, []],
    [
      "aws: tags are never forbidden",
      "{id: r, forbidden: ['*']}",
      { "aws:a": "", "Aws:b": "", c: "" },
      ["r c forbidden"],
    ],
  ];
  test.each(cases)("%s", (_, rule, tags, expected) => {
    const judgement = judge(policy([rule]), subject(tags, resource()));
    expect(found(judgement)).toEqual(expected);
    expect(judgement).toMatchObject({ rules: 1, unknowns: [] });
  });
});

describe("a well-known format", () => {
  test.each([
    [
      "email",
      ["a@b.example", "first.last+tag@sub.example.com", "ü@bücher.example"],
      ["a", "a@b", "@b.de", "a b@c.de", "a@b@c.de", "a@-b.de", ".a@b.de", "a@b..de"],
    ],
    [
      "arn",
      ["arn:aws:iam::111122223333:role/x", "arn:aws-cn:s3:::bucket", "arn:aws:sns:us-east-1:111122223333:a:b"],
      ["arn:aws:iam", "arn:aws:iam::12:role/x", "aws:arn:a:b:c:d", "arn:aws:s3:::"],
    ],
    ["account-id", ["012345678901"], ["12345678901", "0123456789012", "01234567890a"]],
    [
      "date",
      ["2026-02-28", "2024-02-29"],
      ["2026-02-29", "2026-13-01", "2026-1-1", "28.02.2026", "2026-02-28T00:00:00Z"],
    ],
    [
      "url",
      ["https://example.com/a", "http://localhost:8080"],
      ["example.com", "ftp://example.com", "https://", "https:// example.com", "javascript:alert"],
    ],
    [
      "uuid",
      ["2f1a6c9e-8f37-4c39-9a40-0a6b35c1d2e3", "2F1A6C9E-8F37-4C39-9A40-0A6B35C1D2E3"],
      ["2f1a6c9e8f374c399a400a6b35c1d2e3", "2f1a6c9e-8f37-4c39-9a40-0a6b35c1d2eg"],
    ],
    ["number", ["0", "-1", "+3.50", "007"], ["", "1e5", "1.", ".5", "1 000", "Infinity"]],
  ])("%s", (format, good, bad) => {
    const set = policy([`{id: r, key: K, format: ${format}}`]);
    const passes = (value: string) => judge(set, subject({ K: value }, resource())).violations.length === 0;
    expect(good.filter((value) => !passes(value))).toEqual([]);
    expect(bad.filter(passes)).toEqual([]);
  });
});

describe("which resources a policy is about", () => {
  const RULE = ["{id: r, key: K, required: true}"];
  const cases: [what: string, head: string[], on: Parameters<typeof resource>[0], rules: number][] = [
    ["all, when it does not say", [], {}, 1],
    ["a type", ["applies_to: {types: [campaign]}"], {}, 1],
    ["another type", ["applies_to: {types: [solution]}"], {}, 0],
    ["a solution is no solution version", ["applies_to: {types: [solution]}"], { type: "solution-version" }, 0],
    ["types by wildcard", ["applies_to: {types: ['dataset-*-job']}"], { type: "dataset-import-job" }, 1],
    ["any item of a list", ["applies_to: {regions: [eu-west-1, 'us-*']}"], {}, 1],
    ["no item of a list", ["applies_to: {regions: [eu-west-1, 'ap-*']}"], {}, 0],
    ["an account", ["applies_to: {accounts: ['111122223333']}"], {}, 1],
    ["another account", ["applies_to: {accounts: ['444455556666']}"], {}, 0],
    ["accounts by wildcard", ["applies_to: {accounts: ['1111*']}"], {}, 1],
    ["a name", ["applies_to: {names: ['prod-*']}"], {}, 1],
    ["a name with its case", ["applies_to: {names: ['Prod-*']}"], {}, 0],
    ["a wildcard in the middle", ["applies_to: {names: ['prod-*-v2']}"], { name: "prod-home-v2" }, 1],
    ["a wildcard needs room", ["applies_to: {names: ['prod-*-v2']}"], { name: "prod-v2" }, 0],
    ["several wildcards", ["applies_to: {names: ['*a*b*']}"], { name: "xxaxxbxx" }, 1],
    ["every field must match", ["applies_to: {types: [campaign], regions: [eu-west-1]}"], {}, 0],
    ["nothing that is being deleted", [], { status: "DELETE PENDING" }, 0],
    ["nothing that is being deleted, as spelt elsewhere", [], { status: "DELETE IN_PROGRESS" }, 0],
    ["what failed to be made is still there", [], { status: "CREATE FAILED" }, 1],
  ];
  test.each(cases)("%s", (_, head, on, rules) => {
    const judgement = judge(policy(RULE, head), subject({}, resource(on)));
    expect(judgement.rules).toBe(rules);
    expect(judgement.violations).toHaveLength(rules);
  });

  test("a resource under no rule has none, so that it is not counted as compliant", () => {
    const set = policy(RULE, ["applies_to: {types: [solution]}"]);
    expect(judge(set, subject({}, resource()))).toEqual({ rules: 0, violations: [], unknowns: [] });
  });

  test("policies add up, in the order of their files", () => {
    const text = (id: string) => `version: 1\nid: ${id}\nrules:\n - {id: r, key: K, required: true}\n`;
    const set = compilePolicies([
      { path: "b.yaml", text: text("second") },
      { path: "a.yaml", text: text("first") },
    ]);
    const { rules, violations } = judge(set, subject({}, resource()));
    expect(rules).toBe(2);
    expect(violations.map(({ policy_id }) => policy_id)).toEqual(["first", "second"]);
  });
});

describe("what a report can say of a violation", () => {
  const detail = (rule: string, tags: Tags) => judge(policy([rule]), subject(tags, resource())).violations[0]?.detail;

  test("the sentence names keys and no values; the values stand apart", () => {
    expect(detail("{id: r, key: Owner, format: email}", { Owner: "jane" })).toEqual({
      message: "`Owner` has a value that is not allowed.",
      observed: { Owner: "jane" },
      expected: "an e-mail address",
    });
    expect(detail(ALIASES, { costcenter: "x", CostCenter: "y", Other: "z" })).toEqual({
      message: "`costcenter` should be `CostCenter`.",
      observed: { CostCenter: "y", costcenter: "x" },
      expected: "the key CostCenter alone, with a value that is not empty",
    });
    expect(detail("{id: r, max_tags: 1}", { a: "1", b: "2", "aws:c": "3" })).toEqual({
      message: "2 tags, at most 1 allowed.",
      observed: {},
      expected: "at most 1 tag",
      count: 2,
    });
  });

  test("the policy's own sentence replaces the usual one", () => {
    expect(detail("{id: r, key: K, required: true, message: Ask finance.}", {})?.message).toBe("Ask finance.");
  });

  test("all that would pass is named, long lists in part", () => {
    expect(detail("{id: r, key: K, values: [a, ''], pattern: 'a?', allow_empty: true}", { K: "b" })?.expected).toBe(
      'one of a, "" and a value that matches a?, or an empty value',
    );
    const values = Array.from({ length: 25 }, (_, index) => `v${index}`);
    expect(detail(`{id: r, key: K, values: [${values.join(", ")}]}`, { K: "b" })?.expected).toMatch(/v19 and 5 more$/);
  });
});

describe("a key that is missing, beside one that looks like it", () => {
  test("names the other", () => {
    const [violation] = judge(policy([REQUIRED]), subject({ costcenter: "x", Owner: "y" })).violations;
    expect(violation?.kind).toBe("missing");
    expect(violation?.detail).toMatchObject({
      near_miss: "costcenter",
      message: "`CostCenter` is missing; `costcenter` looks like it.",
    });
  });

  test("leaves alone a key that another rule names as its own, unless it is the same word", () => {
    const set = policy(["{id: a, key: Products, required: true}", "{id: b, key: Product, required: true}"]);
    expect(judge(set, subject({ Product: "x" }, resource())).violations[0]?.detail.near_miss).toBeUndefined();
    const twins = policy(["{id: a, key: CostCenter, required: true}", "{id: b, key: cost-center, required: true}"]);
    expect(judge(twins, subject({ "cost-center": "x" }, resource())).violations[0]?.detail.near_miss).toBe(
      "cost-center",
    );
  });

  test("never takes a tag of AWS for it", () => {
    const set = policy(["{id: a, key: awsowner, required: true}"]);
    expect(judge(set, subject({ "aws:owner": "x" }, resource())).violations[0]?.detail.near_miss).toBeUndefined();
  });
});

describe("keys that are names of JavaScript's own", () => {
  const set = policy([
    "{id: a, key: constructor, required: true}",
    "{id: b, key: __proto__, required: true, aliases: [toString]}",
    "{id: c, forbidden: [hasOwnProperty, valueOf]}",
  ]);

  test("are missing when no tag has them", () => {
    expect(found(judge(set, subject({}, resource())))).toEqual(["a constructor missing", "b __proto__ missing"]);
  });

  test("are found when a tag has them", () => {
    const tags = tagsFrom([
      ["constructor", "x"],
      ["__proto__", ""],
      ["valueOf", "y"],
    ]);
    const { violations } = judge(set, subject(tags, resource()));
    expect(violations.map(({ rule_id, key, kind }) => `${rule_id} ${key} ${kind}`)).toEqual([
      "b __proto__ invalid",
      "c valueOf forbidden",
    ]);
    expect(Object.keys(violations[0]?.detail.observed ?? {})).toEqual(["__proto__"]);
  });
});

test("a pattern takes linear time, whatever the value", () => {
  const set = policy(["{id: r, key: K, pattern: '(a+)+b|(a|aa)+c|(.*a){20}'}"]);
  // An engine that tries again from behind would not come back from the first of these.
  for (let n = 0; n < 50; n += 1) {
    const { violations } = judge(set, subject({ K: `${"a".repeat(250)}${n}` }, resource()));
    expect(violations.map(({ kind }) => kind)).toEqual(["invalid"]);
  }
});
