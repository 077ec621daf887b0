import { describe, expect, test } from "vitest";
import { parseTagPolicy } from "../../../src/policy/tag-policy/parse.ts";
import { parseEffectivePolicy } from "../../../src/policy/tag-policy/parse-effective.ts";

/** `code path` of every problem. */
const problemsOf = (input: unknown) => parseTagPolicy(input).problems.map(({ code, path }) => `${code} ${path}`);
const warningsOf = (input: unknown) => parseTagPolicy(input).warnings.map(({ code, path }) => `${code} ${path}`);
const entry = (value: unknown, key = "env") => ({ tags: { [key]: value } });
const CONTROL = "@@operators_allowed_for_child_policies";

describe("a tag policy is refused", () => {
  test.each<[string, unknown, string[]]>([
    ["that is no object", [], ["type_mismatch "]],
    ["that is empty", {}, ["missing_tags_root "]],
    ["with another field beside tags", { tags: {}, version: 1 }, ["unknown_field version"]],
    ["with an operator at the root", { tags: {}, "@@assign": [] }, ["operator_not_allowed_here @@assign"]],
    ["with a control at the root", { tags: {}, [CONTROL]: ["@@none"] }, [`operator_not_allowed_here ${CONTROL}`]],
    ["whose tags are no object", { tags: ["env"] }, ["type_mismatch tags"]],
    ["with an operator under tags", { tags: { "@@assign": {} } }, ["operator_not_allowed_here tags.@@assign"]],
    ["with an operator that is none", { tags: { "@@assing": {} } }, ["unknown_operator tags.@@assing"]],
    ["whose entry is no object", entry("Env"), ["type_mismatch tags.env"]],
    ["with an operator under an entry", entry({ "@@append": ["a"] }), ["operator_not_allowed_here tags.env.@@append"]],
    [
      "with an operator that is none under a setting",
      entry({ tag_value: { "@@add": ["a"] } }),
      ["unknown_operator tags.env.tag_value.@@add"],
    ],
    [
      "that nests one setting in another, as AWS's own example does by mistake",
      entry({ tag_value: { "@@append": ["a"], enforced_for: { "@@append": ["ec2:instance"] } } }),
      ["unknown_field tags.env.tag_value.enforced_for"],
    ],
    ["with an effective policy's values", entry({ tag_key: "Env" }), ["missing_operator tags.env.tag_key"]],
    [
      "that appends to a spelling",
      entry({ tag_key: { "@@append": "Env" } }),
      ["operator_not_allowed_for_field tags.env.tag_key.@@append"],
    ],
    [
      "whose spelling is another key",
      entry({ tag_key: { "@@assign": "Environment" } }),
      ["tag_key_mismatch tags.env.tag_key.@@assign"],
    ],
    [
      "whose spelling is a list",
      entry({ tag_key: { "@@assign": ["Env"] } }),
      ["type_mismatch tags.env.tag_key.@@assign"],
    ],
    ["with an entry in two cases", { tags: { env: {}, Env: {} } }, ["duplicate_policy_key tags.Env"]],
    ["about a key of AWS", entry({}, "aws:env"), ["bad_policy_key tags.aws:env"]],
    ["about a key with a character that none has", entry({}, "R&D"), ["bad_policy_key tags.R&D"]],
    ["about a key without a name", entry({}, ""), ["bad_policy_key tags."]],
    ["about a key that is too long", entry({}, "k".repeat(129)), [`bad_policy_key tags.${"k".repeat(129)}`]],
    [
      "with null for a value",
      entry({ tag_value: { "@@assign": [null] } }),
      ["type_mismatch tags.env.tag_value.@@assign"],
    ],
    [
      "with two wildcards in what it removes",
      entry({ tag_value: { "@@remove": ["*a*"] } }),
      ["too_many_wildcards tags.env.tag_value.@@remove"],
    ],
    ...["*", "*:*", "*:instance", "ec2", "ec2:", ":instance", "ec2:inst*", "ec2:all_supported", "e c2:instance"].map(
      (type): [string, unknown, string[]] => [
        `for the type ${JSON.stringify(type)}`,
        entry({ report_required_tag_for: { "@@append": [type] } }),
        ["bad_resource_type tags.env.report_required_tag_for.@@append"],
      ],
    ),
    ...[[], ["@@any"], ["@@append", "@@append"], ["@@all", "@@none"], [1], { "@@none": true }].map(
      (control): [string, unknown, string[]] => [
        `with the control ${JSON.stringify(control)}`,
        entry({ [CONTROL]: control }),
        [`bad_child_operator tags.env.${CONTROL}`],
      ],
    ),
  ])("%s", (_, document, problems) => {
    expect(problemsOf(document)).toEqual(problems);
    expect(problemsOf(JSON.stringify(document))).toEqual(problems);
    expect(parseTagPolicy(document).policy).toBeNull();
  });

  test("with everything that is wrong, each at its place", () => {
    const text = `{
  "tags": {
    "CostCenter": {
      "tag_key": { "@@assign": "Cost" },
      "tag_values": { "@@assign": ["a"] },
      "enforced_for": { "@@assign": ["ec2:instance", "ec2"] }
    }
  },
  "Version": 1
}`;
    expect(parseTagPolicy(text).problems).toMatchObject([
      { code: "tag_key_mismatch", line: 4, column: 32 },
      { code: "unknown_field", line: 5, column: 7, hint: "Did you mean `tag_value`?" },
      { code: "bad_resource_type", line: 6, column: 54, path: "tags.CostCenter.enforced_for.@@assign" },
      { code: "unknown_field", line: 9, column: 3, hint: "Possible here: tags." },
    ]);
  });

  test("with more than 10,000 characters, white space not counted", () => {
    const values = Array.from({ length: 1_300 }, (_, number) => `v${String(number).padStart(4, "0")}`);
    const document = entry({ tag_value: { "@@assign": values } });
    expect(problemsOf(document)).toEqual(["policy_too_large "]);
    const smaller = entry({ tag_value: { "@@assign": values.slice(0, 1_200) } });
    expect(JSON.stringify(smaller).length).toBeLessThanOrEqual(10_000);
    expect(parseTagPolicy(smaller)).toMatchObject({ problems: [], warnings: [] });
    expect(parseTagPolicy(JSON.stringify(smaller, null, 2))).toMatchObject({
      problems: [],
      warnings: [{ code: "white_space_counts" }],
    });
  });

  test("that requires more than fifty keys of one type", () => {
    const tags = Object.fromEntries(
      Array.from({ length: 51 }, (_, number) => [
        `k${number}`,
        { report_required_tag_for: { [number % 2 ? "@@assign" : "@@append"]: ["personalize:dataset"] } },
      ]),
    );
    expect(problemsOf({ tags })).toEqual(["too_many_required_keys personalize:dataset"]);
    expect(problemsOf({ tags: { ...tags, k50: {} } })).toEqual([]);
  });

  test.each([
    ["", "the end where a value should be", 1, 1],
    ['{"tags": {}', "the end where `,` or `}` should be", 1, 12],
    ['{"tags": {}}\n}', '"}" after the end of the document', 2, 1],
    ["{tags: {}}", '"t" where a key in double quotes should be', 1, 2],
    ['{"tags": {"a": 01}}', '"1" where `,` or `}` should be', 1, 17],
    ['{"tags": {\n  "a\nb": {}}}', "a control character within a string", 2, 5],
    ['{"a": "\\x"}', "an escape that JSON has not", 1, 8],
    ['{"a": "b', "a string without an end", 1, 7],
  ])("that is no JSON: %j", (text, message, line, column) => {
    expect(parseTagPolicy(text).problems).toEqual([
      { code: "malformed_json", path: "", line, column, message: `is no JSON: ${message}` },
    ]);
  });

  test("in which a field is there twice, of which JSON keeps one without a word", () => {
    const text = `{"tags": {"env": {"tag_key": {"@@assign": "Env"}, "tag_key": {}}, "env": {}}}`;
    expect(problemsOf(text)).toEqual(["malformed_json tags.env.tag_key", "duplicate_policy_key tags.env"]);
  });
});

