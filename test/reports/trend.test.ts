import * as fc from "fast-check";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Database, OpenDatabase } from "../../src/db/client.ts";
import { rowsOf } from "../../src/db/rows.ts";
import { exemptions } from "../../src/exemptions/schema.ts";
import { activateSet } from "../../src/findings/activate.ts";
import type { Unit } from "../../src/inventory/resource.ts";
import { trend } from "../../src/reports/db/trend.ts";
import { compliance } from "../../src/reports/store.ts";
import { addDays, periodOf, periodsBetween, type TrendRow } from "../../src/reports/trend.ts";
import { OWNER, policySet, read, resourceOf, scan, SET, START, UNIT } from "../findings/world.ts";
import { openApp } from "../http/open-app.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";

const DAY = 24 * 3_600_000;
const at = (days: number) => new Date(START.getTime() + days * DAY);
const day = (days: number) => at(days).toISOString().slice(0, 10);
const OTHER: Unit = { ...UNIT, account_id: "444455556666" };
const GOOD = { Owner: "x", Env: "dev" };

describe("periods", () => {
  test("a week begins on Monday, a month with its first day", () => {
    expect(periodOf("2026-03-01", "week")).toBe("2026-02-23");
    expect(periodOf("2026-03-02", "week")).toBe("2026-03-02");
    expect(periodOf("2024-02-29", "month")).toBe("2024-02-01");
    expect(periodsBetween("2026-01-31", "2026-03-01", "month")).toEqual(["2026-01-01", "2026-02-01", "2026-03-01"]);
    expect(periodsBetween("2026-03-01", "2026-03-03", "day")).toEqual(["2026-03-01", "2026-03-02", "2026-03-03"]);
  });

  test("every day lies in exactly one period", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 20_000 }),
        fc.integer({ min: 0, max: 500 }),
        fc.constantFrom("day" as const, "week" as const, "month" as const),
        (first, length, interval) => {
          const from = addDays("1990-01-01", first);
          const periods = periodsBetween(from, addDays(from, length), interval);
          const days = Array.from({ length: length + 1 }, (_, index) => periodOf(addDays(from, index), interval));
          expect([...new Set(days)]).toEqual(periods);
        },
      ),
    );
  });
});

