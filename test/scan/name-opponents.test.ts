import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { listFights } from "../../src/findings/db/fights.ts";
import { finding_events } from "../../src/findings/schema.ts";
import { nameOpponents } from "../../src/scan/name-opponents.ts";
import { event_deliveries } from "../../src/scan/schema.ts";
import { World } from "../remediation/world.ts";
import { describeOnBoth } from "../support/database.ts";

const TAGS = { CostCenter: "CC-0001" };

describeOnBoth("who reverts a repair, on %s", (kind) => {
  let world: World;
  let events = 0;
  beforeAll(async () => {
    world = await World.open(kind);
  });
  afterAll(() => world.close());
  beforeEach(() => world.reset());

  /** Keeps an event about a resource, some hours from now. */
  async function told(arn: string, principal: string, hours: number, reason: string | null = null): Promise<void> {
    const event_time = new Date(world.time.getTime() + hours * 3_600_000);
    await world.database.insert(event_deliveries).values({
      id: `event-${++events}`,
      account_id: world.account_id,
      region: "us-east-1",
      event_name: "TagResource",
      arn,
      principal,
      event_time,
      received_at: event_time,
      state: reason === null ? "done" : "ignored",
      reason,
    });
  }

  /** A fight; `between`: what happens between the second repair and its revert, ten hours later. */
  async function fought(between: (arn: string) => Promise<void>): Promise<void> {
    const arn = world.create(TAGS);
    for (let i = 0; i < 2; i++) {
      await world.scan();
      await told(arn, "arn:aws:iam::111122223333:user/earlier", -0.5);
      await world.apply(await world.planned());
      if (i === 1) await between(arn);
      world.later(10);
      world.sandbox.setTags(arn, TAGS);
      await world.scan();
    }
  }

  test("is whoever wrote its tags last between our repair and its revert, as an event told", async () => {
    await fought(async (arn) => {
      await told(arn, "arn:aws:iam::111122223333:user/first", 2);
      await told(arn, "arn:aws:iam::111122223333:role/pipeline", 9);
      await told(arn, "arn:aws:iam::111122223333:role/tagwarden", 9.5, "own write");
      await told(arn, "arn:aws:iam::111122223333:user/later", 48);
    });
    expect(await nameOpponents(world.database, world.time)).toBe(1);
    expect(await listFights(world.database)).toMatchObject([
      {
        message: expect.stringMatching(/last by arn:aws:iam::111122223333:role\/pipeline$/) as string,
        fight: { by: { principal: "arn:aws:iam::111122223333:role/pipeline" } },
      },
    ]);
  });

  test("is named once, and a scan leaves that as it is", async () => {
    await fought((arn) => told(arn, "arn:aws:iam::111122223333:role/pipeline", 9));
    await nameOpponents(world.database, world.time);
    const before = await world.database.select().from(finding_events);
    expect(await nameOpponents(world.database, world.time)).toBe(0);
    await world.scan();
    expect(await world.database.select().from(finding_events)).toEqual(before);
  });

  test("stays unsaid where no event told of it, and where the write may have been ours", async () => {
    await fought((arn) => told(arn, "arn:aws:iam::111122223333:role/pipeline", 0.001));
    expect(await nameOpponents(world.database, world.time)).toBe(0);
    expect((await listFights(world.database)).map(({ fight }) => fight.by)).toEqual([undefined]);
  });
});
