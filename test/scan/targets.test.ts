import { expect, test } from "vitest";
import { chooseTargets, chooseTypes, type TargetSource } from "../../src/scan/targets.ts";

const source: TargetSource = {
  configured: {},
  caller: { account_id: "111122223333", partition: "aws" },
  default_region: "us-east-1",
  any_region: false,
};

test("without anything said the caller's own account in the SDK's region is scanned", () => {
  expect(chooseTargets({}, source)).toEqual([{ partition: "aws", account_id: "111122223333", region: "us-east-1" }]);
});

test("targets are accounts × regions, each once", () => {
  const configured = { accounts: ["111122223333", "444455556666"], regions: ["eu-west-1"], role: "Audit" };
  const targets = chooseTargets({ regions: ["eu-west-1", "us-east-1", "eu-west-1"] }, { ...source, configured });
  expect(targets.map(({ account_id, region }) => `${account_id}/${region}`)).toEqual([
    "111122223333/eu-west-1",
    "111122223333/us-east-1",
    "444455556666/eu-west-1",
    "444455556666/us-east-1",
  ]);
});

test.each([
  ["no region at all", {}, { ...source, default_region: null }, /No region is known/],
  [
    "a region without Personalize",
    { regions: ["eu-west-2"] },
    source,
    /not offered in region "eu-west-2". Did you mean eu-west-1/,
  ],
  ["an account that is none", { accounts: ["1234"] }, source, /"1234" is not an account id/],
  ["another account without a role", { accounts: ["444455556666"] }, source, /set targets.role/],
])("%s is refused", (_, narrowing, given, message) => {
  expect(() => chooseTargets(narrowing, given)).toThrow(message);
});

test("an endpoint of one's own may have any region", () => {
  expect(chooseTargets({ regions: ["eu-north-1"] }, { ...source, any_region: true })).toHaveLength(1);
});

test("types keep the order of the table, and a wrong one is named with the nearest", () => {
  expect(chooseTypes(["campaign", "dataset-group"])).toEqual(["dataset-group", "campaign"]);
  expect(chooseTypes(undefined)).toHaveLength(13);
  expect(() => chooseTypes(["campain"])).toThrow(/"campain" is not a resource type. Did you mean campaign\?/);
});
