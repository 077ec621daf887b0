import { sql } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Database, OpenDatabase } from "../../src/db/client.ts";
import { dropMonthsBefore, ensureMonths } from "../../src/db/partitions.ts";
import { rowsOf } from "../../src/db/rows.ts";
import { activateSet } from "../../src/findings/activate.ts";
import { rollup_daily_account, rollup_daily_account_rule } from "../../src/findings/schema.ts";
import { scan_units, scans } from "../../src/inventory/schema.ts";
import { finding, findingHistory } from "../../src/reports/store.ts";
import { runRetention, startRetention } from "../../src/scan/retention.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";
import {
  events,
  findingsByName,
  fold,
  newScan,
  read,
  resourceOf,
  scan,
  SET,
  snapshot,
  START,
  UNIT,
} from "../findings/world.ts";

const SETTINGS = { events_months: 13, scans_days: 400, rollups_years: 5 };
const DAY = 24 * 3_600_000;
const web = resourceOf("web");
const day = (days: number) => new Date(START.getTime() + days * DAY);

async function partitions(database: Database): Promise<string[]> {
  const rows = await rowsOf<{ name: string }>(
    database,
    sql`select inhrelid::regclass::text as name from pg_inherits where inhparent = 'finding_events'::regclass order by 1`,
  );
  return rows.map(({ name }) => name.replace("finding_events_", ""));
}

/** In which partitions the history lies, by count. */
async function where(database: Database): Promise<Record<string, number>> {
  const rows = await rowsOf<{ name: string; count: number }>(
    database,
    sql`select tableoid::regclass::text as name, count(*)::int as count from finding_events group by 1 order by 1`,
  );
  return Object.fromEntries(rows.map(({ name, count }) => [name.replace("finding_events_", ""), count]));
}

