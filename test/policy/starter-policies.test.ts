import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { loadPolicies, type PolicySet } from "../../src/policy/load.ts";
import { policyJsonSchema } from "../../src/policy/policy.ts";
import type { Tags } from "../../src/tags/tags.ts";
import { apply, judgeAndFix } from "./build.ts";

const FOLDER = fileURLToPath(new URL("../../policies", import.meta.url));
const GOOD = { CostCenter: "CC-1001", Project: "email-offers", Owner: "search@example.com", Environment: "prod" };

describe("the policies that come with Tagwarden", () => {
  let set: PolicySet;
  beforeAll(async () => {
    set = await loadPolicies(FOLDER);
  });

  test("say who answers for them, and change nothing without a person", () => {
    for (const { title, owner, remediation } of set.policies)
      expect({ title, owner, remediation }).toEqual({
        title: expect.stringMatching(/ /),
        owner: expect.stringMatching(/@/),
        remediation: "plan",
      });
  });

  test("name the schema that editors read", async () => {
    for (const { path, text } of set.files)
      expect(text, path).toMatch(/^# yaml-language-server: \$schema=policy\.schema\.json\n/);
    const written: unknown = JSON.parse(await readFile(`${FOLDER}/policy.schema.json`, "utf8"));
    expect(written, "run `tagwarden policies schema > policies/policy.schema.json`").toEqual(
      JSON.parse(JSON.stringify(policyJsonSchema())),
    );
  });

  const cases: [what: string, tags: Tags, found: string[], after: Tags][] = [
    ["good tags pass", GOOD, [], GOOD],
    [
      "keys in kebab case are renamed, and what is missing is left to a person",
      { "cost-center": "CC-1001", environment: "prod", owner: "search@example.com" },
      [
        "cost-center CostCenter variant",
        "project Project missing",
        "environment Environment variant",
        "owner Owner variant",
      ],
      { CostCenter: "CC-1001", Environment: "prod", Owner: "search@example.com" },
    ],
    [
      "long names of environments become short",
      { ...GOOD, Environment: "Production" },
      ["environment Environment invalid"],
      GOOD,
    ],
    [
      "leftovers go",
      { ...GOOD, "temp:created-by": "notebook", "tmp-run": "3" },
      ["no-leftovers temp:created-by forbidden", "no-leftovers tmp-run forbidden"],
      GOOD,
    ],
    [
      "a cost center without its prefix is for a person",
      { ...GOOD, CostCenter: "1001" },
      ["cost-center CostCenter invalid"],
      { ...GOOD, CostCenter: "1001" },
    ],
    [
      "a misspelt key is for a person",
      { ...GOOD, Environment: "prod", Enviroment: "prod" },
      [],
      { ...GOOD, Enviroment: "prod" },
    ],
    [
      "no tags: nothing is made up",
      {},
      [
        "cost-center CostCenter missing",
        "project Project missing",
        "environment Environment missing",
        "owner Owner missing",
      ],
      {},
    ],
    [
      "a class of data may be away, not wrong",
      { ...GOOD, DataClass: "secret" },
      ["data-class DataClass invalid"],
      { ...GOOD, DataClass: "secret" },
    ],
  ];
  test.each(cases)("%s", (_, tags, found, after) => {
    const result = judgeAndFix(set, tags);
    expect(result.found).toEqual(found);
    expect({ ...result.fixes.reduce(apply, tags) }).toEqual(after);
  });
});
