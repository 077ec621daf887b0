import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { slotsIn } from "../../../src/cron/slots.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../../support/database.ts";
import { HOUR, MINUTE, minuteOf, Simulation } from "./simulation.ts";

const REPLICAS = 10;
/** Runs a replica that dies in the middle; returns the signal that ended it. */
async function beginAndDie(url: string, instant: Date): Promise<string | null> {
  const child = spawn(process.execPath, ["test/scan/schedules/begin-and-die.ts"], {
    env: { ...process.env, URL: url, INSTANT: instant.toISOString() },
    stdio: "ignore",
  });
  const [, signal] = (await once(child, "exit")) as [number | null, string | null];
  return signal;
}

/** Each with its own rule where clocks change: a time of the day, some hours, every hour, every half hour. */
const CRONS = { daily: "30 2 * * *", hours: "15 1-3 * * *", hourly: "0 * * * *", half: "*/30 * * * *" };

describeOnBoth("replicas with the same schedules on %s", (kind) => {
  let opened: Awaited<ReturnType<typeof openTestDatabase>>;
  let world: Simulation;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
  });
  beforeEach(() => emptyTables(opened.database));
  afterEach(() => world.close());
  afterAll(() => opened.close());

  async function begin(start: string, replicas = REPLICAS): Promise<Simulation> {
    world = new Simulation(opened.database, start);
    await world.open(opened, replicas);
    return world;
  }

  test.each([
    ["spring, Berlin", "Europe/Berlin", "2026-03-28T20:00:00Z", "2026-03-29T08:00:00Z"],
    ["autumn, Berlin", "Europe/Berlin", "2026-10-24T20:00:00Z", "2026-10-25T08:00:00Z"],
    ["autumn, by half an hour, Lord Howe", "Australia/Lord_Howe", "2026-04-04T10:00:00Z", "2026-04-04T22:00:00Z"],
  ])(
    "through a change of clocks (%s) each slot is scanned once",
    { timeout: 300_000 },
    async (_, time_zone, from, to) => {
      const simulation = await begin(from);
      for (const [id, cron] of Object.entries(CRONS)) await simulation.schedule(id, { cron, time_zone });
      await simulation.run(to, 15 * MINUTE);
      for (const [id, cron] of Object.entries(CRONS)) {
        const expected = slotsIn({ cron, time_zone }, new Date(from), new Date(to)).map(minuteOf);
        expect(expected.length).toBeGreaterThan(0);
        expect(await simulation.scanned(id)).toEqual(expected);
        expect(await simulation.slots(id)).toEqual(
          expected.map((slot) => ({ slot, outcome: "started", caught_up: 0 })),
        );
      }
    },
  );

  test(
    "the database's clock jumps an hour ahead and back again: no slot comes twice, and each is accounted for",
    { timeout: 300_000 },
    async () => {
      const simulation = await begin("2026-06-01T08:00:00Z");
      await simulation.schedule("often", { cron: "*/20 * * * *" });
      await simulation.schedule("hourly", { cron: "0 * * * *" });
      await simulation.run("2026-06-01T10:10:00Z", 10 * MINUTE);
      simulation.instant = new Date("2026-06-01T11:10:00Z");
      await simulation.look();
      await simulation.run("2026-06-01T11:30:00Z", 10 * MINUTE);
      simulation.instant = new Date("2026-06-01T10:30:00Z");
      await simulation.look();
      await simulation.run("2026-06-01T12:30:00Z", 10 * MINUTE);

      for (const [id, cron] of [
        ["often", "*/20 * * * *"],
        ["hourly", "0 * * * *"],
      ] as const) {
        const all = slotsIn({ cron, time_zone: "UTC" }, new Date("2026-06-01T08:00:00Z"), simulation.instant).map(
          minuteOf,
        );
        const decided = await simulation.slots(id);
        const own = decided.map(({ slot }) => slot);
        expect(await simulation.scanned(id)).toEqual(own);
        // Those that the jump passed over are settled by the latest of them, which was late itself.
        const jumped = all.filter((slot) => slot > "2026-06-01T10:10" && slot <= "2026-06-01T11:10");
        expect(decided.find(({ slot }) => slot === jumped.at(-1))).toMatchObject({ caught_up: jumped.length });
        expect(own).toEqual(all.filter((slot) => !jumped.slice(0, -1).includes(slot)));
      }
    },
  );

  test(
    "a clock that was a year ahead for a moment does not silence a schedule for a year",
    { timeout: 300_000 },
    async () => {
      const simulation = await begin("2026-06-01T08:00:00Z", 2);
      await simulation.schedule("daily", { cron: "30 2 * * *", time_zone: "UTC" });
      simulation.instant = new Date("2027-06-01T08:00:00Z");
      await simulation.look();
      simulation.instant = new Date("2026-06-01T08:30:00Z");
      await simulation.run("2026-06-03T03:00:00Z");
      expect(await simulation.scanned("daily")).toEqual(["2026-06-02T02:30", "2026-06-03T02:30", "2027-06-01T02:30"]);
    },
  );

  test("replicas that start late take nothing a second time", { timeout: 300_000 }, async () => {
    const simulation = await begin("2026-06-01T00:00:00Z", 1);
    await simulation.schedule("hourly", { cron: "0 * * * *" });
    await simulation.run("2026-06-01T03:00:00Z");
    if (kind === "postgres") await simulation.open(opened, REPLICAS - 1);
    await simulation.look();
    await simulation.run("2026-06-01T05:00:00Z");
    const hours = [1, 2, 3, 4, 5].map((hour) => `2026-06-01T0${hour}:00`);
    expect(await simulation.scanned("hourly")).toEqual(hours);
  });

  test(
    "while nothing runs slots pass; the latest is scanned once, and says for how many it stands",
    { timeout: 300_000 },
    async () => {
      const simulation = await begin("2026-06-01T00:00:00Z");
      await simulation.schedule("hourly", { cron: "0 * * * *" });
      await simulation.schedule("forgiving", { cron: "0 * * * *", catch_up: "none" });
      simulation.instant = new Date("2026-06-01T03:20:00Z");
      await simulation.look();
      await simulation.look();
      await simulation.run("2026-06-01T04:00:00Z", 20 * MINUTE);
      expect(await simulation.slots("hourly")).toEqual([
        { slot: "2026-06-01T03:00", outcome: "started", caught_up: 3 },
        { slot: "2026-06-01T04:00", outcome: "started", caught_up: 0 },
      ]);
      expect(await simulation.slots("forgiving")).toEqual([
        { slot: "2026-06-01T03:00", outcome: "skipped_missed", caught_up: 3 },
        { slot: "2026-06-01T04:00", outcome: "started", caught_up: 0 },
      ]);
      expect(await simulation.scanned("forgiving")).toEqual(["2026-06-01T04:00"]);
    },
  );

  test.runIf(kind === "postgres")(
    "a replica that dies while it begins a slot leaves it to the others",
    { timeout: 300_000 },
    async () => {
      const simulation = await begin("2026-06-01T00:00:00Z");
      await simulation.schedule("hourly", { cron: "0 * * * *" });
      for (let hour = 1; hour <= 3; hour++) {
        simulation.instant = new Date(Date.parse("2026-06-01T00:00:00Z") + hour * HOUR);
        expect(await beginAndDie(opened.url ?? "", simulation.instant)).toBe("SIGKILL");
        // The server may take a moment to notice; until then the dead one's lock stands.
        await expect
          .poll(
            async () => {
              await simulation.look();
              return simulation.scanned("hourly");
            },
            { timeout: 60_000 },
          )
          .toHaveLength(hour);
      }
      expect(await simulation.slots("hourly")).toEqual(
        [1, 2, 3].map((hour) => ({ slot: `2026-06-01T0${hour}:00`, outcome: "started", caught_up: 0 })),
      );
      expect(await simulation.scanned("hourly")).toEqual(["2026-06-01T01:00", "2026-06-01T02:00", "2026-06-01T03:00"]);
    },
  );
});
