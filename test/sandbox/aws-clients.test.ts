import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { CLOUDTRAIL } from "../../src/sandbox/cloudtrail.ts";
import { ORGANIZATIONS } from "../../src/sandbox/organizations.ts";
import { PERSONALIZE } from "../../src/sandbox/personalize.ts";
import type { Sandbox } from "../../src/sandbox/server.ts";
import { sandboxCredentials } from "../../src/sandbox/server.ts";
import { STS } from "../../src/sandbox/sts.ts";
import { TAGGING } from "../../src/sandbox/tagging.ts";
import { sandboxes } from "./sdk.ts";

const run = promisify(execFile);
const start = sandboxes();
const FOLDER = new URL(".", import.meta.url).pathname;
const MODELS = new URL("../../src/sandbox/models", import.meta.url).pathname;

/** The first command that works, or null. */
async function firstThatRuns(commands: string[], args: string[]): Promise<string | null> {
  for (const command of commands) {
    const works = await run(command, args).then(
      () => true,
      () => false,
    );
    if (works) return command;
  }
  return null;
}

const python = await firstThatRuns(["/usr/bin/python3", "python3"], ["-c", "import boto3"]);
const aws = await firstThatRuns(["/usr/bin/aws", "aws"], ["--version"]);

/** In CI the clients are installed, so their absence is an error; elsewhere these tests are skipped. */
const HOW = "needs `apt-get install awscli python3-boto3`";
const inCi = Boolean(process.env["CI"]);

/** An environment without anyone's own AWS settings. */
const env = {
  PATH: process.env["PATH"],
  HOME: "/nonexistent",
  AWS_CONFIG_FILE: "/dev/null",
  AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_DEFAULT_REGION: "us-east-1",
  AWS_PAGER: "",
  PYTHONDONTWRITEBYTECODE: "1",
};

describe("clients that Debian ships", () => {
  it.skipIf(!python && !inCi)(
    `every operation of the sandbox is called by boto3 (${HOW})`,
    async () => {
      const sandbox = await start({ accounts: 6, resources: 300 });
      expect(python, `boto3 is missing: ${HOW}`).not.toBeNull();
      const { stdout } = await run(python ?? "", [`${FOLDER}aws_clients.py`, sandbox.url, MODELS], { env });
      expect(JSON.parse(stdout)).toMatchObject({ made: 15 });
      const served = [PERSONALIZE, TAGGING, STS, ORGANIZATIONS, CLOUDTRAIL].flatMap(({ operations }) =>
        Object.keys(operations),
      );
      expect(served.filter((operation) => !(operation in sandbox.calls.by_operation))).toEqual([]);
    },
    120_000,
  );

  it.skipIf(!aws && !inCi)(
    `the AWS CLI pages, tags, assumes a role and reads the organization (${HOW})`,
    async () => {
      const sandbox = await start({ accounts: 25, resources: 600, regions: ["us-east-1"] });
      expect(aws, `the AWS CLI is missing: ${HOW}`).not.toBeNull();
      const cli = (command: string) => runCli(sandbox, command.split(" "));
      const account = sandbox.organization.management_account_id;
      const arn = sandbox.createResource({ account_id: account, region: "us-east-1" }, "filter", "cli-filter");
      const [identity, accounts, filters] = await Promise.all([
        cli("sts get-caller-identity"),
        cli("organizations list-accounts"),
        cli("personalize list-filters --page-size 2"),
        cli(`personalize tag-resource --resource-arn ${arn} --tags tagKey=Owner,tagValue=cli@example.com`),
      ]);
      expect(identity).toMatchObject({ Account: account });
      expect(accounts).toMatchObject({ Accounts: { length: 26 } });
      const mine = [...sandbox.resources({ account_id: account, type: "filter" })];
      expect(filters).toMatchObject({ Filters: { length: mine.length } });
      const [tags, index, role] = await Promise.all([
        cli(`personalize list-tags-for-resource --resource-arn ${arn}`),
        cli(`resourcegroupstaggingapi get-resources --resource-arn-list ${arn}`),
        cli("sts assume-role --role-arn arn:aws:iam::222233334444:role/TagwardenAudit --role-session-name cli"),
      ]);
      expect(tags).toEqual({ tags: [{ tagKey: "Owner", tagValue: "cli@example.com" }] });
      expect(index).toMatchObject({ ResourceTagMappingList: [{ ResourceARN: arn }] });
      expect(role).toMatchObject({ Credentials: { AccessKeyId: "ASIASANDBOX222233334444" } });
      await expect(
        cli("personalize describe-campaign --campaign-arn arn:aws:personalize:us-east-1:1:campaign/x"),
      ).rejects.toThrow(/InvalidInputException/);
    },
    120_000,
  );

  it.skipIf(!aws && !inCi)(
    `the AWS CLI looks up who wrote tags, page by page (${HOW})`,
    async () => {
      const sandbox = await start({ accounts: 0, resources: 10, regions: ["us-east-1"] });
      expect(aws, `the AWS CLI is missing: ${HOW}`).not.toBeNull();
      const account_id = sandbox.organization.management_account_id;
      const arn = sandbox.createResource({ account_id, region: "us-east-1" }, "filter", "looked-up");
      const cli = (command: string) => runCli(sandbox, command.split(" "));
      for (const value of ["one", "two", "three"])
        await cli(`personalize tag-resource --resource-arn ${arn} --tags tagKey=Owner,tagValue=${value}`);
      const since = "cloudtrail lookup-events --start-time 2024-01-01";
      const answer = (await cli(
        `${since} --page-size 2 --lookup-attributes AttributeKey=EventName,AttributeValue=TagResource`,
      )) as { Events: { CloudTrailEvent: string; EventName: string; Username: string }[] };
      expect(answer.Events.map(({ EventName, Username }) => [EventName, Username])).toEqual(
        Array.from({ length: 3 }, () => ["TagResource", "sandbox"]),
      );
      expect(JSON.parse(answer.Events[0]?.CloudTrailEvent ?? "")).toMatchObject({
        eventSource: "personalize.amazonaws.com",
        requestParameters: { resourceArn: arn },
        userIdentity: { type: "IAMUser", arn: `arn:aws:iam::${account_id}:user/sandbox` },
      });
      await expect(cli(`${since} --end-time 2023-01-01`)).rejects.toThrow(/InvalidTimeRangeException/);
    },
    120_000,
  );
});

async function runCli(sandbox: Sandbox, args: string[]): Promise<unknown> {
  const { accessKeyId, secretAccessKey } = sandboxCredentials(sandbox.organization.management_account_id);
  const { stdout } = await run(aws ?? "", [...args, "--endpoint-url", sandbox.url, "--output", "json"], {
    env: { ...env, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
  });
  return stdout.trim() === "" ? null : JSON.parse(stdout);
}