describe("a tag policy is taken, and something is told", () => {
  test.each<[string, unknown, string[]]>([
    [
      "of the old form for all types of a service",
      entry({ enforced_for: { "@@assign": ["redshift:*", "s3:bucket"] } }),
      ["old_wildcard tags.env.enforced_for.@@assign", "unknown_resource_type tags"],
    ],
    [
      "of a type that AWS cannot refuse writes for",
      entry({ enforced_for: { "@@assign": ["rds:db", "personalize:campaign"] } }),
      [
        "unsupported_resource_type tags.env.enforced_for.@@assign",
        "unsupported_resource_type tags.env.enforced_for.@@assign",
      ],
    ],
    [
      "of types of Personalize that AWS does not report",
      entry({ report_required_tag_for: { "@@assign": ["personalize:campaign", "personalize:ALL_SUPPORTED"] } }),
      Array.from({ length: 2 }, () => "unsupported_resource_type tags.env.report_required_tag_for.@@assign"),
    ],
    [
      "of types that are not known here, once for all",
      { tags: { a: { enforced_for: { "@@assign": ["x:y"] } }, b: { enforced_for: { "@@assign": ["x:y", "x:z"] } } } },
      ["unknown_resource_type tags"],
    ],
    [
      "of a value that no tag has",
      entry({ tag_value: { "@@assign": ["R&D"] } }),
      ["impossible_value tags.env.tag_value.@@assign"],
    ],
    ["of a setting that says nothing", entry({ tag_value: {} }), ["empty_setting tags.env.tag_value"]],
  ])("%s", (_, document, warnings) => {
    expect(problemsOf(document)).toEqual([]);
    expect(warningsOf(document)).toEqual(warnings);
  });

  test("of a type with slashes, that it is not known here", () => {
    const types = ["appconfig:application/environment", "appmesh:mesh/virtualNode"];
    expect(warningsOf(entry({ enforced_for: { "@@assign": types } }))).toEqual(["unknown_resource_type tags"]);
  });

  test.each<[string, unknown]>([
    ["an entry that says nothing", entry({})],
    [
      "a control at every level",
      { tags: { [CONTROL]: ["@@none"], env: { [CONTROL]: ["@@all"], tag_key: { [CONTROL]: ["@@append"] } } } },
    ],
    ["an empty list of values", entry({ tag_value: { "@@assign": [] } })],
    ["an empty value", entry({ tag_value: { "@@assign": [""] } })],
    ["an empty list of types", entry({ enforced_for: { "@@assign": [] } })],
    [
      "keys that every object has",
      { tags: { constructor: {}, ["__proto__"]: { tag_key: { "@@assign": "__proto__" } } } },
    ],
  ])("nothing of %s", (_, document) => {
    expect(parseTagPolicy(JSON.stringify(document))).toMatchObject({ problems: [], warnings: [] });
  });
});

