import { eq } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { UsageError } from "../../../src/config.ts";
import { scans } from "../../../src/inventory/schema.ts";
import { schedule_slots, schedules } from "../../../src/scan/schema.ts";
import { databaseClock } from "../../../src/scan/schedules/clock.ts";
import { startScheduler } from "../../../src/scan/schedules/scheduler.ts";
import { changeSchedule, createSchedule, removeSchedule } from "../../../src/scan/schedules/store.ts";
import { tick } from "../../../src/scan/schedules/tick.ts";
import { createScan } from "../../../src/scan/store.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../../support/database.ts";
import { HOUR, MINUTE, requestOf, Simulation, TERMS } from "./simulation.ts";

describeOnBoth("slots of a schedule on %s", (kind) => {
  let opened: Awaited<ReturnType<typeof openTestDatabase>>;
  let world: Simulation;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
  });
  beforeEach(async () => {
    await emptyTables(opened.database);
    world = new Simulation(opened.database, "2026-06-01T00:00:00Z");
    await world.open(opened, 2);
  });
  afterEach(async () => {
    vi.useRealTimers();
    await world.close();
  });
  afterAll(() => opened.close());

  const outcomes = async (id: string) =>
    (await world.slots(id)).map(({ slot, outcome }) => `${slot.slice(11)} ${outcome}`);
  const running = async () => {
    const [scan] = await opened.database.select().from(scans).where(eq(scans.state, "queued"));
    return scan?.id ?? "none";
  };

  test("a slot has the scan that it began, for the slot's instant", async () => {
    await world.schedule("hourly", { cron: "0 * * * *" });
    await world.run("2026-06-01T01:00:00Z");
    const [scan] = await opened.database.select().from(scans);
    const [slot] = await opened.database.select().from(schedule_slots);
    expect(scan).toMatchObject({ schedule_id: "hourly", slot: new Date("2026-06-01T01:00:00Z"), trigger: "schedule" });
    expect(slot).toMatchObject({ scan_id: scan?.id, outcome: "started", decided_at: world.instant });
  });

  test("a new schedule does not catch up on what was before it", async () => {
    world.instant = new Date("2026-06-01T12:34:00Z");
    await world.schedule("hourly", { cron: "0 * * * *" });
    await world.look();
    expect(await world.slots("hourly")).toEqual([]);
  });

  test("overlap skip: a slot that comes while the scan before it runs is left out, and recorded", async () => {
    world.scans_take = "forever";
    await world.schedule("hourly", { cron: "0 * * * *" });
    await world.run("2026-06-01T02:00:00Z");
    await world.end(await running());
    await world.run("2026-06-01T03:00:00Z");
    expect(await outcomes("hourly")).toEqual(["01:00 started", "02:00 skipped_overlap", "03:00 started"]);
  });

  test("overlap queue: one slot waits and begins when the scan before it has ended; another one is left out", async () => {
    world.scans_take = "forever";
    await world.schedule("hourly", { cron: "0 * * * *", overlap: "queue" });
    await world.run("2026-06-01T03:10:00Z", 10 * MINUTE);
    expect(await outcomes("hourly")).toEqual(["01:00 started", "02:00 waiting", "03:00 skipped_overlap"]);
    await world.end(await running());
    await world.run("2026-06-01T03:20:00Z", 10 * MINUTE);
    expect(await outcomes("hourly")).toEqual(["01:00 started", "02:00 started", "03:00 skipped_overlap"]);
    expect(await world.scanned("hourly")).toEqual(["2026-06-01T01:00", "2026-06-01T02:00"]);
    await world.run("2026-06-01T04:00:00Z", 10 * MINUTE);
    expect(await outcomes("hourly")).toContain("04:00 waiting");
  });

  test("a scan of the same scope that a person asked for counts as one that runs", async () => {
    await world.schedule("hourly", { cron: "0 * * * *" });
    const { schedule: _, ...asked } = requestOf("hourly", world.instant);
    await createScan(opened.database, { ...asked, trigger: "api" }, world.instant);
    await world.run("2026-06-01T01:00:00Z");
    expect(await outcomes("hourly")).toEqual(["01:00 skipped_overlap"]);
  });

  test("jitter lets a slot begin later, within its bound, and every replica at the same instant", async () => {
    await world.schedule("hourly", { cron: "0 * * * *", jitter_seconds: 1800 });
    const begun: number[] = [];
    for (let hour = 1; hour <= 6; hour++) {
      const slot = Date.parse("2026-06-01T00:00:00Z") + hour * HOUR;
      for (let minute = 0; minute <= 31; minute++) {
        world.instant = new Date(slot + minute * MINUTE);
        await world.look();
        if (begun.length < hour && (await world.slots("hourly")).length === hour) begun.push(minute);
      }
    }
    expect(begun).toHaveLength(6);
    expect(Math.max(...begun)).toBeLessThanOrEqual(30);
    expect(new Set(begun).size).toBeGreaterThan(1);
    expect((await world.slots("hourly")).map(({ caught_up }) => caught_up)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  test("what cannot be scanned is recorded with its reason, and the next slot tries again", async () => {
    await world.schedule("hourly", { cron: "0 * * * *" });
    world.instant = new Date("2026-06-01T01:00:00Z");
    await world.look(() => Promise.reject(new UsageError("Account 444455556666 needs a role.")));
    await world.look();
    await world.run("2026-06-01T02:00:00Z");
    expect(await outcomes("hourly")).toEqual(["01:00 failed", "02:00 started"]);
    const [failed] = await opened.database.select().from(schedule_slots).where(eq(schedule_slots.outcome, "failed"));
    expect(failed).toMatchObject({ error: "Account 444455556666 needs a role.", scan_id: null });
  });

  test("an error that passes leaves the slot to the next look, and other schedules do not wait for it", async () => {
    await world.schedule("broken", { cron: "0 * * * *" });
    await world.schedule("hourly", { cron: "0 * * * *" });
    world.instant = new Date("2026-06-01T01:00:00Z");
    await world.look((transaction, slot) =>
      slot.schedule.id === "broken" ? Promise.reject(new Error("no connection")) : world.begin(transaction, slot),
    );
    expect(await outcomes("broken")).toEqual([]);
    expect(await outcomes("hourly")).toEqual(["01:00 started"]);
    await world.look();
    expect(await outcomes("broken")).toEqual(["01:00 started"]);
  });

  test("while a schedule is not enabled nothing begins, and later nothing of that time is caught up with", async () => {
    const made = await createSchedule(opened.database, "hourly", { ...TERMS, cron: "0 * * * *" }, "ana");
    expect(made.outcome).toBe("done");
    const off = await changeSchedule(opened.database, "hourly", { enabled: false }, { version: 1, actor: "bo" });
    expect(off).toMatchObject({ outcome: "done", schedule: { enabled: false, version: 2, updated_by: "bo" } });
    await opened.database.update(schedules).set({ counts_from: new Date("2026-06-01T00:00:00Z") });
    world.instant = new Date("2026-06-01T05:00:00Z");
    await world.look();
    const on = await changeSchedule(opened.database, "hourly", { enabled: true }, { version: 2, actor: "bo" });
    world.instant = (on.outcome === "done" && on.schedule.counts_from) || world.instant;
    await world.look();
    expect(await world.slots("hourly")).toEqual([]);
    await world.run(new Date(world.instant.getTime() + HOUR).toISOString(), 4 * MINUTE);
    expect(await world.slots("hourly")).toMatchObject([{ outcome: "started", caught_up: 0 }]);
  });

  test("a schedule that goes leaves its slots, and what waited is left out", async () => {
    world.scans_take = "forever";
    await world.schedule("hourly", { cron: "0 * * * *", overlap: "queue" });
    await world.run("2026-06-01T02:00:00Z");
    expect(await removeSchedule(opened.database, "hourly", "ana")).toMatchObject({ outcome: "done" });
    await world.end(await running());
    await world.run("2026-06-01T03:00:00Z");
    expect(await outcomes("hourly")).toEqual(["01:00 started", "02:00 skipped_overlap"]);
  });

  // The embedded database has no other clock than the machine's.
  test.runIf(kind === "postgres")(
    "the clock of a replica's machine neither begins a slot nor keeps it from looking",
    async () => {
      await createSchedule(opened.database, "yearly", { ...TERMS, cron: "0 0 1 1 *", time_zone: "UTC" }, "ana");
      const looks: Date[] = [];
      const clock: typeof databaseClock = async (database) => {
        const at = await databaseClock(database);
        looks.push(at);
        return at;
      };
      const stop = startScheduler({ database: opened.database, prepare: async () => world.begin, clock }, 20);
      await vi.waitUntil(() => looks.length > 1, { timeout: 60_000 });
      const real = Date.now();
      vi.useFakeTimers({ toFake: ["Date"], now: real + 400 * 24 * HOUR });
      const ahead = looks.length;
      await vi.waitUntil(() => looks.length > ahead + 2, { timeout: 60_000 });
      vi.setSystemTime(real - HOUR);
      const behind = looks.length;
      await vi.waitUntil(() => looks.length > behind + 2, { timeout: 60_000 });
      vi.useRealTimers();
      await stop();
      const after = looks.length;
      await tick({ database: opened.database, prepare: async () => world.begin, clock });
      expect(looks.length).toBe(after + 1);
      expect(await world.slots("yearly")).toEqual([]);
    },
  );
});
