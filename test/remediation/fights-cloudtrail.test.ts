import {
  type PersonalizeClient,
  TagResourceCommand,
  type Tag,
  UntagResourceCommand,
} from "@aws-sdk/client-personalize";
import { AssumeRoleCommand } from "@aws-sdk/client-sts";
import { and, eq } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { tmpdir } from "node:os";
import { listOpen } from "../../src/cli/fights.ts";
import { loadConfig } from "../../src/config.ts";
import { listFights } from "../../src/findings/db/fights.ts";
import { finding_events, findings } from "../../src/findings/schema.ts";
import { Finding } from "../../src/http/schemas.ts";
import { openAws, type Aws } from "../../src/inventory/aws/session.ts";
import type { FightDetail } from "../../src/policy/verdict.ts";
import { lookUpOpponents } from "../../src/scan/look-up-opponents.ts";
import { nameOpponents } from "../../src/scan/name-opponents.ts";
import { event_deliveries, scan_targets } from "../../src/scan/schema.ts";
import { readScan } from "../../src/scan/store.ts";
import { workDeps } from "../../src/worker.ts";
import { clientsOf } from "../sandbox/sdk.ts";
import { describeOnBoth } from "../support/database.ts";
import { World } from "./world.ts";

const TAGS = { CostCenter: "CC-0001" };
const PIPELINE = "arn:aws:sts::111122223333:assumed-role/TagwardenRepair/pipeline";
/** The clock of the sandbox stands still between the steps of a test. */
const UNLIMITED = { LookupEvents: { burst: 1_000_000, per_second: 0 } };
const QUARTER = 0.25;