describe("an effective policy", () => {
  test("is read as AWS shows it", () => {
    const text =
      '{"tags":{"costcenter":{"tag_value":["*"],"tag_key":"CostCenter","enforced_for":["ec2:instance"]},"team":{"tag_value":[]}}}';
    expect(parseEffectivePolicy(text)).toMatchObject({
      problems: [],
      warnings: [],
      effective: {
        tags: [
          { policy_key: "costcenter", tag_key: "CostCenter", tag_value: null, enforced_for: ["ec2:instance"] },
          { policy_key: "team", tag_key: "team", tag_key_assigned: false, tag_value: [], report_required_tag_for: [] },
        ],
      },
    });
  });

  test("with a setting that is not known yet is read, and that is told", () => {
    expect(parseEffectivePolicy({ tags: { a: { tag_key: "A", newer: ["x"] } } })).toMatchObject({
      effective: { tags: [{ tag_key: "A" }] },
      warnings: [{ code: "unknown_setting", path: "tags.a.newer" }],
    });
  });

  test("does not show whether a spelling in lower case was said, and that is told where it matters", () => {
    const required = { tag_key: "team", tag_value: ["*"], report_required_tag_for: ["personalize:dataset"] };
    expect(parseEffectivePolicy({ tags: { team: required } }).warnings).toMatchObject([{ code: "spelling_not_shown" }]);
    expect(parseEffectivePolicy({ tags: { team: { ...required, tag_key: "Team" } } }).warnings).toEqual([]);
    expect(parseEffectivePolicy({ tags: { team: { ...required, tag_value: ["a"] } } }).warnings).toEqual([]);
  });

  test.each<[unknown, string[]]>([
    ["{", ["malformed_json "]],
    [{}, ["missing_tags_root "]],
    [{ tags: [] }, ["type_mismatch tags"]],
    [{ tags: { a: { tag_key: { "@@assign": "A" } } } }, ["type_mismatch tags.a.tag_key"]],
    [{ tags: { a: { tag_value: "x" } } }, ["type_mismatch tags.a.tag_value"]],
    [{ tags: { a: { "@@assign": "x" } } }, ["operator_not_allowed_here tags.a.@@assign"]],
    [{ tags: { a: {}, A: {} } }, ["duplicate_policy_key tags.A"]],
  ])("%j is none", (input, problems) => {
    const parsed = parseEffectivePolicy(input);
    expect(parsed.problems.map(({ code, path }) => `${code} ${path}`)).toEqual(problems);
    expect(parsed.effective).toBeNull();
  });
});
