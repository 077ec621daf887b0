import * as org from "@aws-sdk/client-organizations";
import { ListDatasetGroupsCommand, ListFiltersCommand, TagResourceCommand } from "@aws-sdk/client-personalize";
import {
  AssumeRoleCommand,
  type AssumeRoleCommandInput,
  GetCallerIdentityCommand,
  STSClient,
} from "@aws-sdk/client-sts";
import { fromTemporaryCredentials } from "@aws-sdk/credential-providers";
import { PersonalizeClient } from "@aws-sdk/client-personalize";
import { describe, expect, it } from "vitest";
import { type Sandbox, sandboxCredentials } from "../../src/sandbox/server.ts";
import { clientsOf, errorOf, sandboxes } from "./sdk.ts";

const start = sandboxes();
const roleOf = (account: string, name = "TagwardenAudit") => `arn:aws:iam::${account}:role/${name}`;

describe("accounts of the sandbox", () => {
  it("gives each key its account, and dummy keys the management account", async () => {
    const sandbox = await start({ resources: 50 });
    const member = sandbox.organization.accounts[2]!.id;
    const own = await clientsOf(sandbox, { account_id: member }).sts.send(new GetCallerIdentityCommand({}));
    expect(own).toMatchObject({ Account: member, Arn: `arn:aws:iam::${member}:user/sandbox` });
    const dummy = new PersonalizeClient({
      endpoint: sandbox.url,
      region: "eu-west-1",
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
    });
    const { datasetGroups } = await dummy.send(new ListDatasetGroupsCommand({}));
    const prefix = `arn:aws:personalize:eu-west-1:${sandbox.organization.management_account_id}:`;
    expect(datasetGroups?.length).toBeGreaterThan(0);
    expect(datasetGroups?.every(({ datasetGroupArn }) => datasetGroupArn?.startsWith(prefix))).toBe(true);
  });

  it("lets the organization assume the audit role in each of its accounts", async () => {
    const sandbox = await start({ resources: 200 });
    for (const account of sandbox.organization.accounts) {
      const client = new PersonalizeClient({
        endpoint: sandbox.url,
        region: "us-east-1",
        credentials: fromTemporaryCredentials({
          masterCredentials: sandboxCredentials(sandbox.organization.management_account_id),
          params: { RoleArn: roleOf(account.id), RoleSessionName: "audit", ExternalId: "shared-secret" },
          clientConfig: { region: "us-east-1", endpoint: sandbox.url },
        }),
      });
      const { datasetGroups } = await client.send(new ListDatasetGroupsCommand({}));
      const expected = [...sandbox.resources({ account_id: account.id, region: "us-east-1", type: "dataset-group" })];
      expect(datasetGroups?.map(({ datasetGroupArn }) => datasetGroupArn)).toEqual(expected.map(({ arn }) => arn));
    }
  });

  it("names the session, and ends it in time", async () => {
    let time = Date.now();
    const sandbox = await start({ resources: 50, now: () => new Date(time) });
    const member = sandbox.organization.accounts[1]!.id;
    const { Credentials, AssumedRoleUser } = await clientsOf(sandbox).sts.send(
      new AssumeRoleCommand({ RoleArn: roleOf(member), RoleSessionName: "audit-1", DurationSeconds: 900 }),
    );
    expect(AssumedRoleUser?.Arn).toBe(`arn:aws:sts::${member}:assumed-role/TagwardenAudit/audit-1`);
    expect(Credentials?.Expiration?.getTime()).toBe(time + 900_000);
    const client = new PersonalizeClient({
      endpoint: sandbox.url,
      region: "us-east-1",
      maxAttempts: 1,
      credentials: {
        accessKeyId: Credentials!.AccessKeyId!,
        secretAccessKey: Credentials!.SecretAccessKey!,
        sessionToken: Credentials!.SessionToken!,
      },
    });
    await client.send(new ListDatasetGroupsCommand({}));
    time += 901_000;
    expect((await errorOf(client.send(new ListDatasetGroupsCommand({})))).name).toBe("ExpiredTokenException");
  });

  it("refuses other roles, other accounts, callers from outside and bad session names", async () => {
    const sandbox = await start({ resources: 50, suspended_accounts: 1 });
    const member = sandbox.organization.accounts[1]!.id;
    const assume = (RoleArn: string, RoleSessionName = "audit", account_id?: string) =>
      errorOf(
        clientsOf(sandbox, account_id ? { account_id } : {}).sts.send(
          new AssumeRoleCommand({ RoleArn, RoleSessionName }),
        ),
      );
    expect(await assume(roleOf(member, "Admin"))).toMatchObject({ name: "AccessDenied", status: 403 });
    expect((await assume(roleOf("999999999999"))).name).toBe("AccessDenied");
    expect((await assume(roleOf(member), "audit", "999999999999")).name).toBe("AccessDenied");
    expect((await assume(roleOf(member), "no spaces")).name).toBe("ValidationError");
    const { Accounts } = await clientsOf(sandbox).organizations.send(new org.ListAccountsCommand({}));
    const suspended = Accounts!.find(({ State }) => State === "SUSPENDED");
    expect((await assume(roleOf(suspended!.Id!))).name).toBe("AccessDenied");
    expect(sandbox.organization.accounts.map(({ id }) => id)).not.toContain(suspended!.Id);
  });
});

