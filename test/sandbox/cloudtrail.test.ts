import { type CloudTrailClient, type Event, LookupEventsCommand } from "@aws-sdk/client-cloudtrail";
import type { LookupEventsCommandInput } from "@aws-sdk/client-cloudtrail";
import {
  CreateFilterCommand,
  DeleteFilterCommand,
  ListFiltersCommand,
  TagResourceCommand,
  UntagResourceCommand,
} from "@aws-sdk/client-personalize";
import { AssumeRoleCommand } from "@aws-sdk/client-sts";
import { describe, expect, it } from "vitest";
import type { Sandbox } from "../../src/sandbox/server.ts";
import { clientsOf, errorOf, ONE_TARGET, sandboxes } from "./sdk.ts";

const start = sandboxes();
const MANAGEMENT = "111122223333";
const PLACE = { account_id: MANAGEMENT, region: "us-east-1" };
/** In place of AWS's two a second. */
const UNLIMITED = { rate_limits: { LookupEvents: { burst: 10_000, per_second: 10_000 } } };

const lookUp = (client: CloudTrailClient, input: LookupEventsCommandInput = {}) =>
  client.send(new LookupEventsCommand(input));
const by = (
  AttributeKey: "EventName" | "EventId" | "Username" | "EventSource" | "ResourceName",
  AttributeValue: string,
) => ({
  LookupAttributes: [{ AttributeKey, AttributeValue }],
});
const recordOf = (event: Event | undefined) => JSON.parse(event?.CloudTrailEvent ?? "null") as Record<string, unknown>;
const tag = (arn: string, tagValue = "x") =>
  new TagResourceCommand({ resourceArn: arn, tags: [{ tagKey: "Owner", tagValue }] });

/** Clients of a session that someone opened by a role of the management account. */
async function sessionOf(sandbox: Sandbox, role: string, RoleSessionName: string) {
  const { Credentials } = await clientsOf(sandbox).sts.send(
    new AssumeRoleCommand({ RoleArn: `arn:aws:iam::${MANAGEMENT}:role/${role}`, RoleSessionName }),
  );
  const { AccessKeyId = "", SecretAccessKey = "", SessionToken = "" } = Credentials ?? {};
  const credentials = { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken };
  return clientsOf(sandbox, { credentials });
}

