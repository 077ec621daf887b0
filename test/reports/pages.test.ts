import { sql } from "drizzle-orm";
import * as fc from "fast-check";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Database, OpenDatabase } from "../../src/db/client.ts";
import { findings } from "../../src/findings/schema.ts";
import type { FindingFilters } from "../../src/reports/db/conditions.ts";
import { decodePageToken, encodePageToken, type Page, PageTokenError, pageSize } from "../../src/reports/page.ts";
import { scansPage } from "../../src/reports/db/scans.ts";
import { eachFindingsPage, FINDING_SORTS, finding, findingsPage, resourcesPage } from "../../src/reports/store.ts";
import { SEVERITIES } from "../../src/policy/verdict.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";
import { NOON, seeder } from "./seed.ts";

describeOnBoth("pages on %s", (kind) => {
  let opened: OpenDatabase;
  let database: Database;
  let seed: ReturnType<typeof seeder>;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
    ({ database } = opened);
  });
  afterAll(() => opened.close());
  beforeEach(async () => {
    await emptyTables(database);
    seed = seeder(database);
  });

  /** Findings with many equal sort values, so that only the unique last column tells rows apart. */
  async function manyFindings(count: number) {
    await seed.unit();
    await seed.policySet([{}]);
    const hosts = [
      await seed.resource({ name: "a", tags: { Owner: "ann" } }),
      await seed.resource({ name: "b_b", account_id: "222233334444", tags: { Owner: "bob" } }),
      await seed.resource({ name: "c", type: "filter", region: "eu-west-1" }),
    ];
    const rows = Array.from({ length: count }, (_, i) =>
      seed.findingRow(hosts[i % 3]!, {
        severity: SEVERITIES[i % 4]!,
        kind: i % 5 === 0 ? "invalid" : "missing",
        rule_id: `rule-${i % 7}`,
        key: `Key${i % 6}`,
        opened_at: new Date(NOON.getTime() - (i % 4)),
        ...(i % 6 === 5 && { state: "resolved", resolution: "fixed_observed", resolved_at: NOON }),
      }),
    );
    await database.insert(findings).values(rows);
    await seed.exemption({ key: "Key0" });
  }

  async function walk<T>(read: (page_token: string | undefined) => Promise<Page<T>>): Promise<T[]> {
    const items: T[] = [];
    let token: string | undefined;
    do {
      const page = await read(token);
      items.push(...page.items);
      token = page.next_page_token ?? undefined;
    } while (token !== undefined);
    return items;
  }

  test("pages are slices of the whole, in order, no finding twice, none lost, for every sort, size and filter", async () => {
    await manyFindings(60);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...FINDING_SORTS),
        fc.integer({ min: 1, max: 70 }),
        fc.record<FindingFilters>(
          {
            effective_status: fc.constantFrom("open", "exempt", "resolved", "all"),
            severity: fc.subarray([...SEVERITIES]),
            key: fc.subarray(["Key0", "Key1", "Key2", "Key5"]),
            region: fc.subarray(["us-east-1", "eu-west-1"]),
          },
          { requiredKeys: [] },
        ),
        async (sort, page_size, filters) => {
          const whole = await findingsPage(database, filters, { sort, page_size: 500 });
          expect(whole.next_page_token).toBeNull();
          expect(whole.total).toEqual({ count: whole.items.length, type: "EXACT" });
          const walked = await walk((page_token) => findingsPage(database, filters, { sort, page_size, page_token }));
          expect(walked.map(ageless)).toEqual(whole.items.map(ageless));
          expect(new Set(whole.items.map((item) => item.id)).size).toBe(whole.items.length);
        },
      ),
      { numRuns: kind === "postgres" ? 30 : 10 },
    );
  });

  test("a row that comes or goes between two pages neither repeats nor hides another", async () => {
    await manyFindings(30);
    const before = (await findingsPage(database, {}, { sort: "opened_at", page_size: 500 })).items.map(
      (item) => item.id,
    );
    const first = await findingsPage(database, {}, { sort: "opened_at", page_size: 7 });
    await seed.finding((await resourcesPage(database)).items[0]!, { opened_at: new Date(0) });
    const rest = await walk((token) =>
      findingsPage(database, {}, { sort: "opened_at", page_size: 7, page_token: token ?? first.next_page_token! }),
    );
    expect([...first.items, ...rest].map((item) => item.id)).toEqual(before);
  });

  test("microseconds keep their order across pages", async () => {
    const host = await seed.resource();
    for (let i = 0; i < 5; i++) await seed.finding(host);
    await database.execute(
      sql`update findings set opened_at = timestamptz '2026-03-02 12:00:00Z' + (right(left(id, 5), 1)::int * interval '1 microsecond')`,
    );
    const walked = await walk((page_token) =>
      findingsPage(database, {}, { sort: "-opened_at", page_size: 1, page_token }),
    );
    expect(walked.map((item) => item.id.slice(0, 5))).toEqual(["f0006", "f0005", "f0004", "f0003", "f0002"]);
  });

  test("filters narrow a list: OR inside a field, AND across fields, nothing is SQL", async () => {
    await manyFindings(60);
    const cases: [string, FindingFilters, number][] = [
      ["nothing: open and not exempt", {}, 40],
      ["state open: exempt ones too", { state: "open" }, 50],
      ["exempt", { effective_status: "exempt" }, 10],
      ["resolved", { effective_status: "resolved" }, 10],
      ["all", { effective_status: "all" }, 60],
      ["a severity", { effective_status: "all", severity: ["critical", "low"] }, 30],
      ["a kind", { effective_status: "all", kind: ["invalid"] }, 12],
      ["a rule", { effective_status: "all", rule: ["rule-1"] }, 9],
      ["a rule of a policy", { effective_status: "all", rule: ["cost/rule-1", "other/rule-2"] }, 9],
      ["a policy", { effective_status: "all", policy_id: ["other"] }, 0],
      ["an account", { effective_status: "all", account_id: ["222233334444"] }, 20],
      ["a type", { effective_status: "all", type: ["filter"] }, 20],
      ["an owner", { effective_status: "all", owner: ["ann"] }, 20],
      ["no owner", { effective_status: "all", owner: [""] }, 20],
      ["no owner or one", { effective_status: "all", owner: ["", "bob"] }, 40],
      ["part of the name", { effective_status: "all", q: "B_B" }, 20],
      ["a wildcard that is none", { effective_status: "all", q: "%" }, 0],
      ["an empty list", { effective_status: "all", key: [] }, 0],
      ["an attack", { effective_status: "all", key: ["'; drop table findings; --"], q: "\\' or 1=1 --" }, 0],
    ];
    for (const [by, filters, count] of cases) {
      expect((await findingsPage(database, filters)).total.count, by).toBe(count);
    }
  });

  test("the most severe come first, and a finding shows its resource, rule and times", async () => {
    await manyFindings(12);
    const page = await findingsPage(database, {}, { page_size: 3 });
    expect(page.items.map((item) => item.severity)).toEqual(["critical", "critical", "high"]);
    expect(page.items[0]).toMatchObject({
      account_id: expect.stringMatching(/^\d{12}$/),
      opened_at: expect.any(Date),
      exempt_until: null,
      effective_status: "open",
      age_seconds: expect.any(Number),
    });
    expect(ageless((await finding(database, page.items[0]!.id))!)).toEqual(ageless(page.items[0]!));
    expect(await finding(database, "unknown")).toBeNull();
  });

  test("a token is refused with other filters, another sort, or when it is none of ours", async () => {
    await manyFindings(12);
    const { next_page_token } = await findingsPage(database, { severity: ["critical", "high"] }, { page_size: 1 });
    const page_token = next_page_token!;
    await findingsPage(database, { severity: ["critical", "high"] }, { page_size: 3, page_token });
    for (const [filters, sort] of [
      [{}, undefined],
      [{ severity: ["critical" as const] }, undefined],
      [{ severity: ["critical" as const, "high" as const] }, "arn" as const],
    ] as const) {
      await expect(findingsPage(database, filters, { page_token, sort })).rejects.toThrow(PageTokenError);
    }
    await expect(resourcesPage(database, {}, { page_token })).rejects.toThrow(PageTokenError);
    await expect(findingsPage(database, {}, { page_token: "nonsense" })).rejects.toThrow("not a token of ours");
  });

  test("counting stops at 10,000", async () => {
    const host = await seed.resource();
    const one = await seed.finding(host);
    await database.execute(sql`
      insert into findings (id, account_id, region, type, arn, policy_id, rule_id, key, kind, severity, detail, policy_set_id, source, state, opened_at, opened_cause, first_opened_at)
      select 'many-' || n, account_id, region, type, arn, policy_id, rule_id, key, kind, severity, detail, policy_set_id, source, state, opened_at, opened_cause, first_opened_at
      from findings, generate_series(1, 10500) n where id = ${one.id}`);
    expect((await findingsPage(database, {}, { page_size: 1 })).total).toEqual({ count: 10_000, type: "AT_LEAST" });
    let seen = 0;
    await eachFindingsPage(database, {}, undefined, async (rows) => {
      seen += rows.length;
    });
    expect(seen).toBe(10_501);
  });

  test("resources and scans come in pages too", async () => {
    await manyFindings(6);
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) {
      const id = `01890000-0000-7000-8000-00000000000${i}`;
      ids.unshift(
        await seed.scan({
          id,
          created_at: new Date(NOON.getTime() + Math.floor(i / 2)),
          state: i === 3 ? "partial" : "succeeded",
        }),
      );
    }
    const scans = await walk((page_token) => scansPage(database, {}, { page_size: 2, page_token }));
    expect(scans.map((item) => item.id)).toEqual(ids);
    expect((await scansPage(database, { state: ["partial"] })).items).toMatchObject([
      { id: ids[1], units: 1, units_complete: 1, duration_seconds: 4.2 },
    ]);
    const resources = await walk((page_token) => resourcesPage(database, {}, { page_size: 1, page_token }));
    expect(resources).toEqual((await resourcesPage(database)).items);
    expect(resources).toHaveLength(3);
    expect((await resourcesPage(database, { has_tag: ["Owner"] })).total.count).toBe(2);
    expect((await resourcesPage(database, { lacks_tag: ["Owner"] })).total.count).toBe(1);
    expect((await resourcesPage(database, { owner: ["bob"], q: "b_b" })).total.count).toBe(1);
  });
});