describeOnBoth("a trend on %s", (kind) => {
  let opened: OpenDatabase;
  let database: Database;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
    database = opened.database;
  });
  afterAll(() => opened.close());
  beforeEach(() => emptyTables(database));

  /** Two accounts over some weeks. */
  async function live(): Promise<void> {
    await activateSet(database, SET, "me", START);
    const [a, b, c] = [resourceOf("a"), resourceOf("b"), resourceOf("c", {}, OTHER)];
    await scan(database, [read(a, {}), read(b, GOOD)], { at: at(0) });
    await scan(database, [read(c, { Owner: "y" })], { at: at(1), unit: OTHER });
    await scan(database, [read(a, GOOD, { read_at: at(3) }), read(b, GOOD)], { at: at(3) });
    await scan(database, [read(a, { Env: "dev" }, { read_at: at(9) }), read(b, GOOD)], { at: at(9) });
    await scan(database, [read(c, { Owner: "y", Env: "dev" }, { read_at: at(33) })], { at: at(33), unit: OTHER });
  }
  const brief = (rows: readonly TrendRow[]) =>
    rows.map(({ period, group, ratio, open_findings, opened, reopened, resolved }) =>
      [period, group, ratio, open_findings, opened, reopened, resolved].join(" "),
    );

  test("has what stood at the end of each period and what happened in it, and begins with the first scan", async () => {
    await live();
    const { rows } = await trend(database, { interval: "day", from: day(-30), to: day(4) });
    expect(brief(rows)).toEqual([
      `${day(0)}  0.5 2 2 0 0`,
      `${day(1)}  0.333 3 1 0 0`,
      `${day(2)}  0.333 3 0 0 0`,
      `${day(3)}  0.666 1 0 0 2`,
      `${day(4)}  0.666 1 0 0 0`,
    ]);
    const months = await trend(database, { interval: "month", from: day(0), to: day(40) });
    expect(brief(months.rows)).toEqual(["2026-03-01  0.333 2 3 1 2", "2026-04-01  0.666 1 0 0 1"]);
  });

  test("goes by account, rule or owner, and of some accounts only", async () => {
    await live();
    const of = async (by: "account_id" | "rule" | "owner", account_id?: string[]) =>
      brief((await trend(database, { by, interval: "day", from: day(9), to: day(9), account_id })).rows);
    expect(await of("account_id")).toEqual([`${day(9)} 111122223333 0.5 1 0 1 0`, `${day(9)} 444455556666 0 1 0 0 0`]);
    expect(await of("rule")).toEqual([`${day(9)} p/env  1 0 0 0`, `${day(9)} p/owner  1 0 1 0`]);
    expect(await of("owner")).toEqual([`${day(9)}   1 0 1 0`, `${day(9)} y  1 0 0 0`, `${day(9)} x  0 0 0 0`]);
    expect(await of("rule", ["444455556666"])).toEqual([`${day(9)} p/env  1 0 0 0`]);
  });

  test("is the same in SQL", async () => {
    await live();
    const to = day(40);
    const whole = await trend(database, { interval: "day", from: day(0), to });
    const accounts = await rowsOf(
      database,
      sql`select day::text as period, sum(compliant)::int as compliant, sum(violating)::int as violating, sum(unknown)::int as unknown, sum(not_applicable)::int as not_applicable,
        reporting.ratio(sum(compliant)::bigint, sum(compliant + violating)::bigint) as ratio from reporting.v1_trend_by_account where day <= ${to}::date group by day order by day`,
    );
    expect(
      whole.rows.map(({ period, compliant, violating, unknown, not_applicable, ratio }) => ({
        period,
        compliant,
        violating,
        unknown,
        not_applicable,
        ratio,
      })),
    ).toEqual(accounts);
    for (const [by, group] of [
      ["rule", sql`policy_id || '/' || rule_id`],
      ["owner", sql`owner`],
    ] as const) {
      const { rows } = await trend(database, { by, interval: "day", from: day(0), to });
      const view = await rowsOf(
        database,
        sql`select day::text as period, ${group} as "group", sum(open)::int as open_findings, sum(opened)::int as opened, sum(reopened)::int as reopened, sum(resolved)::int as resolved
          from ${sql.raw(`reporting.v1_trend_by_${by}`)} where day <= ${to}::date group by 1, 2`,
      );
      const said = rows.map(({ period, group, open_findings, opened, reopened, resolved }) =>
        JSON.stringify({ period, group, open_findings, opened, reopened, resolved }),
      );
      const shown = view.map((row) => JSON.stringify(row));
      expect(said).toEqual(expect.arrayContaining(shown));
      // A group has a row for each period, also for those before anything was found of it, of which the view has none.
      const rest = rows.filter((_, index) => !shown.includes(said[index]!));
      expect(rest.every((row) => row.open_findings + row.opened + row.reopened + row.resolved === 0)).toBe(true);
    }
  });

  test("counts what was found, exempt or not: today it says what compliance says, but for the exemptions", async () => {
    await live();
    const today = async () => (await trend(database, { interval: "day", from: day(40), to: day(40) })).rows[0]!;
    const now = await compliance(database);
    expect(await today()).toMatchObject({ compliant: now.compliant, violating: now.noncompliant, ratio: now.ratio });
    await database.insert(exemptions).values({
      id: "e",
      source: "api",
      rule_id: "owner",
      reason: "r",
      requested_by: "a",
      approved_by: "b",
      created_at: START,
      starts_at: new Date(Date.now() - DAY),
      expires_at: new Date(Date.now() + 30 * DAY),
    });
    const then = await compliance(database);
    expect(then.exempt).toBe(1);
    expect(await today()).toMatchObject({ compliant: then.compliant, violating: then.noncompliant + then.exempt });
  });

  test("masks owners as soon as a key that names them is sensitive, also for the days before", async () => {
    await live();
    await activateSet(database, policySet(OWNER.replace("required", "sensitive: true, required")), "me", at(35));
    const { rows } = await trend(database, { by: "owner", interval: "day", from: day(9), to: day(9) });
    expect(brief(rows)).toEqual([`${day(9)}   1 0 1 0`, `${day(9)} ***  1 0 0 0`]);
    const view = await rowsOf(database, sql`select distinct owner from reporting.v1_trend_by_owner order by 1`);
    expect(view).toEqual([{ owner: "***" }, { owner: null }]);
  });

  test("is served, by default of the last 90 days, and says what cannot be asked for", async () => {
    await live();
    const { app } = openApp(database, { now: () => at(40) });
    const get = async (query: string) => {
      const response = await app.request(`/api/v1/compliance/trend${query}`);
      return {
        status: response.status,
        body: (await response.json()) as Record<string, unknown> & { items: TrendRow[] },
      };
    };
    const { status, body } = await get("");
    expect(status).toBe(200);
    expect(body).toMatchObject({ by: null, interval: "day", from: day(-49), to: day(40), groups: 1 });
    expect(body.items).toEqual((await trend(database, { interval: "day", from: day(-49), to: day(40) })).rows);
    expect(body.items).toHaveLength(41);
    expect((await get("?by=account_id&interval=week&account_id=444455556666")).body).toMatchObject({
      by: "account_id",
      applied_filters: { account_id: ["444455556666"] },
    });
    for (const query of [
      "?by=region",
      "?interval=hour",
      "?from=yesterday",
      "?from=2026-05-01&to=2026-04-01",
      "?from=2020-01-01",
      "?since=1",
    ])
      expect((await get(query)).status, query).toBe(400);
    expect((await get("?from=2020-01-01&interval=month")).status).toBe(200);
  });

  test("is drawn on the overview once there is a second day, with a table for whoever cannot see it", async () => {
    await activateSet(database, SET, "me", START);
    await scan(database, [read(resourceOf("a"), {}), read(resourceOf("b"), GOOD)]);
    const page = async (days: number) => (await openApp(database, { now: () => at(days) }).app.request("/")).text();
    expect(await page(0)).not.toContain("polyline");
    const html = await page(2);
    expect(html).toContain("<polyline");
    expect(html).toMatch(/role="img" aria-labelledby="trend-title trend-desc"/);
    expect(html).toContain(`From 50.0 % on ${day(0)} to 50.0 % on ${day(2)}.`);
    expect(html).toContain(`<th scope="row">${day(1)}</th>`);
    expect(html).not.toMatch(/ style=/);
  });

  test("without a scan there is none", async () => {
    expect(await trend(database, { interval: "day", from: day(0), to: day(9) })).toEqual({ rows: [], groups: 0 });
  });
});
