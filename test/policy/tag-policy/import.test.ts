import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { RESOURCE_TYPE_NAMES } from "../../../src/inventory/resource-types.ts";
import { judge } from "../../../src/policy/judge.ts";
import { compilePolicies } from "../../../src/policy/load.ts";
import { parseFile } from "../../../src/policy/parse.ts";
import { judgeByTagPolicy, type Require } from "../../../src/policy/tag-policy/judge.ts";
import { mergeTagPolicies } from "../../../src/policy/tag-policy/merge.ts";
import { tagPolicyType } from "../../../src/policy/tag-policy/resource-types.ts";
import { type EffectiveTagPolicy, foldKey } from "../../../src/policy/tag-policy/tag-policy.ts";
import { policyFrom } from "../../../src/policy/tag-policy/to-policy.ts";
import { resource, subject } from "../build.ts";
import { attachedDocuments, parsed, resourceTags } from "./arbitrary.ts";

/** Whether policies have what an imported one needs. Until they do, its structure alone is looked at. */

function importOf(tags: Record<string, unknown>, require: Require = "listed") {
  const [attached] = parsed([{ target: "root", document: { tags } }]);
  const { effective } = mergeTagPolicies(attached ? [attached] : []);
  return policyFrom(effective, { id: "imported", require, source: ["From root.json:"] });
}

/** The rules of an imported policy as data. */
function rulesOf(tags: Record<string, unknown>, require?: Require): unknown {
  const { text } = importOf(tags, require);
  return (parse(text ?? "") as { rules: unknown }).rules;
}

const assign = (value: unknown) => ({ "@@assign": value });

describe("a tag policy becomes a policy with a rule for each key", () => {
  test.each<[string, Record<string, unknown>, unknown]>([
    [
      "a spelling",
      { costcenter: { tag_key: assign("CostCenter") } },
      [{ id: "CostCenter", key: "CostCenter", any_case: true }],
    ],
    ["no spelling: lower case", { Team: {} }, [{ id: "team", key: "team", any_case: true }]],
    [
      "values with wildcards",
      { Env: { tag_key: assign("Env"), tag_value: assign(["prod*", "007", "true", "prod*"]) } },
      [{ id: "Env", key: "Env", any_case: true, values: ["prod*", "007", "true"] }],
    ],
    ["any value", { env: { tag_value: assign(["a", "*"]) } }, [{ id: "env", key: "env", any_case: true }]],
    ["no value", { env: { tag_value: assign([]) } }, [{ id: "env", forbidden: ["env"], any_case: true }]],
    [
      "a key that is required of types of Personalize and others",
      {
        owner: {
          tag_key: assign("Owner"),
          report_required_tag_for: assign(["personalize:solution", "ec2:instance", "personalize:dataset"]),
        },
      },
      [
        {
          id: "Owner",
          key: "Owner",
          any_case: true,
          required: "resource.type in ['dataset', 'solution']",
          allow_empty: true,
        },
      ],
    ],
    [
      "a required key with values, which an empty one is not",
      { env: { tag_value: assign(["a*"]), report_required_tag_for: assign(["personalize:dataset-group"]) } },
      [{ id: "env", key: "env", any_case: true, required: "resource.type in ['dataset-group']", values: ["a*"] }],
    ],
    [
      "a required key whose list has the empty value",
      { env: { tag_value: assign(["", "a"]), report_required_tag_for: assign(["personalize:dataset-group"]) } },
      [{ id: "env", key: "env", any_case: true, required: "resource.type in ['dataset-group']", values: ["", "a"] }],
    ],
  ])("%s", (_, tags, rules) => {
    expect(rulesOf(tags)).toEqual(rules);
  });

  test("what is required of any type is required of all when that is wanted", () => {
    const tags = { a: { report_required_tag_for: assign(["ec2:instance"]) }, b: {} };
    expect(rulesOf(tags, "everywhere")).toMatchObject([{ id: "a", required: true, allow_empty: true }, { id: "b" }]);
    expect(rulesOf(tags, "everywhere")).not.toHaveProperty("1.required");
  });

  test("ids are the keys where they can be, and readable, different and the same each time where not", () => {
    const keys = [
      "acme:cost",
      "acme-cost",
      "acme cost",
      "Größe",
      "コスト",
      "費用",
      "a".repeat(100),
      `${"a".repeat(100)}b`,
      "-x",
    ];
    const rules = rulesOf(Object.fromEntries(keys.map((key) => [key, { tag_key: assign(key) }]))) as { id: string }[];
    expect(rules.map(({ id }) => id)).toEqual([
      "acme-cost-2",
      "acme-cost",
      "acme-cost-3",
      "Gro-e",
      "key",
      "key-2",
      "a".repeat(64),
      `${"a".repeat(62)}-2`,
      "x",
    ]);
  });
});