describe("roles and sessions of the sandbox", () => {
  const entering = async (sandbox: Sandbox, account_id: string, input: Partial<AssumeRoleCommandInput> = {}) => {
    const { sts } = clientsOf(sandbox);
    const command = new AssumeRoleCommand({ RoleArn: roleOf(account_id), RoleSessionName: "audit", ...input });
    const { Credentials } = await sts.send(command);
    const credentials = {
      accessKeyId: Credentials!.AccessKeyId!,
      secretAccessKey: Credentials!.SecretAccessKey!,
      sessionToken: Credentials!.SessionToken!,
    };
    const settings = { endpoint: sandbox.url, region: "us-east-1", maxAttempts: 1, credentials };
    return { personalize: new PersonalizeClient(settings), sts: new STSClient(settings) };
  };
  const policy = (...Statement: object[]) => JSON.stringify({ Version: "2012-10-17", Statement });
  const allow = (...Action: string[]) => ({ Effect: "Allow", Action, Resource: "*" });

  it("breaks the role of an account as it is told, until it is told otherwise", async () => {
    const sandbox = await start({ resources: 50 });
    const [, one, two, three, four, five] = sandbox.organization.accounts.map(({ id }) => id);
    const roles = [
      { account_id: one!, missing: true },
      { account_id: two!, external_id: "secret" },
      { account_id: three!, trusts: [one!] },
      { account_id: four!, lacks: ["personalize:ListF*"] },
      { account_id: five!, leads_to: one! },
    ];
    const told = await fetch(`${sandbox.url}/_sandbox/roles`, { method: "POST", body: JSON.stringify(roles) });
    expect(told.status).toBe(200);
    for (const account_id of [one!, two!, three!])
      expect(await errorOf(entering(sandbox, account_id))).toMatchObject({ name: "AccessDenied", status: 403 });
    await entering(sandbox, two!, { ExternalId: "secret" });
    const narrow = await entering(sandbox, four!);
    expect(await errorOf(narrow.personalize.send(new ListFiltersCommand({})))).toMatchObject({
      name: "AccessDeniedException",
      message: expect.stringContaining("no identity-based policy allows the personalize:ListFilters action") as string,
    });
    await narrow.personalize.send(new ListDatasetGroupsCommand({}));
    const elsewhere = await entering(sandbox, five!);
    expect(await elsewhere.sts.send(new GetCallerIdentityCommand({}))).toMatchObject({ Account: one });
    sandbox.setRoles([]);
    await entering(sandbox, one!);
  });

  it("enforces the policy of a session, wildcards and Deny included, whatever the role may do", async () => {
    const sandbox = await start({ resources: 50 });
    const member = sandbox.organization.accounts[1]!.id;
    const text = policy(allow("personalize:list*"), {
      Effect: "Deny",
      Action: "personalize:ListFilters",
      Resource: "*",
    });
    const { personalize, sts } = await entering(sandbox, member, { Policy: text });
    await personalize.send(new ListDatasetGroupsCommand({}));
    const denied = {
      name: "AccessDeniedException",
      message: expect.stringContaining("no session policy allows") as string,
    };
    expect(await errorOf(personalize.send(new ListFiltersCommand({})))).toMatchObject(denied);
    const [filter] = [...sandbox.resources({ type: "filter", account_id: member })];
    const write = new TagResourceCommand({ resourceArn: filter!.arn, tags: [{ tagKey: "a", tagValue: "b" }] });
    expect(await errorOf(personalize.send(write))).toMatchObject(denied);
    await sts.send(new GetCallerIdentityCommand({}));
    const both = await entering(sandbox, member, {
      Policy: policy(allow("personalize:TagResource")),
      PolicyArns: [{ arn: "arn:aws:iam::aws:policy/ReadOnlyAccess" }],
    });
    await both.personalize.send(write);
    await both.personalize.send(new ListFiltersCommand({}));
  });

  it.each([
    ["no JSON", "{", "MalformedPolicyDocumentException"],
    ["no statement", "{}", "MalformedPolicyDocumentException"],
    [
      "an effect that is none",
      JSON.stringify({ Statement: [{ Effect: "Maybe", Action: "*", Resource: "*" }] }),
      "MalformedPolicyDocumentException",
    ],
    ["too much", policy(allow("x".repeat(2048))), "PackedPolicyTooLargeException"],
    [
      "a resource, which the sandbox does not look at",
      policy({ ...allow("*"), Resource: "arn:x" }),
      "NotImplementedException",
    ],
  ])("refuses a session policy with %s", async (_, Policy, name) => {
    const sandbox = await start({ resources: 0 });
    const member = sandbox.organization.accounts[1]!.id;
    expect((await errorOf(entering(sandbox, member, { Policy }))).name).toBe(name);
  });

  it("knows no managed policy of another account", async () => {
    const sandbox = await start({ resources: 0 });
    const [own, member] = sandbox.organization.accounts.map(({ id }) => id);
    const named = (account: string) => ({ PolicyArns: [{ arn: `arn:aws:iam::${account}:policy/TagwardenScan` }] });
    expect((await errorOf(entering(sandbox, member!, named(own!)))).name).toBe("MalformedPolicyDocumentException");
    await entering(sandbox, member!, named(member!));
  });
});

