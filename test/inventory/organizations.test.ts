import { afterEach, describe, expect, test } from "vitest";
import type { Aws } from "../../src/inventory/aws/session.ts";
import { openAws } from "../../src/inventory/aws/session.ts";
import { type Sandbox, sandboxCredentials, startSandbox } from "../../src/sandbox/server.ts";
import { SEEDED_TAG_POLICIES, type SandboxTagPolicy } from "../../src/sandbox/tag-policies.ts";
import {
  ACCOUNT,
  type Call,
  FAST,
  openScripted,
  type Reply,
  type ScriptedAws,
  startScriptedAws,
} from "./scripted-aws.ts";

const closing: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function openSandbox(
  account_id = ACCOUNT,
  tag_policies?: SandboxTagPolicy[],
): Promise<{ aws: Aws; sandbox: Sandbox }> {
  const sandbox = await startSandbox({ resources: 50, ...(tag_policies && { tag_policies }) });
  const settings = { endpoint: sandbox.url, region: "us-east-1", credentials: sandboxCredentials(account_id), ...FAST };
  const aws = openAws(settings);
  closing.push(
    () => sandbox.close(),
    () => aws.close(),
  );
  return { aws, sandbox };
}

async function openScript(script: Record<string, (call: Call) => Reply>): Promise<{ aws: Aws; scripted: ScriptedAws }> {
  const scripted = await startScriptedAws(script);
  const aws = openScripted(scripted);
  closing.push(
    () => scripted.close(),
    () => aws.close(),
  );
  return { aws, scripted };
}

