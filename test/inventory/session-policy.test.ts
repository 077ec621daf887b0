import { CloudTrailClient } from "@aws-sdk/client-cloudtrail";
import { PersonalizeClient } from "@aws-sdk/client-personalize";
import { ResourceGroupsTaggingAPIClient } from "@aws-sdk/client-resource-groups-tagging-api";
import { afterEach, describe, expect, test } from "vitest";
import { ACTIONS, type Purpose } from "../../src/inventory/actions.ts";
import { rememberCredentials } from "../../src/inventory/aws/credentials.ts";
import { recordedCalls } from "../../src/inventory/aws/lookup-events.ts";
import { listUnit } from "../../src/inventory/aws/list-unit.ts";
import { readServiceTags } from "../../src/inventory/aws/read-tags.ts";
import type { Aws, AwsSettings, TargetApi } from "../../src/inventory/aws/session.ts";
import { targetApi } from "../../src/inventory/aws/target-api.ts";
import { writeTags } from "../../src/remediation/aws/write-tags.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/server.ts";
import { awsOf } from "../support/scan.ts";
import { ACCOUNT, identity, openScripted, startScriptedAws } from "./scripted-aws.ts";

const MEMBER = "222233334444";
const closing: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

type Role = NonNullable<AwsSettings["role"]>;

async function open(session_policy?: Role["session_policy"]): Promise<{ sandbox: Sandbox; aws: Aws; arn: string }> {
  const sandbox = await startSandbox({ resources: 100, accounts: 1 });
  const role = { name: sandbox.organization.role_name, session_name: "tagwarden" };
  const aws = awsOf(sandbox, { role: { ...role, ...(session_policy && { session_policy }) } });
  closing.push(
    () => sandbox.close(),
    () => aws.close(),
  );
  const arn = sandbox.createResource({ account_id: MEMBER, region: "us-east-1" }, "filter", "one", { Team: "a" });
  return { sandbox, aws, arn };
}

const enter = (aws: Aws, purpose?: Purpose) => aws.target({ account_id: MEMBER, region: "us-east-1" }, purpose);
const tag = (api: TargetApi, arn: string) =>
  writeTags(
    api,
    arn,
    { tag: [{ key: "Owner", value: "x@example.com" }], untag: ["Team"], untag_first: false, owed: false },
    { withhold: () => Promise.resolve(null), between: () => Promise.resolve() },
  );

/** How a list of the session ended. */
async function listing(api: TargetApi) {
  const pages = listUnit(api, "filter", new AbortController().signal);
  let page = await pages.next();
  while (!page.done) page = await pages.next();
  return page.value;
}

describe("a role of its own for repairs", () => {
  test.each([
    ["in another account", MEMBER],
    ["in the caller's own account", null],
  ])("is what writes %s, and no scan takes it", async (_where, other) => {
    const sandbox = await startSandbox({ resources: 100, accounts: 1 });
    const { role_name: name, management_account_id } = sandbox.organization;
    const account_id = other ?? management_account_id;
    sandbox.setRoles([{ account_id, lacks: ["personalize:TagResource", "personalize:UntagResource"] }]);
    const aws = awsOf(sandbox, { role: { name, repair_name: "TagwardenRepair", session_name: "tagwarden" } });
    closing.push(
      () => sandbox.close(),
      () => aws.close(),
    );
    const target = { account_id, region: "us-east-1" };
    const arn = sandbox.createResource(target, "filter", "one", { Team: "a" });
    const assumed = () => sandbox.calls.by_operation["AssumeRole"] ?? 0;
    const scanning = await aws.target(target);
    expect(assumed()).toBe(other === null ? 0 : 1);
    const repairing = await aws.target(target, "repair");
    expect(assumed()).toBe(other === null ? 1 : 2);
    expect(await tag(repairing, arn)).toEqual({ outcome: "accepted" });
    expect(await readServiceTags(scanning, arn)).toMatchObject({ tags: { Owner: "x@example.com" } });
  });

  test("is asked for by its name, and named where it is not there", async () => {
    const sandbox = await startSandbox({ resources: 100, accounts: 1 });
    const { role_name: name } = sandbox.organization;
    const aws = awsOf(sandbox, { role: { name, repair_name: "NoSuchRole", session_name: "tagwarden" } });
    closing.push(
      () => sandbox.close(),
      () => aws.close(),
    );
    await expect(enter(aws, "repair")).rejects.toThrow(/role\/NoSuchRole/);
    expect(await listing(await enter(aws))).toMatchObject({ listed: true });
  });
});

const REPAIR = { repair_name: "TagwardenRepair" };