describe("what a policy does not say as AWS does is told", () => {
  const codes = (tags: Record<string, unknown>) => importOf(tags).notes.map(({ code, key }) => `${code} ${key}`);

  test.each<[string, Record<string, unknown>, string[]]>([
    [
      "a key that AWS takes in any case",
      { team: { report_required_tag_for: assign(["personalize:dataset"]) } },
      ["any_case_complies team"],
    ],
    [
      "a key that is required of other services",
      { a: { tag_key: assign("A"), report_required_tag_for: assign(["s3:bucket"]) } },
      ["required_elsewhere A"],
    ],
    [
      "types of Personalize that AWS does not report",
      { a: { tag_key: assign("A"), report_required_tag_for: assign(["personalize:campaign"]) } },
      ["required_elsewhere A"],
    ],
    ["that AWS refuses writes", { a: { enforced_for: assign(["s3:bucket"]) } }, ["enforced_for a"]],
    ["values that no tag has", { a: { tag_value: assign(["R&D", "b"]) } }, ["impossible_value a"]],
    [
      "a key that is required and prohibited",
      { a: { tag_key: assign("A"), tag_value: assign([]), report_required_tag_for: assign(["personalize:dataset"]) } },
      ["required_and_prohibited A"],
    ],
  ])("%s", (_, tags, told) => {
    expect(codes(tags)).toEqual(told);
  });

  test("each note stands above its rule too, on one line", () => {
    const { text, notes } = importOf({ a: { tag_value: assign(["R&D\n  - id: x", "b"]) } });
    expect(notes).toHaveLength(1);
    expect(text).toContain(`  # ${notes[0]?.message}\n  - id: a\n`);
  });

  test("a key that no tag has is left out; a policy of nothing is none, and says why", () => {
    const effective = {
      tags: [
        {
          policy_key: "r&d",
          tag_key: "R&D",
          tag_key_assigned: true,
          tag_value: null,
          enforced_for: [],
          report_required_tag_for: [],
        },
      ],
    };
    const imported = policyFrom(effective, { id: "p", require: "listed", source: [] });
    expect(imported).toMatchObject({
      text: null,
      problem: expect.stringContaining("nothing about any key"),
      notes: [{ code: "impossible_key" }],
    });
  });

  test("more than a policy can hold is refused, and says why", () => {
    const keys = (count: number, entry: object) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, entry]));
    expect(importOf(keys(201, {}))).toMatchObject({ text: null, problem: expect.stringContaining("200 rules") });
    const tags = {
      ...keys(30, { report_required_tag_for: assign(["personalize:dataset"]) }),
      ...Object.fromEntries(
        Object.entries(keys(25, { report_required_tag_for: assign(["ec2:instance"]) })).map(([key, entry]) => [
          `m${key}`,
          entry,
        ]),
      ),
    };
    expect(importOf(tags)).toMatchObject({ text: expect.any(String) });
    expect(importOf(tags, "everywhere")).toMatchObject({ text: null, problem: expect.stringContaining("50 tags") });
  });
});

test("the file says where it comes from, and no source can add a line to it", () => {
  const [attached] = parsed([{ target: "root", document: { tags: { a: {} } } }]);
  const { effective } = mergeTagPolicies(attached ? [attached] : []);
  const { text } = policyFrom(effective, { id: "p", require: "listed", source: ["From x\nid: evil\u001b[2J"] });
  expect(text).toBe(
    `# yaml-language-server: $schema=policy.schema.json
#
# From x�id: evil�[2J
#
# Made by \`tagwarden policies import\`; docs/tag-policies.md says what is the same and what is not.
version: 1
id: p
title: What AWS Organizations tag policies say
rules:
  # tags.a
  - id: a
    key: a
    any_case: true
`,
  );
});

describe("for any tag policies", () => {
  test("the policy is one YAML file of plain data, with an id of its own for each rule", () => {
    fc.assert(
      fc.property(attachedDocuments, (attached) => {
        const { effective } = mergeTagPolicies(parsed(attached));
        const { text } = policyFrom(effective, { id: "p", require: "listed", source: [] });
        if (text === null) {
          expect(effective.tags).toEqual([]);
          return;
        }
        const file = parseFile(text);
        expect(file.problems).toEqual([]);
        const { rules } = file.value as { rules: { id: string; key?: string; forbidden?: string[] }[] };
        expect(rules.map(({ key, forbidden }) => key ?? forbidden?.[0])).toEqual(
          effective.tags.map(({ tag_key }) => tag_key),
        );
        expect(new Set(rules.map(({ id }) => id)).size).toBe(rules.length);
        for (const { id } of rules) expect(id).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
      }),
      { numRuns: 300 },
    );
  });

  test.each<Require>(["listed", "everywhere"])(
    "the policy finds fault with a resource of Personalize where AWS would, and with the same keys (required %s)",
    (require) => {
      let faults = 0;
      fc.assert(
        fc.property(
          attachedDocuments,
          resourceTags,
          fc.constantFrom(...RESOURCE_TYPE_NAMES),
          (attached, tags, type) => {
            const { effective } = mergeTagPolicies(parsed(attached));
            const same = sayable(effective, require);
            const { text } = policyFrom(same, { id: "p", require, source: [] });
            if (text === null) return;
            const set = compilePolicies([{ path: "p.yaml", text }]);
            const ours = judge(set, subject(tags, resource({ type }))).violations.map(({ key }) => foldKey(key));
            const theirs = judgeByTagPolicy(same, { type: tagPolicyType(type), tags }, require).reasons;
            faults += ours.length;
            expect(new Set(ours)).toEqual(new Set(theirs.map(({ key }) => foldKey(key))));
          },
        ),
        { numRuns: 400 },
      );
      expect(faults).toBeGreaterThan(100);
    },
  );
});

/** The entries that can be carried over exactly: all but those that a note says something else of. */
function sayable(effective: EffectiveTagPolicy, require: Require): EffectiveTagPolicy {
  const { notes } = policyFrom(effective, { id: "p", require, source: [] });
  const inexact = notes.filter(({ code }) => code === "any_case_complies" || code === "required_and_prohibited");
  return { tags: effective.tags.filter(({ tag_key }) => !inexact.some(({ key }) => key === tag_key)) };
}
