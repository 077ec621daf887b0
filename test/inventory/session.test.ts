import { afterEach, describe, expect, test } from "vitest";
import { rememberCredentials } from "../../src/inventory/aws/credentials.ts";
import { readServiceTags } from "../../src/inventory/aws/read-tags.ts";
import type { Aws, AwsSettings } from "../../src/inventory/aws/session.ts";
import {
  ACCOUNT,
  type Call,
  identity,
  openScripted,
  type Reply,
  type ScriptedAws,
  startScriptedAws,
} from "./scripted-aws.ts";

const OTHER = "012345678901";
const role = { name: "audit/TagwardenAudit", external_id: "tenant-1", session_name: "tagwarden" };
const arn = `arn:aws:personalize:us-east-1:${OTHER}:campaign/c`;

let aws: Aws;
let scripted: ScriptedAws;
afterEach(async () => {
  aws.close();
  await scripted.close();
});

/** Accounts by the key that a call is signed with: BASE is ours, R1, R2, … are what AssumeRole gave. */
async function open(script: Record<string, (call: Call) => Reply>, settings: Partial<AwsSettings> = {}): Promise<Aws> {
  scripted = await startScriptedAws({
    GetCallerIdentity: ({ key }) => identity(key === "BASE" ? ACCOUNT : OTHER),
    AssumeRole: ({ turn }) => ({ body: { Credentials: keys(`R${turn + 1}`) } }),
    ...script,
  });
  aws = openScripted(scripted, { role, ...settings });
  return aws;
}

const keys = (AccessKeyId: string, Expiration = new Date(Date.now() + 3_600_000).toISOString()) => ({
  AccessKeyId,
  SecretAccessKey: "s",
  SessionToken: "t",
  Expiration,
});

describe("entering accounts", () => {
  test("the caller is asked once, and a region that is set is the region", async () => {
    await open({});
    const [first, second] = await Promise.all([aws.caller(), aws.caller()]);
    expect(first).toEqual({ account_id: ACCOUNT, arn: `arn:aws:iam::${ACCOUNT}:user/test`, partition: "aws" });
    expect(second).toBe(first);
    expect(await aws.region()).toBe("us-east-1");
    expect(scripted.turns).toEqual({ GetCallerIdentity: 1 });
  });

  test("nothing is sent before it is needed", async () => {
    await open({});
    expect(scripted.turns).toEqual({});
  });

  test("our own account needs no role, and each target has one object", async () => {
    await open({}, { role: undefined } as never);
    const one = await aws.target({ account_id: ACCOUNT, region: "us-east-1" });
    expect(one.target).toEqual({ partition: "aws", account_id: ACCOUNT, region: "us-east-1" });
    expect(await aws.target({ account_id: ACCOUNT, region: "us-east-1" })).toBe(one);
    expect(scripted.turns).toEqual({ GetCallerIdentity: 1 });
  });

  test("a role is assumed once for an account, for all its regions and services", async () => {
    const inputs: unknown[] = [];
    await open({
      AssumeRole: ({ input }) => {
        inputs.push(input);
        return { body: { Credentials: keys("R1") } };
      },
      ListTagsForResource: ({ key }) => ({ body: { tags: [{ tagKey: "key", tagValue: key }] } }),
    });
    const regions = ["us-east-1", "us-west-2", "eu-west-1", "eu-central-1"];
    const targets = await Promise.all(regions.map((region) => aws.target({ account_id: OTHER, region })));
    for (const target of targets) expect(await readServiceTags(target, arn)).toMatchObject({ tags: { key: "R1" } });
    expect(inputs).toEqual([
      expect.objectContaining({
        RoleArn: `arn:aws:iam::${OTHER}:role/audit/TagwardenAudit`,
        RoleSessionName: "tagwarden",
        ExternalId: "tenant-1",
      }),
    ]);
    expect(aws.calls.toJSON()).toEqual({
      total: 7,
      throttled: 0,
      AssumeRole: 1,
      GetCallerIdentity: 2,
      ListTagsForResource: 4,
    });
  });

  test("a role that leads to another account is refused before anything is read", async () => {
    await open({ GetCallerIdentity: ({ key }) => identity(key === "BASE" ? ACCOUNT : "999999999999") });
    await expect(aws.target({ account_id: OTHER, region: "us-east-1" })).rejects.toMatchObject({
      name: "WrongAccountError",
      message: expect.stringContaining("999999999999"),
    });
    expect(Object.keys(scripted.turns).sort((a, b) => a.localeCompare(b))).toEqual(["AssumeRole", "GetCallerIdentity"]);
  });

  test("without a role, another account is refused", async () => {
    await open({}, { role: undefined } as never);
    await expect(aws.target({ account_id: OTHER, region: "us-east-1" })).rejects.toMatchObject({
      name: "MissingRoleError",
    });
  });

  test("a role that is denied is told by STS's own name, and tried anew the next time", async () => {
    await open({
      AssumeRole: ({ turn }) =>
        turn === 0 ? { error: "AccessDenied", status: 403 } : { body: { Credentials: keys("R2") } },
    });
    await expect(aws.target({ account_id: OTHER, region: "us-east-1" })).rejects.toMatchObject({
      name: "AccessDenied",
    });
    expect((await aws.target({ account_id: OTHER, region: "us-east-1" })).target.account_id).toBe(OTHER);
  });

  test("a session that AWS calls expired is renewed once, for all calls together", async () => {
    await open({
      ListTagsForResource: ({ key }) => (key === "R1" ? { error: "ExpiredTokenException" } : { body: { tags: [] } }),
    });
    const api = await aws.target({ account_id: OTHER, region: "us-east-1" });
    const answers = await Promise.all(Array.from({ length: 10 }, () => readServiceTags(api, arn)));
    expect(
      new Set(answers.map((answer) => (answer.outcome === "unknown" ? answer.error.name : answer.outcome))),
    ).toEqual(new Set(["read"]));
    expect(scripted.turns["AssumeRole"]).toBe(2);
  });

  test("keys that were given and are refused as expired end as an error, not in a loop", async () => {
    await open({ ListTagsForResource: () => ({ error: "ExpiredTokenException" }) });
    const api = await aws.target({ account_id: ACCOUNT, region: "us-east-1" });
    expect(await readServiceTags(api, arn)).toMatchObject({
      outcome: "unknown",
      error: { name: "ExpiredTokenException" },
    });
    expect(scripted.turns["ListTagsForResource"]).toBe(1);
  });

  test("after it was closed, calls fail at once", async () => {
    await open({ ListTagsForResource: () => ({ body: { tags: [] } }) });
    const api = await aws.target({ account_id: ACCOUNT, region: "us-east-1" });
    aws.close();
    expect(await readServiceTags(api, arn)).toMatchObject({
      outcome: "unknown",
      error: { message: "The connection to AWS was closed." },
    });
  });
});