describe("tag policies of an account", () => {
  test("are read from the root down, with the text that their authors wrote", async () => {
    const { aws, sandbox } = await openSandbox();
    const production = sandbox.organization.accounts.find(({ name }) => name === "storefront-prod")!;
    const attached = await aws.organizations.attachedTagPolicies(production.id);
    expect(attached.map(({ name, target }) => `${name} ${target.slice(0, 2)}`)).toEqual([
      "tagging-standard r-",
      "production ou",
    ]);
    expect(attached.map(({ content }) => JSON.parse(content) as unknown)).toEqual(
      SEEDED_TAG_POLICIES.map(({ content }) => content),
    );
    expect(await aws.organizations.attachedTagPolicies(ACCOUNT)).toHaveLength(1);
    expect(aws.calls.by_operation).toEqual({ ListParents: 4, ListPoliciesForTarget: 6, DescribePolicy: 3 });
  });

  test("what is in effect comes as AWS shows it", async () => {
    const { aws } = await openSandbox();
    const text = await aws.organizations.effectiveTagPolicy(ACCOUNT);
    expect(JSON.parse(text ?? "")).toMatchObject({
      tags: { costcenter: { tag_key: "CostCenter", tag_value: ["CC-*"] } },
    });
  });

  test("where there is none, there is none", async () => {
    const { aws } = await openSandbox(ACCOUNT, []);
    expect(await aws.organizations.effectiveTagPolicy(ACCOUNT)).toBeNull();
    expect(await aws.organizations.attachedTagPolicies(ACCOUNT)).toEqual([]);
  });

  test("an account that the organization does not have is an error that says so", async () => {
    const { aws } = await openSandbox();
    for (const ask of ["effectiveTagPolicy", "attachedTagPolicies", "account"] as const) {
      await expect(aws.organizations[ask]("999999999999")).rejects.toMatchObject({
        name: "NotInOrganizationError",
        message: "The organization has no account 999999999999.",
      });
    }
  });

  test("what a member may not ask is an error that names the permission", async () => {
    const { aws, sandbox } = await openSandbox("222233334444");
    expect(await aws.organizations.effectiveTagPolicy("222233334444")).toContain("costcenter");
    const other = sandbox.organization.accounts[2]!.id;
    await expect(aws.organizations.effectiveTagPolicy(other)).rejects.toMatchObject({
      name: "MissingPermissionError",
      message: expect.stringContaining("organizations:DescribeEffectivePolicy"),
    });
    await expect(aws.organizations.attachedTagPolicies(other)).rejects.toThrow(
      /organizations:ListParents .*docs\/iam.md/,
    );
    await expect(aws.organizations.account(other)).rejects.toThrow(/organizations:DescribeAccount/);
  });

  test("empty pages are turned, units are climbed, and a policy that is attached twice is read once", async () => {
    const parents: Record<string, object> = {
      [ACCOUNT]: { Id: "ou-a", Type: "ORGANIZATIONAL_UNIT" },
      "ou-a": { Id: "ou-b", Type: "ORGANIZATIONAL_UNIT" },
      "ou-b": { Id: "r-1", Type: "ROOT" },
    };
    const { aws, scripted } = await openScript({
      ListParents: ({ input }) =>
        input["NextToken"] === "more"
          ? { body: { Parents: [parents[String(input["ChildId"])]] } }
          : { body: { Parents: [], NextToken: "more" } },
      ListPoliciesForTarget: ({ input }) => {
        if (input["NextToken"] === undefined) return { body: { Policies: [], NextToken: "more" } };
        const policies: Record<string, string[]> = { "r-1": ["p-one", "p-two"], "ou-b": [], "ou-a": ["p-two"] };
        return { body: { Policies: (policies[String(input["TargetId"])] ?? []).map((Id) => ({ Id, Name: Id })) } };
      },
      DescribePolicy: ({ input }) => ({
        body: { Policy: { Content: `{"tags":{"${String(input["PolicyId"])}":{}}}` } },
      }),
    });
    const attached = await aws.organizations.attachedTagPolicies(ACCOUNT);
    expect(attached.map(({ target, policy_id }) => `${target} ${policy_id}`)).toEqual([
      "r-1 p-one",
      "r-1 p-two",
      "ou-a p-two",
    ]);
    expect(scripted.turns).toEqual({ ListParents: 6, ListPoliciesForTarget: 8, DescribePolicy: 2 });
  });

  test("throttling is waited out; a page that comes again and again is an error; so is an answer without a policy", async () => {
    const { aws, scripted } = await openScript({
      DescribeEffectivePolicy: ({ turn }) =>
        turn === 0
          ? { error: "TooManyRequestsException" }
          : { body: { EffectivePolicy: turn === 1 ? { PolicyContent: "{}" } : {} } },
      DescribeAccount: () => ({ body: { Account: { Name: "a" } } }),
      ListTagsForResource: () => ({ body: { Tags: [], NextToken: "same" } }),
      ListParents: () => ({ error: "AWSOrganizationsNotInUseException" }),
    });
    expect(await aws.organizations.effectiveTagPolicy(ACCOUNT)).toBe("{}");
    expect(scripted.turns["DescribeEffectivePolicy"]).toBe(2);
    await expect(aws.organizations.effectiveTagPolicy(ACCOUNT)).rejects.toThrow(/without what was asked for/);
    await expect(aws.organizations.account(ACCOUNT)).rejects.toThrow(/the same page again and again/);
    await expect(aws.organizations.attachedTagPolicies(ACCOUNT)).rejects.toMatchObject({
      name: "NotInOrganizationError",
    });
  });
});

describe("an account of the organization", () => {
  test("has a name, a state and tags of its own", async () => {
    const { aws } = await openSandbox();
    expect(await aws.organizations.account("222233334444")).toEqual({
      account_id: "222233334444",
      name: "storefront-prod",
      state: "ACTIVE",
      tags: { CostCenter: "CC-1000", Environment: "prod", Owner: "storefront@example.com" },
    });
  });

  test.each([
    [{ State: "PENDING_CLOSURE", Status: "ACTIVE" }, "PENDING_CLOSURE"],
    [{ Status: "SUSPENDED" }, "SUSPENDED"],
    [{}, null],
  ])("of %o is in the state %s, and its tags come from all pages", async (states, state) => {
    const { aws } = await openScript({
      DescribeAccount: () => ({ body: { Account: { Name: "one", ...states } } }),
      ListTagsForResource: ({ input }) => {
        const token = input["NextToken"] as string | undefined;
        if (token === undefined) return { body: { Tags: [{ Key: "a", Value: "" }], NextToken: "1" } };
        if (token === "1") return { body: { Tags: [], NextToken: "2" } };
        return { body: { Tags: [{ Key: "__proto__", Value: "x" }], NextToken: "" } };
      },
    });
    const account = await aws.organizations.account(ACCOUNT);
    expect(account).toMatchObject({ name: "one", state });
    expect(Object.entries(account.tags)).toEqual([
      ["a", ""],
      ["__proto__", "x"],
    ]);
  });
});