describe("the name under which Tagwarden writes", () => {
  test.each<[whose: string, more: Partial<Role>, account_id: string, arn: string]>([
    ["the role of scans elsewhere", {}, MEMBER, "sts::222233334444:assumed-role/TagwardenAudit/tagwarden"],
    ["the caller at home", {}, ACCOUNT, "iam::111122223333:user/sandbox"],
    ["the role for repairs elsewhere", REPAIR, MEMBER, "sts::222233334444:assumed-role/TagwardenRepair/tagwarden"],
    ["the role for repairs at home", REPAIR, ACCOUNT, "sts::111122223333:assumed-role/TagwardenRepair/tagwarden"],
  ])("is that of %s", async (_whose, more, account_id, arn) => {
    const sandbox = await startSandbox({ resources: 0, accounts: 1 });
    const aws = awsOf(sandbox, { role: { name: "TagwardenAudit", session_name: "tagwarden", ...more } });
    closing.push(
      () => sandbox.close(),
      () => aws.close(),
    );
    expect(await aws.principal(account_id)).toBe(`arn:aws:${arn}`);
  });
});

describe("the session of a scan", () => {
  test.each([
    [true, true],
    [false, false],
  ])("may look up events where it is switched on: %j", async (cloudtrail, allowed) => {
    const sandbox = await startSandbox({ resources: 10, accounts: 1 });
    const aws = awsOf(sandbox, { role: { name: "TagwardenAudit", session_name: "tagwarden", cloudtrail } });
    closing.push(
      () => sandbox.close(),
      () => aws.close(),
    );
    const pages = recordedCalls(await enter(aws), "TagResource", { after: new Date(), until: null });
    if (allowed) expect(await pages.next()).toMatchObject({ value: { calls: [], oldest: null } });
    else await expect(pages.next()).rejects.toThrow(/no session policy allows the cloudtrail:LookupEvents/);
  });

  test("reads, and cannot write a tag although its role could", async () => {
    const { sandbox, aws, arn } = await open();
    const api = await enter(aws);
    expect(await listing(api)).toMatchObject({ listed: true, error: null });
    expect(await readServiceTags(api, arn)).toMatchObject({ outcome: "read", tags: { Team: "a" } });
    expect(await tag(api, arn)).toMatchObject({
      outcome: "error",
      refused: true,
      error: { name: "AccessDeniedException", message: expect.stringContaining("no session policy allows") as string },
    });
    expect([...sandbox.resources({ type: "filter" })].find((one) => one.arn === arn)?.tags.get("Team")).toBe("a");
  });

  test.each([["off" as const], [["ReadOnlyAccess", "TagwardenRepair"]]])(
    "narrowed by %j does what that allows",
    async (scan) => {
      const policies =
        typeof scan === "string"
          ? scan
          : scan.map((name) => (name === "ReadOnlyAccess" ? `arn:aws:iam::aws:policy/${name}` : name));
      const { aws, arn } = await open({ scan: policies });
      const api = await enter(aws);
      expect(await listing(api)).toMatchObject({ listed: true });
      expect(await tag(api, arn)).toEqual({ outcome: "accepted" });
    },
  );

  test("narrowed by managed policies of the account cannot do more than they say", async () => {
    const { aws, arn } = await open({ scan: ["TagwardenScan"] });
    const api = await enter(aws);
    expect(await listing(api)).toMatchObject({ listed: true });
    expect(await tag(api, arn)).toMatchObject({ outcome: "error" });
  });
});

describe("the session of a repair", () => {
  test("reads and writes tags, and can do nothing else", async () => {
    const { sandbox, aws, arn } = await open();
    const api = await enter(aws, "repair");
    expect(await tag(api, arn)).toEqual({ outcome: "accepted" });
    expect(await readServiceTags(api, arn)).toMatchObject({ outcome: "read", tags: { Owner: "x@example.com" } });
    expect(await listing(api)).toMatchObject({ listed: false, error: { name: "AccessDeniedException" } });
    expect(sandbox.calls.by_operation).toMatchObject({ TagResource: 1, UntagResource: 1 });
  });

  test("is another one than that of a scan: each role is assumed once for each, whatever the regions", async () => {
    const { aws } = await open();
    const regions = ["us-east-1", "eu-west-1", "us-west-2"];
    for (const purpose of ["scan", "repair"] as const) {
      const all = regions.flatMap((region) => [1, 2].map(() => aws.target({ account_id: MEMBER, region }, purpose)));
      expect(new Set(await Promise.all(all)).size).toBe(3);
    }
    expect(aws.calls.by_operation["AssumeRole"]).toBe(2);
    expect(await enter(aws, "repair")).not.toBe(await enter(aws));
  });

  test("shares the limits of its target with the scan", async () => {
    const { sandbox } = await open();
    const limits = { burst: 1, per_second: 0.001 };
    const slow = { index: limits, list: limits, read: { start: 0.001, most: 0.001 }, write: { start: 1, most: 1 } };
    const aws = awsOf(sandbox, { limits: slow });
    closing.push(() => aws.close());
    const [scan, repair] = await Promise.all([enter(aws), enter(aws, "repair")]);
    const none = `arn:aws:personalize:us-east-1:${MEMBER}:filter/none`;
    expect(await readServiceTags(scan, none)).toEqual({ outcome: "gone" });
    const answer = await Promise.race([
      readServiceTags(repair, none),
      new Promise((resolve) => setTimeout(() => resolve("waits"), 300)),
    ]);
    expect(answer).toBe("waits");
  });
});