test("a page size is a whole number from 1, at most 500, 50 when absent", () => {
  expect([pageSize({}), pageSize({ page_size: 7 }), pageSize({ page_size: 9999 })]).toEqual([50, 7, 500]);
  for (const page_size of [0, -1, 1.5, Number.NaN]) expect(() => pageSize({ page_size })).toThrow(RangeError);
});

test("a token gives back what it was made with, and only for the same question", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: "grapheme" }), { minLength: 1 }),
      fc.jsonValue(),
      fc.jsonValue(),
      (after, asked, other) => {
        const token = encodePageToken({ asked }, after);
        expect(decodePageToken({ asked, more: undefined }, token, after.length)).toEqual(after);
        if (JSON.stringify(asked) !== JSON.stringify(other) && !sameJson(asked, other)) {
          expect(() => decodePageToken({ asked: other }, token, after.length)).toThrow(PageTokenError);
        }
      },
    ),
  );
  for (const token of ["", "e30", "bnVsbA", Buffer.from('{"v":1,"after":[1],"asked":"x"}').toString("base64url")]) {
    expect(() => decodePageToken({}, token, 1)).toThrow(PageTokenError);
  }
});

function sameJson(a: unknown, b: unknown): boolean {
  try {
    expect(a).toEqual(b);
    return true;
  } catch {
    return false;
  }
}

/** The age moves on between two queries. */
function ageless<T extends { age_seconds: number }>(row: T): T {
  return { ...row, age_seconds: 0 };
}