describe("the organization of the sandbox", () => {
  it("gives empty pages between full ones when it is asked to", async () => {
    const sandbox = await start({ resources: 0, accounts: 44, empty_pages: true });
    const { organizations } = clientsOf(sandbox);
    const sizes: number[] = [];
    for await (const page of org.paginateListAccounts({ client: organizations }, {})) sizes.push(page.Accounts!.length);
    expect(sizes).toEqual([20, 0, 20, 0, 5]);
  });

  it("has units within a unit, and the paths of accounts lead through them", async () => {
    const sandbox = await start({ resources: 0 });
    const { organizations } = clientsOf(sandbox);
    const under = async (ParentId: string) =>
      (await organizations.send(new org.ListOrganizationalUnitsForParentCommand({ ParentId }))).OrganizationalUnits!;
    const { Roots } = await organizations.send(new org.ListRootsCommand({}));
    const top = await under(Roots![0]!.Id!);
    expect(top.map(({ Name }) => Name)).toEqual(["Shared", "Workloads"]);
    const workloads = top[1]!;
    const inner = await under(workloads.Id!);
    expect(inner.map(({ Name }) => Name)).toEqual(["Development", "Production", "Staging"]);
    expect(inner[1]!.Path).toContain(`/${workloads.Id}/${inner[1]!.Id}/`);
    const { Parents } = await organizations.send(new org.ListParentsCommand({ ChildId: inner[1]!.Id! }));
    expect(Parents).toEqual([{ Id: workloads.Id, Type: "ORGANIZATIONAL_UNIT" }]);
    const { Accounts } = await organizations.send(new org.ListAccountsForParentCommand({ ParentId: inner[1]!.Id! }));
    expect(Accounts!.length).toBeGreaterThan(0);
    for (const { Paths } of Accounts!) expect(Paths![0]).toContain(`/${workloads.Id}/${inner[1]!.Id}/`);
    expect(
      (await organizations.send(new org.ListAccountsForParentCommand({ ParentId: workloads.Id! }))).Accounts,
    ).toEqual([]);
  });

  it("lists all accounts in pages of at most 20", async () => {
    const sandbox = await start({ resources: 50, accounts: 44 });
    const { organizations } = clientsOf(sandbox);
    const sizes: number[] = [];
    const ids: string[] = [];
    let NextToken: string | undefined;
    do {
      const answer = await organizations.send(new org.ListAccountsCommand(NextToken ? { NextToken } : {}));
      sizes.push(answer.Accounts!.length);
      ids.push(...answer.Accounts!.map(({ Id }) => Id!));
      NextToken = answer.NextToken;
    } while (NextToken);
    expect(sizes).toEqual([20, 20, 5]);
    expect(new Set(ids).size).toBe(45);
    expect(ids.every((id) => /^\d{12}$/.test(id))).toBe(true);
    expect(ids.some((id) => id.startsWith("0"))).toBe(true);
    const large = organizations.send(new org.ListAccountsCommand({ MaxResults: 21 }));
    expect((await errorOf(large)).name).toBe("InvalidInputException");
  });

  it("answers the management account only, and knows what it does not have", async () => {
    const sandbox = await start({ resources: 50 });
    const member = clientsOf(sandbox, { account_id: sandbox.organization.accounts[1]!.id }).organizations;
    expect((await errorOf(member.send(new org.ListAccountsCommand({})))).name).toBe("AccessDeniedException");
    await member.send(new org.DescribeOrganizationCommand({}));
    const { organizations } = clientsOf(sandbox);
    const nameOf = async (call: Promise<unknown>) => (await errorOf(call)).name;
    expect(await nameOf(organizations.send(new org.DescribeAccountCommand({ AccountId: "999999999999" })))).toBe(
      "AccountNotFoundException",
    );
    expect(await nameOf(organizations.send(new org.ListAccountsForParentCommand({ ParentId: "r-none" })))).toBe(
      "ParentNotFoundException",
    );
    expect(await nameOf(organizations.send(new org.ListAccountsCommand({ NextToken: "x" })))).toBe(
      "InvalidInputException",
    );
  });
});
