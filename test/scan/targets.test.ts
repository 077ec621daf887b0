import { expect, test } from "vitest";
import { UsageError } from "../../src/config.ts";
import { chooseTargets, chooseTypes, lookForTargets, type TargetSource } from "../../src/scan/targets.ts";

const unasked = (): Promise<never> => Promise.reject(new Error("the organization was asked"));
const source: TargetSource = {
  configured: {},
  caller: { account_id: "111122223333", partition: "aws" },
  organizations: { accounts: unasked, roots: unasked, unitsUnder: unasked, accountsUnder: unasked },
  default_region: "us-east-1",
  any_region: false,
};
const china = { ...source, caller: { account_id: "111122223333", partition: "aws-cn" }, default_region: "cn-north-1" };

test("without anything said the caller's own account in the SDK's region is scanned", async () => {
  expect((await chooseTargets({}, source)).targets).toEqual([
    { partition: "aws", account_id: "111122223333", region: "us-east-1" },
  ]);
});

test("targets are accounts × regions, each once", async () => {
  const configured = { accounts: ["111122223333", "444455556666"], regions: ["eu-west-1"], role: "Audit" };
  const { targets } = await chooseTargets(
    { regions: ["eu-west-1", "us-east-1", "eu-west-1"] },
    { ...source, configured },
  );
  expect(targets.map(({ account_id, region }) => `${account_id}/${region}`)).toEqual([
    "111122223333/eu-west-1",
    "111122223333/us-east-1",
    "444455556666/eu-west-1",
    "444455556666/us-east-1",
  ]);
});

test("each account and region says what it comes from", async () => {
  const configured = { accounts: ["444455556666", "111122223333"], regions: ["eu-west-1"], role: "Audit" };
  const choice = await lookForTargets({}, { ...source, configured });
  expect(choice.accounts.map(({ account_id, from }) => [account_id, from])).toEqual([
    ["444455556666", "targets.accounts.0"],
    ["111122223333", "targets.accounts.1"],
  ]);
  expect(choice.regions).toEqual([{ region: "eu-west-1", from: "targets.regions.0" }]);
  const narrowed = await lookForTargets({ accounts: ["111122223333"], regions: ["us-east-1"] }, source);
  expect([narrowed.accounts[0]?.from, narrowed.regions[0]?.from]).toEqual(["--accounts", "--regions"]);
  const plain = await lookForTargets({}, source);
  expect([plain.accounts[0]?.from, plain.regions[0]?.from]).toEqual([
    "the caller's own account",
    "the AWS SDK's region",
  ]);
});

test("all regions are the eleven of the partition, and cn-north-1 has to be named", async () => {
  const { targets: everywhere } = await chooseTargets({}, { ...source, configured: { regions: "all" } });
  expect(everywhere).toHaveLength(11);
  expect(everywhere.map(({ region }) => region)).not.toContain("cn-north-1");
  await expect(chooseTargets({}, { ...china, configured: { regions: "all" } })).rejects.toThrow(
    /no region in partition aws-cn/,
  );
  expect((await chooseTargets({}, china)).targets).toEqual([
    { partition: "aws-cn", account_id: "111122223333", region: "cn-north-1" },
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
  [
    "a region of another partition",
    { regions: ["cn-north-1"] },
    source,
    /cn-north-1 belongs to partition aws-cn, and the caller's credentials are of partition aws:/,
  ],
  ["a region of ours from China", { regions: ["us-east-1"] }, china, /us-east-1 belongs to partition aws,/],
  ["the SDK's region where Personalize is not", {}, { ...source, default_region: "eu-north-1" }, /not offered/],
  ["an account that is none", { accounts: ["1234"] }, source, /"1234" is not an account id/],
  ["another account without a role", { accounts: ["444455556666"] }, source, /set targets.role/],
  [
    "an account that is excluded",
    { accounts: ["444455556666"] },
    {
      ...source,
      configured: { organization: { units: "all" as const, exclude: ["444455556666"] }, role: "Audit" },
    },
    /444455556666 is excluded by targets.organization.exclude/,
  ],
])("%s is refused", async (_, narrowing, given, message) => {
  await expect(chooseTargets(narrowing, given)).rejects.toThrow(message);
  await expect(chooseTargets(narrowing, given)).rejects.toBeInstanceOf(UsageError);
});

test("accounts that someone names need no look at the organization", async () => {
  const configured = { organization: { units: "all" as const, exclude: [] }, role: "Audit" };
  const { targets } = await chooseTargets({ accounts: ["444455556666"] }, { ...source, configured });
  expect(targets).toHaveLength(1);
});

test("an endpoint of one's own may have any region", async () => {
  expect((await chooseTargets({ regions: ["eu-north-1"] }, { ...source, any_region: true })).targets).toHaveLength(1);
});

test("types keep the order of the table, and a wrong one is named with the nearest", () => {
  expect(chooseTypes(["campaign", "dataset-group"])).toEqual(["dataset-group", "campaign"]);
  expect(chooseTypes(undefined)).toHaveLength(13);
  expect(() => chooseTypes(["campain"])).toThrow(/"campain" is not a resource type. Did you mean campaign\?/);
});
