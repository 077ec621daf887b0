import { afterEach, describe, expect, test } from "vitest";
import type { Aws } from "../../src/inventory/aws/session.ts";
import { type Sandbox, sandboxCredentials, type SandboxOptions, startSandbox } from "../../src/sandbox/server.ts";
import { findAccounts, nameUnits, unitPaths } from "../../src/scan/organization.ts";
import { chooseTargets, lookForTargets, type TargetSource } from "../../src/scan/targets.ts";
import { type Call, openScripted, type Reply, startScriptedAws } from "../inventory/scripted-aws.ts";
import { awsOf } from "../support/scan.ts";

const closing: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function open(options: SandboxOptions, account_id?: string): Promise<{ sandbox: Sandbox; aws: Aws }> {
  const sandbox = await startSandbox({ resources: 0, ...options });
  const aws = awsOf(sandbox, account_id === undefined ? {} : { credentials: sandboxCredentials(account_id) });
  closing.push(
    () => sandbox.close(),
    () => aws.close(),
  );
  return { sandbox, aws };
}

async function openScript(script: Record<string, (call: Call) => Reply>): Promise<Aws> {
  const scripted = await startScriptedAws(script);
  const aws = openScripted(scripted);
  closing.push(
    () => scripted.close(),
    () => aws.close(),
  );
  return aws;
}

const sourceOf = (aws: Aws, configured: TargetSource["configured"]): TargetSource => ({
  configured: { role: "TagwardenAudit", ...configured },
  caller: { account_id: "111122223333", partition: "aws" },
  organizations: aws.organizations,
  default_region: "us-east-1",
  any_region: false,
});
const whole = { units: "all", exclude: [] } as const;

describe("accounts of an organization", () => {
  test("come from all pages, empty ones on the way included, each once", async () => {
    const { sandbox, aws } = await open({ accounts: 44, empty_pages: true });
    const found = await findAccounts(aws.organizations, "all");
    expect(found.map(({ account_id }) => account_id)).toEqual(sandbox.organization.accounts.map(({ id }) => id));
    expect(found).toHaveLength(45);
    expect(aws.calls.by_operation).toEqual({ ListAccounts: 5 });
  });

  test("that are not active, or excluded, are left out, and it is said why", async () => {
    const { sandbox, aws } = await open({ accounts: 4, suspended_accounts: 2 });
    const excluded = sandbox.organization.accounts[2]!.id;
    const organization = { units: "all" as const, exclude: ["999999999999", excluded] };
    const choice = await lookForTargets({}, sourceOf(aws, { organization, regions: ["us-east-1", "eu-west-1"] }));
    expect(choice.accounts.filter(({ left_out }) => left_out).map(({ name, left_out }) => [name, left_out])).toEqual([
      [sandbox.organization.accounts[2]!.name, "excluded by targets.organization.exclude.1"],
      ["retired-lab-1", "the organization calls it SUSPENDED"],
      ["retired-lab-2", "the organization calls it SUSPENDED"],
    ]);
    expect(choice.notes).toEqual([
      "targets.organization.exclude names 999999999999, which is none of the accounts found.",
    ]);
    const { targets } = await chooseTargets({}, sourceOf(aws, { organization, regions: ["us-east-1", "eu-west-1"] }));
    expect(targets).toHaveLength(4 * 2);
    expect(targets.some(({ account_id }) => account_id === excluded)).toBe(false);
  });

  test("are looked for anew every time: one that left is not scanned again", async () => {
    let turn = 0;
    const member = (Id: string, State = "ACTIVE") => ({ Id, Name: Id, State });
    const aws = await openScript({
      ListAccounts: () => ({
        body: { Accounts: [member("111122223333"), turn++ === 0 ? member("444455556666") : member("555566667777")] },
      }),
    });
    const ids = async () => {
      const { targets } = await chooseTargets({}, sourceOf(aws, { organization: whole }));
      return targets.map(({ account_id }) => account_id);
    };
    expect(await ids()).toEqual(["111122223333", "444455556666"]);
    expect(await ids()).toEqual(["111122223333", "555566667777"]);
  });

  test("are told by State, by Status where there is no State, and tried where there is neither", async () => {
    const accounts = [
      { Id: "100000000001", State: "ACTIVE", Status: "SUSPENDED" },
      { Id: "100000000002", State: "PENDING_CLOSURE", Status: "ACTIVE" },
      { Id: "100000000003", Status: "SUSPENDED" },
      { Id: "100000000004", Status: "ACTIVE" },
      { Id: "100000000005" },
      { Id: "100000000006", State: "PENDING_ACTIVATION" },
    ];
    const aws = await openScript({ ListAccounts: () => ({ body: { Accounts: accounts } }) });
    const { targets } = await chooseTargets({}, sourceOf(aws, { organization: whole }));
    expect(targets.map(({ account_id }) => account_id.at(-1))).toEqual(["1", "4", "5"]);
  });
});

