import * as org from "@aws-sdk/client-organizations";
import { ListDatasetGroupsCommand } from "@aws-sdk/client-personalize";
import { AssumeRoleCommand, GetCallerIdentityCommand } from "@aws-sdk/client-sts";
import { fromTemporaryCredentials } from "@aws-sdk/credential-providers";
import { PersonalizeClient } from "@aws-sdk/client-personalize";
import { describe, expect, it } from "vitest";
import { sandboxCredentials } from "../../src/sandbox/server.ts";
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

describe("the organization of the sandbox", () => {
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
