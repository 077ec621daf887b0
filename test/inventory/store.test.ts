import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Database, OpenDatabase } from "../../src/db/client.ts";
import { resources, service_readings } from "../../src/inventory/schema.ts";
import { storedReadings } from "../../src/inventory/store.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";

const arn = (name: string) => `arn:aws:personalize:us-east-1:111122223333:campaign/${name}`;
const created = new Date("2026-01-02T03:04:05.678Z");
const read = new Date("2026-05-04T10:00:00.123Z");

function row(name: string, more: Partial<typeof resources.$inferInsert> = {}): typeof resources.$inferInsert {
  return {
    arn: arn(name),
    account_id: "111122223333",
    region: "us-east-1",
    type: "campaign",
    name,
    status: "ACTIVE",
    created_at: created,
    summary: {},
    tags: { Owner: "a@example.com" },
    source: "service",
    tags_read_at: read,
    in_index: true,
    standing: "judged",
    first_seen_at: read,
    recorded_at: read,
    ...more,
  };
}

describeOnBoth("what %s holds of a page's tags", (kind) => {
  let opened: OpenDatabase;
  let database: Database;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
    database = opened.database;
  });
  afterAll(() => opened.close());
  beforeEach(() => emptyTables(database));

  test("the tags, their source, and when the service last answered", async () => {
    await database
      .insert(resources)
      .values([row("a"), row("b", { in_index: false, source: "index", created_at: null }), row("c")]);
    await database.insert(service_readings).values({ arn: arn("a"), read_at: read });
    const readings = await storedReadings(database, [arn("a"), arn("b"), arn("unknown")]);
    expect(new Set(readings.keys())).toEqual(new Set([arn("a"), arn("b")]));
    expect(readings.get(arn("a"))).toEqual({
      tags: { Owner: "a@example.com" },
      source: "service",
      service_read_at: read,
      in_index: true,
      created_at: created,
      reading_error: null,
    });
    expect(readings.get(arn("b"))).toMatchObject({
      source: "index",
      service_read_at: null,
      in_index: false,
      created_at: null,
    });
  });

  test("a resource whose tags were never read is left out: null is not none", async () => {
    const reading_error = { name: "AccessDeniedException", message: "no", operation: "ListTagsForResource" };
    await database
      .insert(resources)
      .values([
        row("never", { tags: null, source: null, reading_error }),
        row("none", { tags: {} }),
        row("failed", { reading_error }),
      ]);
    const readings = await storedReadings(database, ["never", "none", "failed"].map(arn));
    expect(readings.has(arn("never"))).toBe(false);
    expect(readings.get(arn("none"))?.tags).toEqual({});
    expect(readings.get(arn("failed"))?.reading_error).toBe("AccessDeniedException");
  });

  test("keys that every object inherits are tags like others", async () => {
    const tags = JSON.parse('{"__proto__":"x","constructor":"y"}') as Record<string, string>;
    await database.insert(resources).values([row("odd", { tags }), row("none", { tags: {} })]);
    const readings = await storedReadings(database, [arn("odd"), arn("none")]);
    expect(new Map(Object.entries(readings.get(arn("odd"))?.tags ?? {}))).toEqual(
      new Map([
        ["__proto__", "x"],
        ["constructor", "y"],
      ]),
    );
    expect(readings.get(arn("none"))?.tags["constructor"]).toBeUndefined();
  });

  test("no ARN is asked for, none is found", async () => {
    expect((await storedReadings(database, [])).size).toBe(0);
  });

  test("names with quotes and commas do no harm", async () => {
    await database.insert(resources).values(row(`a"b,c'd{}\\`));
    expect([...(await storedReadings(database, [arn(`a"b,c'd{}\\`), `x","y`])).keys()]).toEqual([arn(`a"b,c'd{}\\`)]);
  });

  test("pages that ask at the same time each get their own", async () => {
    const names = Array.from({ length: 50 }, (_, index) => `c-${index}`);
    await database.insert(resources).values(names.map((name) => row(name, { tags: { Name: name } })));
    const pages = await Promise.all(names.map((name) => storedReadings(database, [arn(name), arn("unknown")])));
    expect(pages.map((page) => [...page].map(([key, { tags }]) => [key, tags["Name"]]))).toEqual(
      names.map((name) => [[arn(name), name]]),
    );
  });

  test("a query that fails fails for all who wait, and the next works again", async () => {
    const broken = {
      select: () => {
        throw new Error("connection lost");
      },
    } as unknown as Database;
    const both = await Promise.allSettled([storedReadings(broken, [arn("a")]), storedReadings(broken, [arn("b")])]);
    expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    await expect(storedReadings(broken, [arn("a")])).rejects.toThrow("connection lost");
    await database.insert(resources).values([row("a")]);
    expect((await storedReadings(database, [arn("a")])).size).toBe(1);
  });
});
