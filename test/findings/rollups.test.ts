import * as fc from "fast-check";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Database, OpenDatabase } from "../../src/db/client.ts";
import { rowsOf } from "../../src/db/rows.ts";
import { activateSet } from "../../src/findings/activate.ts";
import { confirmHeld, rejectHeld } from "../../src/findings/db/decide-held.ts";
import { resolveRepaired } from "../../src/findings/db/repaired.ts";
import { driftOf, repairDrift, sizeOf } from "../../src/findings/db/rollup-drift.ts";
import { findings, rollup_daily_account, rollup_daily_account_rule, unit_tallies } from "../../src/findings/schema.ts";
import type { Observation, Unit } from "../../src/inventory/resource.ts";
import { resources, units } from "../../src/inventory/schema.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";
import {
  after,
  ENV,
  gone,
  OWNER,
  policySet,
  read,
  resourceOf,
  scan,
  SET,
  snapshot,
  START,
  UNIT,
  unread,
} from "./world.ts";

const UNITS: readonly Unit[] = [UNIT, { ...UNIT, region: "us-east-1" }, { ...UNIT, account_id: "444455556666" }];
const RENAMED = policySet(OWNER, ENV.replace("id: env", "id: stage, formerly: [env]"));
const day = (hours: number) => after(hours).toISOString().slice(0, 10);

/** What the numbers have to be, counted here from the rows of findings, resources and units. */
async function counted(database: Database): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const add = (name: string) => (counts[name] = (counts[name] ?? 0) + 1);
  const open = (await database.select().from(findings)).filter(({ state }) => state === "open");
  const rows = new Map((await database.select().from(resources)).map((row) => [row.arn, row]));
  const listed = new Set(
    (await database.select().from(units)).filter((u) => u.listed).map((u) => `${u.account_id}/${u.region}/${u.type}`),
  );
  for (const { account_id, policy_id, rule_id, arn } of open) {
    add(`${account_id} ${policy_id}/${rule_id}`);
    add(`${account_id} owner ${rows.get(arn)?.tags?.["Owner"] ?? ""}`);
  }
  for (const row of rows.values()) {
    if (row.gone_at !== null) continue;
    const failing = open.some(({ arn }) => arn === row.arn);
    const unit = `${row.account_id}/${row.region}/${row.type}`;
    if (row.standing === "not_applicable" || row.status.startsWith("DELETE")) add(`${row.account_id} not_applicable`);
    else if (failing) add(`${row.account_id} violating`);
    else if (row.standing === "unknown" || row.reading_error || !listed.has(unit)) add(`${row.account_id} unknown`);
    else add(`${row.account_id} compliant`);
  }
  return counts;
}