describe("CloudTrail of the sandbox", () => {
  it("keeps who changed what, the newest first, without the values of tags; and nothing of who only looked", async () => {
    const sandbox = await start({ ...ONE_TARGET, ...UNLIMITED });
    const { personalize, cloudtrail } = clientsOf(sandbox);
    const arn = sandbox.createResource(PLACE, "filter", "one");
    await personalize.send(tag(arn, "secret"));
    const pipeline = await sessionOf(sandbox, "TagwardenRepair", "pipeline");
    await pipeline.personalize.send(new UntagResourceCommand({ resourceArn: arn, tagKeys: ["Owner"] }));
    await personalize.send(new ListFiltersCommand({}));
    const { Events = [], NextToken } = await lookUp(cloudtrail);
    expect(NextToken).toBeUndefined();
    expect(Events.map(({ EventName, Username }) => [EventName, Username])).toEqual([
      ["UntagResource", "pipeline"],
      ["TagResource", "sandbox"],
    ]);
    expect(recordOf(Events[0])).toMatchObject({
      eventSource: "personalize.amazonaws.com",
      eventID: Events[0]?.EventId,
      recipientAccountId: MANAGEMENT,
      awsRegion: "us-east-1",
      requestParameters: { resourceArn: arn },
      responseElements: null,
      userIdentity: {
        type: "AssumedRole",
        arn: `arn:aws:sts::${MANAGEMENT}:assumed-role/TagwardenRepair/pipeline`,
        sessionContext: { sessionIssuer: { userName: "TagwardenRepair" } },
      },
    });
    expect(Events[1]?.CloudTrailEvent).not.toContain("secret");
  });

  it("keeps what was made with its ARN, and what failed with its error", async () => {
    const sandbox = await start({ ...ONE_TARGET, ...UNLIMITED });
    const { personalize, cloudtrail } = clientsOf(sandbox);
    const [group] = [...sandbox.resources({ type: "dataset-group" })];
    const { filterArn = "" } = await personalize.send(
      new CreateFilterCommand({ name: "mine", datasetGroupArn: group?.arn, filterExpression: "INCLUDE ItemID" }),
    );
    await errorOf(personalize.send(new DeleteFilterCommand({ filterArn: `${filterArn}-none` })));
    const { Events = [] } = await lookUp(cloudtrail);
    expect(Events.map(recordOf)).toMatchObject([
      { eventName: "DeleteFilter", errorCode: "ResourceNotFoundException", responseElements: null },
      { eventName: "CreateFilter", responseElements: { filterArn } },
    ]);
  });

  it("looks up by attribute, by time, and in the caller's own account and region alone", async () => {
    let now = new Date("2026-11-01T00:00:00Z");
    const sandbox = await start({ accounts: 1, regions: ["us-east-1"], ...UNLIMITED, now: () => now });
    const { personalize, cloudtrail } = clientsOf(sandbox);
    const arn = sandbox.createResource(PLACE, "filter", "one");
    await personalize.send(tag(arn));
    now = new Date("2026-11-01T01:00:00.900Z");
    await personalize.send(new UntagResourceCommand({ resourceArn: arn, tagKeys: ["Owner"] }));
    const names = async (input: LookupEventsCommandInput, client = cloudtrail) =>
      (await lookUp(client, input)).Events?.map(({ EventName }) => EventName);
    expect(await names(by("EventName", "TagResource"))).toEqual(["TagResource"]);
    expect(await names(by("Username", "sandbox"))).toHaveLength(2);
    expect(await names(by("EventSource", "personalize.amazonaws.com"))).toHaveLength(2);
    expect(await names(by("EventName", "CreateFilter"))).toEqual([]);
    expect(await names(by("ResourceName", arn))).toEqual([]);
    const hour = new Date("2026-11-01T01:00:00Z");
    expect(await names({ StartTime: hour })).toEqual(["UntagResource"]);
    expect(await names({ EndTime: new Date(hour.getTime() - 1) })).toEqual(["TagResource"]);
    expect((await lookUp(cloudtrail)).Events?.[0]?.EventTime).toEqual(hour);
    expect(await names({}, clientsOf(sandbox, { region: "eu-west-1" }).cloudtrail)).toEqual([]);
    expect(await names({}, clientsOf(sandbox, { account_id: "222233334444" }).cloudtrail)).toEqual([]);
    now = new Date("2027-02-15T00:00:00Z");
    expect(await names({})).toEqual([]);
  });

  it("gives every event once over the pages, also when more come in between", async () => {
    const sandbox = await start({ ...ONE_TARGET, ...UNLIMITED });
    const { personalize, cloudtrail } = clientsOf(sandbox);
    const arn = sandbox.createResource(PLACE, "filter", "one");
    for (let i = 0; i < 7; i++) await personalize.send(tag(arn, `${i}`));
    const seen: string[] = [];
    let NextToken: string | undefined;
    do {
      const page = await lookUp(cloudtrail, { MaxResults: 3, NextToken });
      seen.push(...(page.Events?.map(({ EventId = "" }) => EventId) ?? []));
      NextToken = page.NextToken;
      await personalize.send(tag(arn, "later"));
    } while (NextToken !== undefined);
    expect([seen.length, new Set(seen).size]).toEqual([7, 7]);
  });

  it("shows a call after its lag", async () => {
    let now = new Date("2026-11-01T00:00:00Z");
    const sandbox = await start({ ...ONE_TARGET, ...UNLIMITED, trail_lag_ms: 15 * 60_000, now: () => now });
    const { personalize, cloudtrail } = clientsOf(sandbox);
    await personalize.send(tag(sandbox.createResource(PLACE, "filter", "one")));
    now = new Date("2026-11-01T00:14:59Z");
    expect(await lookUp(cloudtrail)).toMatchObject({ Events: [] });
    now = new Date("2026-11-01T00:15:00Z");
    expect(await lookUp(cloudtrail)).toMatchObject({ Events: [{ EventName: "TagResource" }] });
  });

  it.each<[string, LookupEventsCommandInput]>([
    [
      "InvalidLookupAttributesException",
      {
        LookupAttributes: ["EventName", "Username"].map(
          (AttributeKey) => ({ AttributeKey, AttributeValue: "x" }) as never,
        ),
      },
    ],
    ["InvalidLookupAttributesException", by("Nothing" as never, "x")],
    ["InvalidTimeRangeException", { StartTime: new Date(2000), EndTime: new Date(1000) }],
    ["InvalidMaxResultsException", { MaxResults: 51 }],
    ["InvalidMaxResultsException", { MaxResults: 0 }],
    ["InvalidNextTokenException", { NextToken: "none" }],
    ["InvalidEventCategoryException", { EventCategory: "data" as never }],
  ])("answers %s to %j", async (name, input) => {
    const sandbox = await start({ ...ONE_TARGET, ...UNLIMITED });
    expect(await errorOf(lookUp(clientsOf(sandbox).cloudtrail, input))).toMatchObject({ name, status: 400 });
  });

  it("refuses the token of another request", async () => {
    const sandbox = await start({ ...ONE_TARGET, ...UNLIMITED });
    const { personalize, cloudtrail } = clientsOf(sandbox);
    const arn = sandbox.createResource(PLACE, "filter", "one");
    for (let i = 0; i < 2; i++) await personalize.send(tag(arn, `${i}`));
    const { NextToken } = await lookUp(cloudtrail, { ...by("EventName", "TagResource"), MaxResults: 1 });
    expect(NextToken).toBeDefined();
    expect(await errorOf(lookUp(cloudtrail, { ...by("EventName", "UntagResource"), NextToken }))).toMatchObject({
      name: "InvalidNextTokenException",
    });
  });

  it("answers twice a second, as AWS does, and not to a role without the permission", async () => {
    let now = new Date("2026-11-01T00:00:00Z");
    const sandbox = await start({ ...ONE_TARGET, now: () => now });
    const { cloudtrail } = clientsOf(sandbox);
    await lookUp(cloudtrail);
    await lookUp(cloudtrail);
    expect(await errorOf(lookUp(cloudtrail))).toMatchObject({ name: "ThrottlingException" });
    now = new Date("2026-11-01T00:00:01Z");
    await lookUp(cloudtrail);
    sandbox.setRoles([{ account_id: MANAGEMENT, lacks: ["cloudtrail:*"] }]);
    const denied = (await sessionOf(sandbox, "TagwardenAudit", "audit")).cloudtrail;
    expect(await errorOf(lookUp(denied))).toMatchObject({
      name: "AccessDeniedException",
      message: expect.stringContaining("cloudtrail:LookupEvents") as string,
    });
  });
});