describe("asking the service for a resource's tags", () => {
  const answers = async (...replies: Reply[]) => {
    await open({ ListTagsForResource: ({ turn }) => replies[Math.min(turn, replies.length - 1)] as Reply });
    return readServiceTags(await aws.target({ account_id: ACCOUNT, region: "us-east-1" }), arn);
  };
  const tags = (...pairs: [string, string][]): Reply => ({
    body: { tags: pairs.map(([tagKey, tagValue]) => ({ tagKey, tagValue })) },
  });

  test("gives its tags, with the keys that every object inherits and the aws: ones", async () => {
    const answer = await answers(tags(["__proto__", "x"], ["constructor", ""], ["aws:cloudformation:stack-name", "s"]));
    if (answer.outcome !== "read") throw new Error("not read");
    expect(new Map(Object.entries(answer.tags))).toEqual(
      new Map([
        ["__proto__", "x"],
        ["constructor", ""],
        ["aws:cloudformation:stack-name", "s"],
      ]),
    );
    expect(Object.getPrototypeOf(answer.tags)).toBeNull();
  });

  test("finds none only where the service says so", async () => {
    expect(await answers(tags())).toMatchObject({ outcome: "read", tags: {} });
  });

  test("a reply without tags is no answer", async () => {
    expect(await answers({ body: {} })).toMatchObject({ outcome: "unknown", error: { name: "UnexpectedReply" } });
  });

  test("a resource that is not there is gone", async () => {
    expect(await answers({ error: "ResourceNotFoundException" })).toEqual({ outcome: "gone" });
  });

  test("a resource in use is asked again after a while", async () => {
    expect(await answers({ error: "ResourceInUseException" }, tags(["a", "b"]))).toMatchObject({
      outcome: "read",
      tags: { a: "b" },
    });
    expect(scripted.turns["ListTagsForResource"]).toBe(2);
  });

  test.each([
    [{ error: "ResourceInUseException" }, "ResourceInUseException"],
    [{ error: "AccessDeniedException" }, "AccessDeniedException"],
    [{ error: "ThrottlingException" }, "ThrottlingException"],
    [{ error: "InternalServerException", status: 500 }, "InternalServerException"],
    [{ error: "InvalidInputException" }, "InvalidInputException"],
    [{ half: '{"tags":[' }, undefined],
  ] as const)("%o leaves the tags unknown", async (reply, name) => {
    const answer = await answers(reply);
    expect(answer).toMatchObject({ outcome: "unknown", error: { operation: "ListTagsForResource" } });
    if (name && answer.outcome === "unknown") expect(answer.error.name).toBe(name);
  });
});

describe("credentials that are remembered", () => {
  test("are shared until five minutes before they expire; who asks at once shares a request; failures are forgotten", async () => {
    let now = 0;
    let turn = 0;
    const credentials = rememberCredentials(
      async () => {
        turn += 1;
        if (turn === 1) throw new Error("not yet");
        return { accessKeyId: `K${turn}`, secretAccessKey: "s", expiration: new Date(now + 3_600_000) };
      },
      () => now,
    );
    await expect(credentials.provider()).rejects.toThrow("not yet");
    const both = await Promise.all([credentials.provider(), credentials.provider()]);
    expect(both.map(({ accessKeyId }) => accessKeyId)).toEqual(["K2", "K2"]);
    now = 54 * 60_000;
    expect((await credentials.provider()).accessKeyId).toBe("K2");
    now = 56 * 60_000;
    expect((await credentials.provider()).accessKeyId).toBe("K3");
  });
});