describeOnBoth("on %s", (kind) => {
  let opened: OpenDatabase;
  let database: Database;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
    database = opened.database;
  });
  afterAll(() => opened.close());
  beforeEach(() => emptyTables(database));
  afterEach(async () => {
    await emptyTables(database);
    for (const name of await partitions(database))
      if (name !== "default") await database.execute(sql.raw(`drop table finding_events_${name}`));
  });

  test("the month that is and three more are there, and nothing is done twice", async () => {
    expect(await partitions(database)).toEqual(["default"]);
    const made = await ensureMonths(database, new Date("2026-11-30T23:59:59.999Z"));
    expect(made).toHaveLength(4);
    expect(await partitions(database)).toEqual(["2026_11", "2026_12", "2027_01", "2027_02", "default"]);
    expect(await ensureMonths(database, new Date("2026-11-30T23:59:59.999Z"))).toEqual([]);
    expect(await ensureMonths(database, new Date("2026-12-01T00:00:00Z"))).toEqual(["finding_events_2027_03"]);
  });

  test("what happens lands in the partition of its month, UTC, and none in the default one", async () => {
    await ensureMonths(database, START);
    await scan(database, [read(web, {})], { at: new Date("2026-03-31T23:59:59.999Z") });
    await scan(database, [read(web, { Owner: "a", Env: "dev" })], { at: new Date("2026-04-01T00:00:00Z") });
    expect(await where(database)).toEqual({ "2026_03": 2, "2026_04": 2 });
  });

  test("what landed in the default partition, because a month was missing, moves to its month with its identity", async () => {
    await scan(database, [read(web, {})]);
    await scan(database, [read(web, { Env: "dev" })], { at: day(40) });
    const before = await events(database);
    expect(await where(database)).toEqual({ default: 3 });
    await ensureMonths(database, START);
    expect(await where(database)).toEqual({ "2026_03": 2, "2026_04": 1 });
    expect(await events(database)).toEqual(before);
    await scan(database, [read(web, {})], { at: day(41) });
    expect(new Set((await events(database)).map(({ id }) => id)).size).toBe(before.length + 1);
  });

  test("as the months roll, those older than the retention go, and the rest is untouched", async () => {
    for (let month = 0; month < 6; month++) {
      const now = new Date(Date.UTC(2026, month, 15));
      await runRetention(database, { ...SETTINGS, events_months: 2 }, now);
      await scan(database, [read(web, month % 2 === 0 ? {} : { Owner: "a", Env: "dev" })], { at: now });
      expect(Object.keys(await where(database))).toEqual(
        [month - 2, month - 1, month].filter((one) => one >= 0).map((one) => `2026_0${one + 1}`),
      );
      expect((await partitions(database)).length).toBe(Math.min(month, 2) + 1 + 3 + 1);
    }
  });

  test("a finding whose beginning is no longer kept still says when it opened, and the rest of its history adds up to it", async () => {
    await ensureMonths(database, START);
    await scan(database, [read(web, {})]);
    await scan(database, [read(web, { Owner: "a" })], { at: day(31) });
    await scan(database, [read(web, { Env: "dev" })], { at: day(62) });
    const before = await findingsByName(database);
    const { dropped } = await dropMonthsBefore(database, new Date("2026-04-01T00:00:00Z"));
    expect(dropped).toEqual(["finding_events_2026_03"]);
    expect(await findingsByName(database)).toEqual(before);
    const { id } = before["web/owner"]!;
    expect(await finding(database, id)).toMatchObject({ state: "open", first_opened_at: START, reopen_count: 1 });
    expect((await findingHistory(database, id)).map(({ event }) => event)).toEqual(["resolved", "reopened"]);
    const folded = fold(await events(database));
    for (const row of Object.values(before)) {
      const { first_opened_at: _, reopen_count: __, ...kept } = folded.get(row.id) ?? {};
      expect(row).toMatchObject(kept);
    }
    const steady = await snapshot(database);
    await scan(database, [read(web, { Env: "dev" })], { at: day(63) });
    expect(await snapshot(database)).toBe(steady);
  });

  test("old scans go with their units, but not the last of a unit, nor what something refers to", async () => {
    const unit = { ...UNIT, region: "us-east-1" };
    const other = resourceOf("other", {}, unit);
    const first = await scan(database, [read(web, {})]);
    const steady = await scan(database, [read(web, {})], { at: day(1) });
    const last = await scan(database, [read(web, {})], { at: day(2) });
    const elsewhere = await scan(database, [read(other, { Owner: "a", Env: "dev" })], { at: day(3), unit });
    await database.update(scans).set({ state: "succeeded" });
    const running = await newScan(database, SET, day(4));
    const now = day(500);
    const { scan_units: units, scans: whole } = await runRetention(database, SETTINGS, now);
    expect({ units, whole }).toEqual({ units: 2, whole: 1 });
    const ids = (await database.select({ id: scans.id }).from(scans)).map(({ id }) => id).sort();
    expect(ids).toEqual([first.scan_id, last.scan_id, elsewhere.scan_id, running.id].sort());
    expect(ids).not.toContain(steady.scan_id);
    const kept = (await database.select().from(scan_units)).map(({ scan_id }) => scan_id).sort();
    expect(kept).toEqual([last.scan_id, elsewhere.scan_id].sort());
    expect(await runRetention(database, SETTINGS, now)).toMatchObject({ scan_units: 0, scans: 0 });
  });

  test("the last slot of a schedule is remembered", async () => {
    const [older, newer] = [await newScan(database, SET, day(0)), await newScan(database, SET, day(1))];
    for (const [row, slot] of [
      [older, day(0)],
      [newer, day(1)],
    ] as const)
      await database
        .update(scans)
        .set({ state: "succeeded", schedule_id: "nightly", slot })
        .where(sql`id = ${row.id}`);
    await runRetention(database, SETTINGS, day(1000));
    expect((await database.select().from(scans)).map(({ id }) => id)).toEqual([newer.id]);
  });

  test("what was young enough stays", async () => {
    for (const days of [0, 1, 2]) await scan(database, [read(web, {})], { at: day(days) });
    await database.update(scans).set({ state: "succeeded" });
    expect(await runRetention(database, SETTINGS, day(399))).toMatchObject({ scan_units: 0, scans: 0, rollups: 0 });
  });

  test("daily numbers go after five years, but for the day from which they carry over", async () => {
    await scan(database, [read(web, {})]);
    await scan(database, [read(web, { Env: "dev" })], { at: day(10) });
    await scan(database, [read(web, {})], { at: day(4 * 365) });
    const { rollups, drift } = await runRetention(database, SETTINGS, day(5 * 365 + 100));
    expect({ rollups, drift }).toEqual({ rollups: 2, drift: 0 });
    const rows = await database.select().from(rollup_daily_account_rule);
    expect(rows.filter(({ rule_id }) => rule_id === "owner").map(({ open }) => open)).toEqual([1]);
    expect(
      rows
        .filter(({ rule_id }) => rule_id === "env")
        .map((row) => `${row.open} ${row.reopened}`)
        .sort(),
    ).toEqual(["0 0", "1 1"]);
  });

  test("daily numbers that differ from a recount are put right", async () => {
    await scan(database, [read(web, {})]);
    await database.update(rollup_daily_account).set({ violating: 5 });
    expect((await runRetention(database, SETTINGS, day(1))).drift).toBe(1);
    expect((await runRetention(database, SETTINGS, day(1))).drift).toBe(0);
  });

  test("a service does it once it has started, and stops after what it began", async () => {
    const retention = startRetention(database, SETTINGS, () => START);
    await retention.stop();
    expect(await partitions(database)).toContain("2026_06");
  });
});

