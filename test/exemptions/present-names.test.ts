import { describe, expect, test } from "vitest";
import { checkExemptions } from "../../src/exemptions/check.ts";
import { presentNames } from "../../src/exemptions/present-names.ts";
import { compilePolicies } from "../../src/policy/load.ts";

const { policies } = compilePolicies([
  {
    path: "cost.yaml",
    text: `version: 1
id: cost
formerly: [shop]
rules:
  - {id: owner, key: Owner, required: true, formerly: [team]}
  - {id: stage, key: Stage, required: true}
`,
  },
  {
    path: "data.yaml",
    text: `version: 1
id: data
rules:
  - {id: stage, key: DataStage, required: true, formerly: [phase]}
  - {id: level, key: Level, required: true, formerly: [class]}
  - {id: class-of, key: Class, required: true}
`,
  },
]);

describe("what an exemption is about, where names have changed", () => {
  test.each([
    ["a policy", { policy_id: "shop", rule_id: null }, { policy_id: "cost", rule_id: null }],
    ["a rule", { policy_id: null, rule_id: "team" }, { policy_id: null, rule_id: "owner" }],
    ["a rule of a policy", { policy_id: "cost", rule_id: "team" }, { policy_id: "cost", rule_id: "owner" }],
    ["both", { policy_id: "shop", rule_id: "team" }, { policy_id: "cost", rule_id: "owner" }],
    ["a policy, the rule kept", { policy_id: "shop", rule_id: "stage" }, { policy_id: "cost", rule_id: "stage" }],
    ["a name in use", { policy_id: null, rule_id: "stage" }, { policy_id: null, rule_id: "stage" }],
    ["a name that nobody knows", { policy_id: "x", rule_id: "y" }, { policy_id: "x", rule_id: "y" }],
    ["neither", { policy_id: null, rule_id: null }, { policy_id: null, rule_id: null }],
  ])("%s", (_, scope, expected) => {
    expect(presentNames(scope, policies)).toEqual(expected);
  });

  test("a file may go on with the former name, and nothing is said about it", () => {
    const text = `version: 1
exemptions:
  - {id: poc, policy: shop, rule: team, reason: a trial, requested_by: a@example.com, approved_by: b@example.com, expires: 2026-12-01}
`;
    const checked = checkExemptions([{ path: "exemptions.yaml", text }], { policies, now: new Date("2026-11-24") });
    expect(checked).toMatchObject({
      problems: [],
      warnings: [],
      entries: [{ policy_id: "cost", rule_id: "owner" }],
    });
  });
});