describe("units of an organization", () => {
  test.each([["Workloads"], ["Workloads/Production"], ["Production"], ["/Shared"]])(
    "%s is found with all that lies below it",
    async (unit) => {
      const { aws, sandbox } = await open({ accounts: 44, empty_pages: true });
      const found = await findAccounts(aws.organizations, [unit]);
      const other = awsOf(sandbox);
      closing.push(() => other.close());
      const all = await findAccounts(other.organizations, "all");
      const everything = nameUnits(
        all.map((account) => ({ ...account, path: account.above?.join("/") ?? null })),
        await unitPaths(other.organizations),
      );
      const last = unit.split("/").at(-1) ?? "";
      const expected = everything.filter(({ path }) => path?.split("/").includes(last));
      expect(expected.length).toBeGreaterThan(10);
      expect(found.map(({ account_id }) => account_id).toSorted()).toEqual(
        expected.map(({ account_id }) => account_id).toSorted(),
      );
      expect(new Set(found.map(({ path }) => path))).toEqual(new Set(expected.map(({ path }) => path)));
    },
  );

  test("by id takes no look at the root; the root's own id is the whole organization", async () => {
    const { aws } = await open({ accounts: 10 });
    const paths = await unitPaths(aws.organizations);
    const [workloads] = [...paths].find(([, path]) => path === "Workloads") ?? [];
    const [root] = [...paths].find(([, path]) => path === "") ?? [];
    const before = aws.calls.by_operation["ListRoots"];
    const found = await findAccounts(aws.organizations, [workloads!]);
    expect(aws.calls.by_operation["ListRoots"]).toBe(before);
    // Of ten members every fourth is in the unit Shared, the others below Workloads.
    expect(found).toHaveLength(8);
    expect(await findAccounts(aws.organizations, [root!])).toHaveLength(11);
  });

  test("that lie in one another give each account once, under the first that is named", async () => {
    const { aws } = await open({ accounts: 12 });
    const found = await findAccounts(aws.organizations, ["Production", "Workloads"]);
    expect(new Set(found.map(({ account_id }) => account_id)).size).toBe(found.length);
    expect(found.filter(({ path }) => path === "Workloads/Production").every(({ unit }) => unit === 0)).toBe(true);
    expect(found.some(({ unit }) => unit === 1)).toBe(true);
  });

  test("that do not exist, or whose name is that of several, are refused by name", async () => {
    const { aws } = await open({ accounts: 4 });
    await expect(findAccounts(aws.organizations, ["Prodution"])).rejects.toMatchObject({
      name: "UsageError",
      message: expect.stringMatching(/no unit "Prodution"\. Did you mean Production\?/) as string,
    });
    await expect(findAccounts(aws.organizations, ["ou-sb01-00000000"])).rejects.toMatchObject({
      name: "UsageError",
      message: expect.stringContaining("ou-sb01-00000000") as string,
    });
    const units: Record<string, { Id: string; Name: string }[]> = {
      "r-root": [
        { Id: "ou-root-aaaaaaaa", Name: "Retail" },
        { Id: "ou-root-bbbbbbbb", Name: "Media" },
      ],
      "ou-root-aaaaaaaa": [{ Id: "ou-root-cccccccc", Name: "Prod" }],
      "ou-root-bbbbbbbb": [{ Id: "ou-root-dddddddd", Name: "Prod" }],
    };
    const twins = await openScript({
      ListRoots: () => ({ body: { Roots: [{ Id: "r-root", Name: "Root" }] } }),
      ListOrganizationalUnitsForParent: ({ input }) => ({
        body: { OrganizationalUnits: units[String(input["ParentId"])] ?? [] },
      }),
      ListAccountsForParent: ({ input }) => ({
        body: { Accounts: input["ParentId"] === "ou-root-dddddddd" ? [{ Id: "100000000001", State: "ACTIVE" }] : [] },
      }),
    });
    await expect(findAccounts(twins.organizations, ["Prod"])).rejects.toThrow(
      /2 units are called Prod: Retail\/Prod, Media\/Prod\. Give the path or the id/,
    );
    expect(await findAccounts(twins.organizations, ["Media/Prod"])).toMatchObject([
      { account_id: "100000000001", path: "Media/Prod" },
    ]);
  });
});

describe("an organization that cannot be asked", () => {
  test.each([
    ["all" as const, "organizations:ListAccounts"],
    [["Production"], "organizations:ListRoots"],
    [["ou-sb01-12345678"], "organizations:ListAccountsForParent"],
  ])("for %j names the permission %s, and nothing is scanned", async (units, permission) => {
    const { aws } = await open({}, "222233334444");
    await expect(chooseTargets({}, sourceOf(aws, { organization: { units, exclude: [] } }))).rejects.toMatchObject({
      name: "CannotBeginError",
      message: expect.stringContaining(permission) as string,
    });
  });

  test("because there is none is an error of the configuration", async () => {
    const aws = await openScript({ ListAccounts: () => ({ error: "AWSOrganizationsNotInUseException" }) });
    await expect(chooseTargets({}, sourceOf(aws, { organization: whole }))).rejects.toMatchObject({
      name: "UsageError",
      message: expect.stringContaining("in no organization") as string,
    });
  });

  test("because nothing answers is said with the error's name", async () => {
    const aws = await openScript({ ListAccounts: () => ({ error: "ServiceException", status: 500 }) });
    await expect(chooseTargets({}, sourceOf(aws, { organization: whole }))).rejects.toMatchObject({
      name: "CannotBeginError",
      message: expect.stringContaining("ServiceException") as string,
    });
  });

  test("without an active account is an error, never a scan of nothing", async () => {
    const aws = await openScript({
      ListAccounts: () => ({ body: { Accounts: [{ Id: "100000000001", State: "SUSPENDED" }] } }),
    });
    await expect(chooseTargets({}, sourceOf(aws, { organization: whole }))).rejects.toThrow(
      /No account is left to scan: all 1 are left out \(the organization calls it SUSPENDED\)/,
    );
  });
});
