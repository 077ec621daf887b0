import { describe, expect, test } from "vitest";
import { judge } from "../../src/policy/judge.ts";
import { compilePolicies } from "../../src/policy/load.ts";
import { policyFromConfigRule } from "../../src/policy/config-rule.ts";
import { tagsFrom } from "../../src/tags/tags.ts";
import { found, subject } from "./build.ts";

const importOf = (file: unknown) =>
  policyFromConfigRule(typeof file === "string" ? file : JSON.stringify(file, null, 2), {
    id: "imported",
    source: ["From rule.json:"],
  });
const problemsOf = (file: unknown) => importOf(file).problems.map(({ code, path }) => `${code} ${path}`);
const rule = (changes: object = {}) => ({
  ConfigRuleName: "required-tags",
  Source: { Owner: "AWS", SourceIdentifier: "REQUIRED_TAGS" },
  InputParameters: '{"tag1Key":"CostCenter","tag2Key":"Environment","tag2Value":"dev,prod"}',
  Scope: { ComplianceResourceTypes: ["AWS::EC2::Instance"] },
  ...changes,
});

describe("a required-tags rule of AWS Config", () => {
  test("becomes a policy file that can be used", () => {
    const { text, problems } = importOf({ tag1Key: "CostCenter", tag2Key: "Environment", tag2Value: "dev,prod" });
    expect(problems).toEqual([]);
    expect(text).toBe(`# yaml-language-server: $schema=policy.schema.json
#
# From rule.json:
#
# Made by \`tagwarden policies import\`; docs/tag-policies.md says what is the same and what is not.
version: 1
id: imported
title: What the AWS Config rule required-tags says
rules:
  # the rule, tag1Key
  - id: CostCenter
    key: CostCenter
    required: true
    allow_empty: true

  # the rule, tag2Key
  - id: Environment
    key: Environment
    required: true
    values: [dev, prod]
`);
  });

  test.each<[Record<string, string>, string[]]>([
    [{ CostCenter: "", Environment: "dev" }, []],
    [{ costcenter: "x", Environment: "dev" }, ["CostCenter CostCenter missing"]],
    [{ CostCenter: "x", Environment: "Dev" }, ["Environment Environment invalid"]],
    [{ CostCenter: "x", Environment: "" }, ["Environment Environment invalid"]],
    [{}, ["CostCenter CostCenter missing", "Environment Environment missing"]],
  ])("judges %o as Config does", (tags, violations) => {
    const { text } = importOf(rule());
    const set = compilePolicies([{ path: "p.yaml", text: text ?? "" }]);
    expect(found(judge(set, subject(tagsFrom(Object.entries(tags)))))).toEqual(violations);
  });

  test("may be the whole rule, the list that describe-config-rules prints, or a template's", () => {
    const template = rule({
      InputParameters: { tag1Key: "CostCenter", tag2Key: "Environment", tag2Value: "dev,prod" },
    });
    const list = importOf({ ConfigRules: [rule(), { ConfigRuleName: "other", Source: {} }] });
    const whole = importOf(rule());
    expect(whole.text).toContain("# required-tags, tag2Key");
    expect(list.text).toBe(whole.text);
    expect(list.notes).toContainEqual({
      code: "other_rules",
      key: null,
      message: expect.stringContaining("other"),
    });
    expect(importOf(template).text).toBe(whole.text);
  });

  test("is about the types of Personalize in its scope, or about all when there is none", () => {
    const scope = (...types: string[]) => ({ Scope: { ComplianceResourceTypes: types } });
    const ours = importOf(
      rule(scope("AWS::Personalize::DatasetGroup", "AWS::Personalize::Solution", "AWS::S3::Bucket")),
    );
    expect(ours.text).toContain("applies_to:\n  types: [dataset-group, solution]\n");
    expect(ours.notes).toEqual([]);
    const others = importOf(rule(scope("AWS::S3::Bucket")));
    expect(others.text).not.toContain("applies_to");
    expect(others.notes).toMatchObject([{ code: "scope_elsewhere" }]);
    const narrow = importOf(rule({ Scope: { TagKey: "Stage", TagValue: "prod" } }));
    expect(narrow.notes).toMatchObject([
      { code: "scope_narrower", message: expect.stringContaining("tag key, tag value") },
    ]);
  });

  test("what it cannot mean here is left out, and that is told", () => {
    const imported = importOf({ tag1Key: "aws:x", tag2Key: "Env", tag2Value: "a, b,R&D,*,,a" });
    expect(imported.text).toContain("values: [a, b]");
    expect(imported.text).not.toContain("aws:x");
    expect(imported.notes.map(({ code, key }) => `${code} ${key}`)).toEqual([
      "impossible_key aws:x",
      "white_space Env",
      "impossible_value Env",
      "impossible_value Env",
    ]);
  });
});

describe("a file is refused", () => {
  test.each<[string, unknown, string[]]>([
    ["that is no JSON", "{", ["malformed_json "]],
    [
      "that has no such rule",
      { ConfigRules: [{ ConfigRuleName: "x", Source: { SourceIdentifier: "S3_BUCKET" } }] },
      ["no_config_rule "],
    ],
    ["whose parameters are no JSON", rule({ InputParameters: "tag1Key" }), ["malformed_json InputParameters"]],
    ["whose parameters are no object", rule({ InputParameters: "[]" }), ["bad_parameter InputParameters"]],
    ["with a parameter that the rule has not", { tag1Key: "A", tag7Key: "B" }, ["bad_parameter tag7Key"]],
    ["with a parameter that is no string", { tag1Key: ["A"], tag2Key: "B" }, ["bad_parameter tag1Key"]],
    ["with values without a key", { tag1Key: "A", tag2Value: "B" }, ["bad_parameter tag2Value"]],
    ["that requires nothing", rule({ InputParameters: "{}" }), ["no_required_tags "]],
    ["that requires what no tag can be", { tag1Key: "A", tag1Value: "R&D" }, ["no_value_left "]],
    [
      "that wants two things of one key",
      { tag1Key: "A", tag1Value: "a", tag2Key: "A", tag2Value: "b" },
      ["two_rules_for_one_key "],
    ],
    [
      "whose rules have different scopes",
      { ConfigRules: [rule(), rule({ Scope: { ComplianceResourceTypes: ["AWS::Personalize::Dataset"] } })] },
      ["different_scopes "],
    ],
  ])("%s", (_, file, problems) => {
    expect(problemsOf(file)).toEqual(problems);
    expect(importOf(file).text).toBeNull();
  });

  test("with the place of what is wrong", () => {
    const text = '{\n  "tag1Key": "A",\n  "tag2Kee": "B"\n}';
    expect(importOf(text).problems).toMatchObject([{ code: "bad_parameter", line: 3, column: 3 }]);
    const inner = `{"Source": {"SourceIdentifier": "REQUIRED_TAGS"},\n "InputParameters": "{\\"tag1\\": 1}"}`;
    expect(importOf(inner).problems[0]).toMatchObject({ path: "InputParameters.tag1", line: 2, column: 21 });
  });
});