/** The same as the trends have it at the end of a day. */
async function trend(database: Database, at: string): Promise<Record<string, number>> {
  const rules = await rowsOf<{ name: string; open: number }>(
    database,
    sql`select account_id || ' ' || policy_id || '/' || rule_id as name, open from reporting.v1_trend_by_rule where day = ${at}::date`,
  );
  const owners = await rowsOf<{ name: string; open: number }>(
    database,
    sql`select account_id || ' owner ' || coalesce(owner, '') as name, open from reporting.v1_trend_by_owner where day = ${at}::date`,
  );
  const accounts = await rowsOf<Record<"account_id", string> & Record<string, number>>(
    database,
    sql`select account_id, compliant, violating, unknown, not_applicable from reporting.v1_trend_by_account where day = ${at}::date`,
  );
  const counts = [...rules, ...owners].map(({ name, open }): [string, number] => [name, open]);
  for (const { account_id, ...row } of accounts)
    counts.push(...Object.entries(row).map(([name, value]): [string, number] => [`${account_id} ${name}`, value]));
  return Object.fromEntries(counts.filter(([, value]) => value !== 0));
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

  test("what happens on a day counts on that day, and a day on which nothing happened is as the one before", async () => {
    const [a, b] = [resourceOf("a"), resourceOf("b")];
    await scan(database, [read(a, { Env: "dev" }), read(b, { Owner: "x", Env: "dev" })]);
    await scan(database, [read(a, { Env: "dev" }), read(b, { Owner: "x", Env: "dev" })], { at: after(24) });
    await scan(database, [read(a, { Owner: "y", Env: "dev" }), read(b, { Owner: "x" })], { at: after(72) });
    await scan(database, [read(a, { Env: "dev" }), read(b, { Owner: "x" })], { at: after(73) });
    const rules = await rowsOf(
      database,
      sql`select day::text, rule_id, open, opened, reopened, resolved from reporting.v1_trend_by_rule where day <= ${day(72)}::date order by day, rule_id`,
    );
    expect(rules).toEqual([
      { day: day(0), rule_id: "owner", open: 1, opened: 1, reopened: 0, resolved: 0 },
      { day: day(24), rule_id: "owner", open: 1, opened: 0, reopened: 0, resolved: 0 },
      { day: day(48), rule_id: "owner", open: 1, opened: 0, reopened: 0, resolved: 0 },
      { day: day(72), rule_id: "env", open: 1, opened: 1, reopened: 0, resolved: 0 },
      { day: day(72), rule_id: "owner", open: 1, opened: 0, reopened: 1, resolved: 1 },
    ]);
    const accounts = await rowsOf(
      database,
      sql`select day::text, compliant, violating, ratio from reporting.v1_trend_by_account where day <= ${day(72)}::date order by day`,
    );
    expect(accounts).toEqual([
      { day: day(0), compliant: 1, violating: 1, ratio: 0.5 },
      { day: day(24), compliant: 1, violating: 1, ratio: 0.5 },
      { day: day(48), compliant: 1, violating: 1, ratio: 0.5 },
      { day: day(72), compliant: 0, violating: 2, ratio: 0 },
    ]);
  });

  test("a scan in which nothing changed writes no number, on whatever day", async () => {
    await scan(database, [read(resourceOf("a"), { Env: "dev" }), read(resourceOf("b"), { Owner: "x", Env: "dev" })]);
    const before = await snapshot(database);
    await scan(database, [read(resourceOf("a"), { Env: "dev" }), read(resourceOf("b"), { Owner: "x", Env: "dev" })], {
      at: after(50),
    });
    expect(await snapshot(database)).toBe(before);
  });

  test("resources of a list that is not read to its end are unknown until it is again", async () => {
    const all = [read(resourceOf("a"), { Env: "dev" }), read(resourceOf("b"), { Owner: "x", Env: "dev" })];
    await scan(database, all);
    await scan(database, [], { at: after(24), outcome: { state: "denied", listed: false } });
    await scan(database, all, { at: after(48) });
    const rows = await database.select().from(rollup_daily_account).orderBy(rollup_daily_account.day);
    expect(rows.map(({ compliant, violating, unknown }) => [compliant, violating, unknown])).toEqual([
      [1, 1, 0],
      [0, 1, 1],
      [1, 1, 0],
    ]);
  });

  test("a change on a day before the newest, by a clock behind or a slower transaction, counts from its day on", async () => {
    await scan(database, [read(resourceOf("a"), { Env: "dev" })]);
    await scan(database, [read(resourceOf("b", {}, UNITS[1]), {})], { at: after(48), unit: UNITS[1]! });
    await scan(database, [read(resourceOf("c", {}, UNITS[1]), {})], {
      at: after(24),
      unit: UNITS[1]!,
      outcome: { state: "partial" },
    });
    const owner = (await database.select().from(rollup_daily_account_rule)).filter(
      ({ rule_id }) => rule_id === "owner",
    );
    expect(owner.map((row) => `${row.day} ${row.open} ${row.opened}`).sort()).toEqual([
      `${day(0)} 1 1`,
      `${day(24)} 2 1`,
      `${day(48)} 3 1`,
    ]);
  });

  test("numbers that someone spoilt are found, and put right", async () => {
    await scan(database, [read(resourceOf("a"), { Env: "dev" }), read(resourceOf("b"), { Owner: "x", Env: "dev" })]);
    expect(sizeOf(await driftOf(database))).toBe(0);
    await database.update(rollup_daily_account_rule).set({ open: 7 });
    await database.delete(unit_tallies);
    await database.insert(rollup_daily_account).values({ day: day(24), account_id: "444455556666", violating: 3 });
    expect(await repairDrift(database, after(48))).toBeGreaterThan(2);
    expect(sizeOf(await driftOf(database))).toBe(0);
    expect(await trend(database, day(48))).toEqual(await counted(database));
    expect(await repairDrift(database, after(49))).toBe(0);
  });

  test(
    "I3: after any history the numbers of each day are what a count of the rows was at its end",
    { timeout: 240_000 },
    async () => {
      const sight = fc.oneof(
        {
          weight: 6,
          arbitrary: fc.record({
            tags: fc.record(
              { Owner: fc.constantFrom("x", "y"), Env: fc.constantFrom("dev", "qa") },
              { requiredKeys: [] },
            ),
            status: fc.constantFrom("ACTIVE", "ACTIVE", "ACTIVE", "DELETE PENDING"),
          }),
        },
        { weight: 1, arbitrary: fc.constantFrom("absent" as const, "gone" as const, "unread" as const) },
      );
      const step = fc.record({
        hours: fc.integer({ min: 1, max: 40 }),
        what: fc.oneof(
          {
            weight: 6,
            arbitrary: fc.record({
              unit: fc.constantFrom(...UNITS),
              world: fc.tuple(sight, sight, sight),
              outcome: fc.constantFrom(
                { state: "complete" as const },
                { state: "complete" as const },
                { state: "partial" as const },
                { state: "failed" as const, listed: false },
              ),
              limits: fc.constantFrom(
                { mass_close: { share: 0, count: 1 } },
                { mass_close: { share: 1, count: 1000 } },
              ),
            }),
          },
          { weight: 1, arbitrary: fc.constantFrom(SET, policySet(ENV), RENAMED) },
          { weight: 1, arbitrary: fc.constantFrom("confirm" as const, "reject" as const, "repair" as const) },
        ),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 9 }), async (steps) => {
          await emptyTables(database);
          let set = SET;
          await activateSet(database, set, "me", START);
          let hour = 0;
          let last_scan_id: string | null = null;
          const days = new Map<string, Record<string, number>>();
          for (const { hours, what } of steps) {
            hour += hours;
            const at = after(hour);
            if (what === "confirm" || what === "reject") {
              const decide = what === "confirm" ? confirmHeld : rejectHeld;
              if (last_scan_id !== null) await decide(database, last_scan_id, { actor: "me", at });
            } else if (what === "repair") {
              const open = (await database.select().from(findings)).find(({ state }) => state === "open");
              if (open) {
                const tags = { Owner: "x", Env: "dev" };
                const repair = { arn: open.arn, tags, read_at: at, actor: "me", finding_ids: [open.id] };
                await resolveRepaired(database, set, repair, at);
              }
            } else if ("policies" in what) {
              set = what;
              await activateSet(database, set, "me", at);
            } else {
              const { unit, world, outcome, limits } = what;
              const seen = world.flatMap((one, index): Observation[] => {
                const name = `r${index}`;
                if (one === "absent") return [];
                if (one === "gone") return [gone(resourceOf(name, {}, unit))];
                if (one === "unread") return [unread(resourceOf(name, {}, unit))];
                return [read(resourceOf(name, { status: one.status }, unit), one.tags, { read_at: at })];
              });
              last_scan_id = (await scan(database, seen, { at, unit, set, outcome, limits })).scan_id;
            }
            days.set(day(hour), await counted(database));
            expect(sizeOf(await driftOf(database))).toBe(0);
          }
          for (const [at, counts] of days) expect(await trend(database, at)).toEqual(counts);
        }),
        { numRuns: kind === "postgres" ? 40 : 15 },
      );
    },
  );
});
