import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { parseConfigFile, UsageError } from "../../../src/config.ts";
import type { OpenDatabase } from "../../../src/db/client.ts";
import { schedule_slots } from "../../../src/scan/schema.ts";
import { followConfig } from "../../../src/scan/schedules/follow-config.ts";
import { changeSchedule, createSchedule, removeSchedule, schedule } from "../../../src/scan/schedules/store.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../../support/database.ts";
import { TERMS } from "./simulation.ts";

const NIGHTLY = 'schedules:\n  - {id: nightly, cron: "30 2 * * *", time_zone: Europe/Berlin}\n';

describeOnBoth("schedules of the configuration on %s", (kind) => {
  let opened: OpenDatabase;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
  });
  beforeEach(() => emptyTables(opened.database));
  afterAll(() => opened.close());

  const follow = (text: string, checkScope: () => void = () => {}) =>
    followConfig(opened.database, parseConfigFile("t.yaml", text).schedules, checkScope);
  const row = () => schedule(opened.database, "nightly");

  test("they are in the database once a service has started with them, with every default", async () => {
    expect(await follow(NIGHTLY)).toEqual([{ id: "nightly", change: "created" }]);
    expect(await row()).toMatchObject({
      ...TERMS,
      origin: "config",
      created_by: "tagwarden.yaml",
      version: 1,
      last_slot: null,
    });
    expect((await row())?.next_slot?.getTime()).toBeGreaterThan(Date.now());
  });

  test("started again with the same file, nothing changes, however many start together", async () => {
    await follow(NIGHTLY);
    const before = await row();
    expect((await Promise.all([follow(NIGHTLY), follow(NIGHTLY), follow(NIGHTLY)])).flat()).toEqual([]);
    expect(await row()).toEqual(before);
  });

  test("another time counts from now on; another policy does not begin anew", async () => {
    await follow(NIGHTLY);
    const before = await row();
    await follow(NIGHTLY.replace("}", ", overlap: queue}"));
    expect(await row()).toMatchObject({ overlap: "queue", version: 2, counts_from: before?.counts_from });
    expect(await follow(NIGHTLY.replace("30 2", "0 4"))).toEqual([{ id: "nightly", change: "changed" }]);
    expect((await row())?.counts_from.getTime()).toBeGreaterThan(before?.counts_from.getTime() ?? Infinity);
  });

  test("one that the file does not name any more is removed, and its slots stay", async () => {
    await follow(NIGHTLY);
    const slot = { schedule_id: "nightly", slot: new Date(), outcome: "started", caught_up: 0 } as const;
    await opened.database.insert(schedule_slots).values({ ...slot, decided_at: new Date() });
    expect(await follow("schedules: []\n")).toEqual([{ id: "nightly", change: "removed" }]);
    expect(await row()).toBeNull();
    expect(await opened.database.select().from(schedule_slots)).toHaveLength(1);
  });

  test("the file has the word about an id that was taken through the API; other schedules of the API stay", async () => {
    await createSchedule(opened.database, "nightly", TERMS, "ana");
    await createSchedule(opened.database, "weekly", { ...TERMS, cron: "0 5 * * 1" }, "ana");
    expect(await follow(NIGHTLY)).toEqual([{ id: "nightly", change: "taken_over" }]);
    expect(await row()).toMatchObject({ origin: "config", created_by: "ana", updated_by: "tagwarden.yaml" });
    expect(await schedule(opened.database, "weekly")).toMatchObject({ origin: "api", version: 1 });
  });

  test("nothing but the file changes one of its schedules", async () => {
    await follow(NIGHTLY);
    const about = { version: 1, actor: "ana" };
    expect(await changeSchedule(opened.database, "nightly", { enabled: false }, about)).toEqual({
      outcome: "of_config",
    });
    expect(await removeSchedule(opened.database, "nightly", "ana")).toEqual({ outcome: "of_config" });
    expect(await row()).toMatchObject({ enabled: true, version: 1 });
  });

  test("what cannot be scanned is refused with the schedule's name, and nothing is changed", async () => {
    const typo = follow(NIGHTLY.replace("}", ", types: [campain]}"));
    await expect(typo).rejects.toThrow(/^Schedule nightly: "campain" is not a resource type. Did you mean campaign\?/);
    const no_role = follow(NIGHTLY, () => {
      throw new UsageError("Account 444455556666 is not the caller's own.");
    });
    await expect(no_role).rejects.toThrow(/^Schedule nightly: Account 444455556666/);
    expect(await row()).toBeNull();
  });
});