test(
  "months are made and dropped while scans record and reports read, and nobody waits in a ring",
  { timeout: 120_000 },
  async () => {
    const opened = await openTestDatabase("postgres");
    const { database } = opened;
    await activateSet(database, SET, "me", START);
    await ensureMonths(database, START);
    const regions = ["a", "b", "c"].map((letter) => ({ ...UNIT, region: `eu-${letter}-1` }));
    const rolled = new AbortController();
    let round = 0;
    const write = async (index: number) => {
      const unit = regions[index]!;
      while (!rolled.signal.aborted) {
        const at = new Date(START.getTime() + ++round * 60_000);
        const tags = round % 2 === 0 ? {} : { Owner: "a", Env: "dev" };
        const seen = Array.from({ length: 30 }, (_, n) => read(resourceOf(`c-${n}`, {}, unit), tags, { read_at: at }));
        await scan(database, seen, { unit, at });
      }
    };
    const look = async () => {
      while (!rolled.signal.aborted) {
        await database.execute(sql`select event, count(*) from reporting.v1_finding_events group by event`);
        await database.execute(sql`select * from reporting.v1_findings order by severity_rank limit 50`);
      }
    };
    const roll = async () => {
      const dropped: string[] = [];
      const years = 12;
      for (let month = 0; month < years; month++) {
        const past = new Date(Date.UTC(2020, month, 1));
        await ensureMonths(database, past);
        dropped.push(...(await dropMonthsBefore(database, past)).dropped);
      }
      rolled.abort();
      return dropped;
    };
    const results = await Promise.allSettled([write(0), write(1), write(2), look(), look(), roll()]);
    expect(results.filter(({ status }) => status === "rejected")).toEqual([]);
    const last = results.at(-1);
    expect(last?.status === "fulfilled" ? last.value : null).toHaveLength(11);
    const folded = fold(await events(database));
    for (const row of Object.values(await findingsByName(database))) expect(row).toMatchObject(folded.get(row.id)!);
    await opened.close();
  },
);

test(
  "a month is made while scans write what belongs to it into the default partition",
  { timeout: 120_000 },
  async () => {
    const opened = await openTestDatabase("postgres");
    const { database } = opened;
    await activateSet(database, SET, "me", START);
    const made = new AbortController();
    let round = 0;
    const write = async (region: string) => {
      const unit = { ...UNIT, region };
      while (!made.signal.aborted) {
        // Each month is missing until somebody makes it, and a change of all findings is on its way there.
        const at = new Date(START.getTime() + ++round * DAY);
        const tags = round % 2 === 0 ? {} : { Owner: "a", Env: "dev" };
        const seen = Array.from({ length: 10 }, (_, n) => read(resourceOf(`c-${n}`, {}, unit), tags, { read_at: at }));
        await scan(database, seen, { unit, at });
      }
    };
    const make = async () => {
      try {
        for (let looked = 0; looked < 150; looked++) await ensureMonths(database, START);
      } finally {
        made.abort();
      }
    };
    const results = await Promise.allSettled([write("eu-a-1"), write("eu-b-1"), write("eu-c-1"), make()]);
    expect(results.filter(({ status }) => status === "rejected")).toEqual([]);
    const before = await events(database);
    await ensureMonths(database, START);
    expect(Object.keys(await where(database))).not.toContain("default");
    expect(await events(database)).toEqual(before);
    await opened.close();
  },
);