describeOnBoth("who reverts a repair, by CloudTrail on %s", (kind) => {
  let world: World;
  const closing: (() => void)[] = [];
  beforeAll(async () => {
    // Records are dated by the same clock as repairs.
    world = await World.open(kind, { rate_limits: UNLIMITED, now: () => world.time });
  });
  afterAll(() => world.close());
  let tests = 0;
  beforeEach(async () => {
    await world.reset();
    // CloudTrail forgets nothing of the tests before: each is in a time of its own.
    world.later(++tests * 200 * 24);
  });
  afterEach(() => closing.splice(0).forEach((close) => close()));

  /** A client of whoever opened a session by a role of the account. */
  async function caller(session: string): Promise<PersonalizeClient> {
    const { Credentials } = await clientsOf(world.sandbox).sts.send(
      new AssumeRoleCommand({
        RoleArn: `arn:aws:iam::${world.account_id}:role/TagwardenRepair`,
        RoleSessionName: session,
        DurationSeconds: 43_200,
      }),
    );
    const { AccessKeyId = "", SecretAccessKey = "", SessionToken = "" } = Credentials ?? {};
    const credentials = { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken };
    return clientsOf(world.sandbox, { credentials }).personalize;
  }

  const untag = async (arn: string, session: string, key = "Environment") =>
    (await caller(session)).send(new UntagResourceCommand({ resourceArn: arn, tagKeys: [key] }));
  const tag = async (arn: string, session: string, tags: Tag[]) =>
    (await caller(session)).send(new TagResourceCommand({ resourceArn: arn, tags }));

  /** Two repairs, each reverted before the next scan: a fight. `revert`: ten hours after a repair. */
  async function fought(
    revert: (arn: string) => Promise<unknown>,
    repaired: (arn: string) => Promise<unknown> = () => Promise.resolve(),
  ): Promise<string> {
    const arn = world.create(TAGS);
    for (let i = 0; i < 2; i++) {
      await world.scan();
      await world.apply(await world.planned());
      await repaired(arn);
      world.later(10);
      await revert(arn);
      await world.scan();
    }
    return arn;
  }

  /** Nobody called: as the service itself might do it. */
  const silently = (arn: string) => Promise.resolve(world.sandbox.setTags(arn, TAGS));

  const lookUp = (aws: Pick<Aws, "target" | "principal"> = world.aws, most_pages = 100) =>
    lookUpOpponents(
      { database: world.database, aws, now: world.now, most_pages },
      [{ account_id: world.account_id, region: "us-east-1" }],
      new AbortController().signal,
    );
  const fightOf = async (arn: string): Promise<FightDetail | undefined> =>
    (await listFights(world.database, arn))[0]?.fight;
  const messageOf = async (arn: string) => (await listFights(world.database, arn))[0]?.message;
  const asked = () => world.sandbox.calls.by_operation["LookupEvents"] ?? 0;

  async function listed(): Promise<string> {
    let text = "";
    await listOpen({ database: world.database, out: (part) => void (text += part) }, {});
    return text;
  }

  /** What the finding says of the lookup, as the API has it: throws where that has another form. */
  async function shown(arn: string): Promise<unknown> {
    const [row] = await world.database
      .select({ detail: findings.detail })
      .from(findings)
      .where(and(eq(findings.arn, arn), eq(findings.kind, "fight")));
    return Finding.shape.detail.parse(row?.detail).fight?.lookup;
  }

  async function changes(): Promise<number> {
    const rows = await world.database
      .select()
      .from(finding_events)
      .where(and(eq(finding_events.kind, "fight"), eq(finding_events.event, "changed")));
    return rows.length;
  }

  test("is whoever wrote its tags last between our repair and its revert", async () => {
    const arn = await fought(async (one) => {
      await tag(one, "earlier", [{ tagKey: "Team", tagValue: "a" }]);
      world.later(0.1);
      await untag(one, "pipeline");
    });
    world.later(0.1);
    await tag(arn, "later", [{ tagKey: "Team", tagValue: "b" }]);
    const other = world.create(TAGS);
    await untag(other, "elsewhere");
    world.later(1);
    expect(await lookUp()).toBe(1);
    expect(await fightOf(arn)).toMatchObject({ by: { principal: PIPELINE } });
    expect(await fightOf(arn)).not.toHaveProperty("lookup");
    expect(await messageOf(arn)).toMatch(/within 7 days, last by .*TagwardenRepair\/pipeline$/);
    expect(await listed()).toContain(PIPELINE);
  });

  test("is found among calls that tag and that untag, whichever was later", async () => {
    const tagged = await fought(async (arn) => {
      await untag(arn, "first");
      world.later(0.1);
      await tag(arn, "second", [{ tagKey: "Team", tagValue: "a" }]);
    });
    await lookUp();
    expect(await fightOf(tagged)).toMatchObject({ by: { principal: expect.stringMatching(/second$/) as string } });
  });

  test("is named with those of other fights by one look at their common time", async () => {
    const second = world.create(TAGS);
    const first = await fought(async (arn) => {
      await untag(arn, "pipeline");
      await untag(second, "other");
    });
    expect(await lookUp()).toBe(2);
    expect(asked()).toBe(2);
    expect(await fightOf(first)).toMatchObject({ by: { principal: PIPELINE } });
    expect(await fightOf(second)).toMatchObject({ by: { principal: expect.stringMatching(/other$/) as string } });
  });

  test("is named in fights at other times, each by a look of its own", async () => {
    const first = await fought((arn) => untag(arn, "pipeline"));
    await fought((arn) => untag(arn, "other"));
    expect(await lookUp()).toBe(2);
    expect(asked()).toBe(4);
    expect(await fightOf(first)).toMatchObject({ by: { principal: PIPELINE } });
  });

  test("is never Tagwarden: a repair of another key is not taken for the revert", async () => {
    const arn = await fought(silently, async (one) => {
      world.later(2);
      world.sandbox.setTags(one, { ...world.tags(one), "temp:x": "1" });
      await world.scan();
      await world.apply(await world.planned());
    });
    expect(world.writes).toBe(4);
    expect(await lookUp()).toBe(0);
    expect(await fightOf(arn)).toMatchObject({ lookup: { outcome: "nobody" } });
  });

  test("is never Tagwarden's own session, where it writes by a role", async () => {
    const aws = openAws({
      endpoint: world.sandbox.url,
      region: "us-east-1",
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
      role: { repair_name: "TagwardenRepair", session_name: "tagwarden" },
      limits: { index: FAST, list: FAST, read: { start: 100, most: 100 }, write: { start: 100, most: 100 } },
      patience_ms: 1500,
    });
    closing.push(() => aws.close());
    const arn = await fought((one) => untag(one, "tagwarden"));
    expect(await lookUp(aws)).toBe(0);
    expect(await fightOf(arn)).toMatchObject({ lookup: { outcome: "nobody" } });
  });

  test("is named also when it reverted within a second of our repair", async () => {
    const arn = await fought(silently, async (one) => {
      world.later(1 / 3600);
      await untag(one, "pipeline");
    });
    expect(await lookUp()).toBe(1);
    expect(await fightOf(arn)).toMatchObject({ by: { principal: PIPELINE } });
  });

  test("is not named by a call that failed", async () => {
    const arn = await fought(async (one) => {
      await tag(one, "clumsy", [{ tagKey: "aws:x", tagValue: "1" }]).catch(() => {});
      await silently(one);
    });
    expect(await lookUp()).toBe(0);
    expect(await fightOf(arn)).toMatchObject({ lookup: { outcome: "nobody" } });
  });

  test("is not asked for where it is not switched on, nor for a fight whose opponent is known", async () => {
    const arn = await fought((one) => untag(one, "pipeline"));
    await nameOpponents(world.database, world.time);
    expect(asked()).toBe(0);
    expect(await messageOf(arn)).toMatch(/within 7 days$/);
    expect(await listed()).toContain("not known");
    await lookUp();
    const before = asked();
    world.later(1);
    await lookUp();
    expect([before, asked()]).toEqual([2, 2]);
  });

  test.each([true, false])("is asked for by a service after a scan where it is switched on: %j", async (cloudtrail) => {
    const arn = await fought((one) => untag(one, "pipeline"));
    const { database, opened, aws, now, account_id } = world;
    const scan_id = await world.scan();
    const target = { scan_id, account_id, region: "us-east-1", partition: "aws" };
    await database
      .insert(scan_targets)
      .values({ ...target, rank: 0, expected: 1, state: "ended", api_calls: {}, warnings: [] });
    const defaults = await loadConfig({}, tmpdir());
    const config = { ...defaults, remediation: { ...defaults.remediation, cloudtrail } };
    const scan = await readScan(database, scan_id);
    await workDeps({ config, opened, aws, now, at_once: 1 }).afterScan(scan!, world.set, new AbortController().signal);
    expect((await fightOf(arn))?.by?.principal).toBe(cloudtrail ? PIPELINE : undefined);
    expect(asked()).toBe(cloudtrail ? 2 : 0);
  });

  test("is not asked for in targets that the scan did not cover", async () => {
    const arn = await fought((one) => untag(one, "pipeline"));
    const elsewhere = [{ account_id: world.account_id, region: "eu-west-1" }];
    const { signal } = new AbortController();
    expect(await lookUpOpponents({ database: world.database, aws: world.aws, now: world.now }, elsewhere, signal)).toBe(
      0,
    );
    expect([asked(), await fightOf(arn)]).toEqual([
      0,
      expect.not.objectContaining({ lookup: expect.anything() as unknown }),
    ]);
  });

  test("may be refused: the fight says so, once, and names who it was as soon as it is allowed", async () => {
    const arn = await fought((one) => untag(one, "pipeline"));
    world.sandbox.setFaults([{ kind: "access_denied", operation: "LookupEvents" }]);
    for (let i = 0; i < 3; i++) {
      expect(await lookUp()).toBe(0);
      world.later(QUARTER / 4);
    }
    expect(await fightOf(arn)).toMatchObject({
      lookup: { outcome: "failed", error: { name: "AccessDeniedException", operation: "LookupEvents" } },
    });
    expect(await changes()).toBe(1);
    expect(await shown(arn)).toMatchObject({ outcome: "failed", error: { message: expect.any(String) as string } });
    expect(await messageOf(arn)).toMatch(/CloudTrail could not tell by whom \(LookupEvents: AccessDeniedException\)$/);
    expect(await listed()).toContain("AccessDeniedException");
    world.sandbox.setFaults([]);
    world.later(30 * 24);
    expect(await lookUp()).toBe(1);
    expect(await fightOf(arn)).toMatchObject({ by: { principal: PIPELINE } });
    expect(await fightOf(arn)).not.toHaveProperty("lookup");
  });

  test("may be out of reach, because no role leads into the account", async () => {
    const arn = await fought((one) => untag(one, "pipeline"));
    const closed = {
      target: () => Promise.reject(Object.assign(new Error("not authorized"), { name: "AccessDenied" })),
      principal: () => Promise.resolve(null),
    };
    await lookUp(closed);
    expect(await messageOf(arn)).toMatch(/\(AssumeRole: AccessDenied\)$/);
  });

  test("is named although CloudTrail throttles for a while, and not said to be nobody when it throttles on", async () => {
    const arn = await fought((one) => untag(one, "pipeline"));
    world.sandbox.setFaults([{ kind: "throttle", operation: "LookupEvents" }]);
    await lookUp();
    expect(await messageOf(arn)).toMatch(/\(LookupEvents: ThrottlingException\)$/);
    world.reconnect();
    world.sandbox.setFaults([{ kind: "throttle", operation: "LookupEvents", times: 1 }]);
    expect(await lookUp()).toBe(1);
  });

  test("may be told late: nobody is named for now, and asked again after a quarter of an hour, not before", async () => {
    const arn = await fought(silently);
    await lookUp();
    expect(await fightOf(arn)).toMatchObject({ lookup: { outcome: "nobody", at: world.time.toISOString() } });
    expect(await messageOf(arn)).toMatch(/, CloudTrail names nobody$/);
    expect(await shown(arn)).toMatchObject({ outcome: "nobody" });
    expect(await listed()).toContain("CloudTrail names nobody");
    world.later(0.2);
    const before = asked();
    await lookUp();
    expect(asked()).toBe(before);
    world.later(0.05);
    await lookUp();
    expect(asked()).toBe(before + 2);
  });

  test("is named when its record is delivered", async () => {
    const before = world;
    const late = await World.open(kind, { rate_limits: UNLIMITED, trail_lag_ms: 90 * 60_000, now: () => late.time });
    closing.push(() => void (world = before));
    world = late;
    await world.reset();
    // An hour before the scan that sees it.
    const arn = await fought((one) => untag(one, "pipeline"));
    expect(await lookUp()).toBe(0);
    expect(await fightOf(arn)).toMatchObject({ lookup: { outcome: "nobody" } });
    world.later(1);
    expect(await lookUp()).toBe(1);
    expect(await fightOf(arn)).toMatchObject({ by: { principal: PIPELINE } });
    await late.close();
  });

  test("is not asked for once CloudTrail has forgotten", async () => {
    const arn = await fought((one) => untag(one, "pipeline"));
    world.later(91 * 24);
    await lookUp();
    expect([asked(), (await fightOf(arn))?.by]).toEqual([0, undefined]);
  });

  /** Calls of somebody else, about something else: more than a page. */
  async function noise(): Promise<void> {
    const client = await caller("noise");
    const resourceArn = world.create({ Team: "x" });
    for (let i = 0; i < 60; i++) await client.send(new UntagResourceCommand({ resourceArn, tagKeys: ["Team"] }));
  }

  test("is found behind many calls of others, on a later page", async () => {
    const arn = await fought(async (one) => {
      await untag(one, "pipeline");
      await noise();
    });
    expect(await lookUp()).toBe(1);
    expect(asked()).toBe(3);
    expect(await fightOf(arn)).toMatchObject({ by: { principal: PIPELINE } });
  });

  test("is looked for no further back than needed", async () => {
    await fought(async (one) => {
      await noise();
      world.later(0.1);
      await untag(one, "pipeline");
    });
    expect(await lookUp()).toBe(1);
    expect(asked()).toBe(2);
  });

  test("is not guessed where there are more calls than are read: the fight says so", async () => {
    const arn = await fought(async (one) => {
      await untag(one, "pipeline");
      await noise();
    });
    expect(await lookUp(world.aws, 2)).toBe(0);
    expect(await messageOf(arn)).toMatch(/\(LookupEvents: TooManyEventsError\)$/);
    world.later(QUARTER);
    expect(await lookUp(world.aws, 3)).toBe(1);
  });

  test("may be told by an event after CloudTrail named nobody", async () => {
    const arn = await fought(silently);
    await lookUp();
    const { repaired_at = "" } = (await fightOf(arn)) ?? {};
    const event_time = new Date(Date.parse(repaired_at) + 3_600_000);
    await world.database.insert(event_deliveries).values({
      id: "late",
      account_id: world.account_id,
      region: "us-east-1",
      event_name: "UntagResource",
      arn,
      principal: PIPELINE,
      event_time,
      received_at: event_time,
      state: "done",
      reason: null,
    });
    expect(await nameOpponents(world.database, world.time)).toBe(1);
    expect(await fightOf(arn)).toMatchObject({ by: { principal: PIPELINE } });
    expect(await fightOf(arn)).not.toHaveProperty("lookup");
  });
});

const FAST = { burst: 100, per_second: 100 };
