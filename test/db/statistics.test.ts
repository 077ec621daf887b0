import { sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { OpenDatabase } from "../../src/db/client.ts";
import { renewStatistics } from "../../src/db/statistics.ts";
import { installation } from "../../src/scan/schema.ts";
import { service_readings } from "../../src/inventory/schema.ts";
import { openTestDatabase } from "../support/database.ts";

let opened: OpenDatabase;
beforeAll(async () => {
  opened = await openTestDatabase("pglite");
});
afterAll(() => opened.close());

/** How many rows the planner takes a table to have; -1: it was never told. */
async function believed(name: string): Promise<number> {
  const [row] = await opened.database
    .select({ rows: sql<number>`reltuples::integer` })
    .from(sql`pg_class`)
    .where(sql`relname = ${name}`);
  return row?.rows ?? Number.NaN;
}

const readings = (from: number, count: number) =>
  opened.database
    .insert(service_readings)
    .values(Array.from({ length: count }, (_, index) => ({ arn: `arn:${from + index}`, read_at: new Date(0) })));

test("the embedded database learns how large its tables are when they have grown, and is left alone otherwise", async () => {
  expect(await believed("service_readings")).toBe(-1);
  await readings(0, 1000);
  await renewStatistics(opened);
  expect(await believed("service_readings")).toBe(1000);
  // Empty ones are not looked at.
  expect(await believed("installation")).toBe(-1);
  await readings(1000, 100);
  await renewStatistics(opened);
  expect(await believed("service_readings")).toBe(1000);
  await readings(1100, 2000);
  await opened.database.insert(installation).values({ id: 1, kind: "sandbox", created_at: new Date(0) });
  await renewStatistics(opened);
  expect(await believed("service_readings")).toBe(3100);
  expect(await believed("installation")).toBe(1);
});