describe("a session policy that AWS does not take", () => {
  test("because the account has no such policy is said with the setting to mend", async () => {
    const { aws } = await open({ scan: ["Nobody"] });
    await expect(enter(aws)).rejects.toMatchObject({
      name: "MalformedPolicyDocumentException",
      message: expect.stringMatching(/targets\.session_policy\.scan .*exist in account 222233334444/) as string,
    });
  });

  test.each([
    ["PackedPolicyTooLarge", /targets\.session_policy\.repair/],
    ["RegionDisabledException", /not activated in this region/],
  ])("for %s says what to do", async (error, advice) => {
    const scripted = await startScriptedAws({
      GetCallerIdentity: () => identity(ACCOUNT),
      AssumeRole: () => ({ error }),
    });
    const aws = openScripted(scripted, { role: { name: "Audit", session_name: "tagwarden" } });
    closing.push(
      () => scripted.close(),
      () => aws.close(),
    );
    await expect(enter(aws, "repair")).rejects.toMatchObject({
      name: error.replace(/(Exception)?$/, "Exception"),
      message: expect.stringMatching(advice) as string,
    });
  });

  test("is none of ours: what is sent is the list of actions, with the role's name and external id", async () => {
    const inputs: Record<string, unknown>[] = [];
    const scripted = await startScriptedAws({
      GetCallerIdentity: () => identity(ACCOUNT),
      AssumeRole: ({ input }) => {
        inputs.push(input);
        return { error: "AccessDenied", status: 403 };
      },
    });
    const role = {
      name: "Audit",
      session_name: "tagwarden",
      session_policy: { repair: ["One", "arn:aws:iam::aws:policy/Two"] },
    };
    const aws = openScripted(scripted, { role });
    closing.push(
      () => scripted.close(),
      () => aws.close(),
    );
    await expect(enter(aws)).rejects.toMatchObject({ name: "AccessDenied" });
    await expect(enter(aws, "repair")).rejects.toMatchObject({ name: "AccessDenied" });
    const sent = JSON.parse(String(inputs[0]?.["Policy"])) as { Statement: { Action: string[] }[] };
    expect(sent).toMatchObject({ Statement: [{ Effect: "Allow", Resource: "*" }] });
    const actions = sent.Statement[0]?.Action ?? [];
    expect(actions).toEqual(expect.arrayContaining([...ACTIONS.scan]));
    // Events have single resources described, besides what a scan asks.
    const others = actions.filter((action) => !ACTIONS.scan.includes(action));
    expect(others.every((action) => action.startsWith("personalize:Describe"))).toBe(true);
    expect(inputs[1]).toMatchObject({
      "PolicyArns.member.1.arn": `arn:aws:iam::${MEMBER}:policy/One`,
      "PolicyArns.member.2.arn": "arn:aws:iam::aws:policy/Two",
    });
    expect(inputs[1]).not.toHaveProperty("Policy");
  });
});

test("a region whose host does not exist is named in the error", async () => {
  const config = { region: "eu-north-1", credentials: { accessKeyId: "a", secretAccessKey: "b" } };
  const clients = {
    personalize: new PersonalizeClient(config),
    tagging: new ResourceGroupsTaggingAPIClient(config),
    cloudtrail: () => Promise.resolve(new CloudTrailClient(config)),
  };
  const credentials = rememberCredentials(
    () => Promise.resolve(config.credentials),
    () => 0,
  );
  const unknown = Object.assign(new Error("getaddrinfo ENOTFOUND personalize.eu-north-1.amazonaws.com"), {
    code: "ENOTFOUND",
    hostname: "personalize.eu-north-1.amazonaws.com",
  });
  const api = targetApi(
    { partition: "aws", account_id: ACCOUNT, region: "eu-north-1" },
    clients,
    credentials,
    { call: () => Promise.reject(unknown) },
    new AbortController().signal,
    0,
  );
  expect(await listing(api)).toMatchObject({
    listed: false,
    error: {
      name: "ENOTFOUND",
      message: expect.stringContaining("region eu-north-1 does not answer: its host personalize.eu-north-1") as string,
    },
  });
});
