import { eq, sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { resources, scan_units, scans, units } from "../../src/inventory/schema.ts";
import { beginScan } from "../../src/scan/begin.ts";
import { finishScan } from "../../src/scan/finish.ts";
import { scan_targets } from "../../src/scan/schema.ts";
import { cancelScan } from "../../src/scan/stop.ts";
import {
  beatScans,
  createScan,
  endAbandonedScans,
  failScan,
  LEASE_MS,
  type ScanRequest,
  startScan,
} from "../../src/scan/store.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";

const now = new Date("2026-11-23T03:00:00Z");
const later = (ms: number) => new Date(now.getTime() + ms);
const target = { partition: "aws", account_id: "111122223333", region: "us-east-1" };
const request: ScanRequest = {
  targets: [target],
  types: ["campaign", "solution"],
  confirm_all: false,
  trigger: "cli",
  requested_by: "a person",
};

describeOnBoth("scans on %s", (kind) => {
  let opened: Awaited<ReturnType<typeof openTestDatabase>>;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
  });
  beforeEach(() => emptyTables(opened.database));
  afterAll(() => opened.close());

  /** Ends a scan as if all its units had been read. */
  async function end(scan_id: string, api_calls: Record<string, number> = {}): Promise<void> {
    await startScan(opened.database, scan_id, "set", now);
    await opened.database.update(scan_targets).set({ state: "ended" }).where(eq(scan_targets.scan_id, scan_id));
    await opened.database.update(scan_units).set({ state: "complete" }).where(eq(scan_units.scan_id, scan_id));
    expect(await finishScan(opened.database, scan_id, later(1), { calls: api_calls })).toBe("succeeded");
  }

  /** Lets a scan's process fall silent, by the database's clock. */
  async function silence(scan_id: string, ms: number): Promise<void> {
    const heartbeat_at = sql`clock_timestamp() - ${ms} * interval '1 millisecond'`;
    await opened.database.update(scans).set({ heartbeat_at }).where(eq(scans.id, scan_id));
  }

  test("a new scan has a row for each unit, and its units are known to be in scope", async () => {
    const created = await createScan(opened.database, request, now);
    expect(created).toMatchObject({ deduplicated: false, scan: { state: "queued", epoch: 1 } });
    expect(await opened.database.select().from(scan_units)).toHaveLength(2);
    expect(await opened.database.select().from(units)).toMatchObject([{ listed_at: null }, { listed_at: null }]);
  });

  test("asking again for the scope that runs gives the same scan; another scope, or a later time, another", async () => {
    const first = await createScan(opened.database, request, now);
    const same = await createScan(opened.database, { ...request, types: ["solution", "campaign"] }, now);
    expect(same).toMatchObject({ deduplicated: true, scan: { id: first?.scan.id } });
    expect(await createScan(opened.database, { ...request, types: ["campaign"] }, now)).toMatchObject({
      deduplicated: false,
    });
    await end(first!.scan.id);
    expect(await createScan(opened.database, request, now)).toMatchObject({ deduplicated: false });
  });

  test("many replicas that fire for one slot make one scan", async () => {
    const slot = { ...request, schedule: { id: "nightly", slot: now } };
    const made = await Promise.all(Array.from({ length: 10 }, () => createScan(opened.database, slot, now)));
    expect(made.filter((one) => one !== null)).toHaveLength(1);
  });

  test("a slot that comes while the schedule's last scan runs is skipped, and one that was taken stays taken", async () => {
    const first = await createScan(opened.database, { ...request, schedule: { id: "nightly", slot: now } }, now);
    expect(
      await createScan(opened.database, { ...request, schedule: { id: "nightly", slot: later(60_000) } }, now),
    ).toBeNull();
    await end(first!.scan.id);
    expect(await createScan(opened.database, { ...request, schedule: { id: "nightly", slot: now } }, now)).toBeNull();
    expect(
      await createScan(opened.database, { ...request, schedule: { id: "nightly", slot: later(60_000) } }, now),
    ).not.toBeNull();
  });

  test("a scan whose process is silent for longer than the lease is ended as failed, its open units cancelled", async () => {
    const { scan } = (await createScan(opened.database, request, now))!;
    await startScan(opened.database, scan.id, "set", now);
    await silence(scan.id, LEASE_MS / 2);
    expect(await endAbandonedScans(opened.database, false, now)).toEqual([]);
    await silence(scan.id, LEASE_MS + 1);
    expect(await endAbandonedScans(opened.database, false, now)).toEqual([scan.id]);
    const [row] = await opened.database.select().from(scans).where(eq(scans.id, scan.id));
    expect(row).toMatchObject({ state: "failed", error: expect.stringContaining("scan again") });
    expect((await opened.database.select().from(scan_units)).map(({ state }) => state)).toEqual([
      "cancelled",
      "cancelled",
    ]);
  });

  test("a scan that has ended stays as it ended, whatever comes late", async () => {
    const { scan } = (await createScan(opened.database, request, now))!;
    await end(scan.id, { total: 7 });
    const [before] = await opened.database.select().from(scans);
    expect(await beatScans(opened.database, [scan.id])).toEqual([]);
    expect(await failScan(opened.database, scan.id, "it was thought dead", later(3))).toBe(false);
    expect(await finishScan(opened.database, scan.id, later(4), {})).toBeNull();
    expect(await cancelScan(opened.database, scan.id, "a person", later(5))).toBe(false);
    expect(await opened.database.select().from(scans)).toEqual([before]);
    expect(before).toMatchObject({ state: "succeeded", api_calls: { total: 7 }, finished_at: later(1) });
  });

  test("a scan that nobody works on is cancelled at once, and says by whom", async () => {
    const { scan } = (await createScan(opened.database, request, now))!;
    expect(await cancelScan(opened.database, scan.id, "ana@example.com", later(1))).toBe(true);
    const [row] = await opened.database.select().from(scans);
    expect(row).toMatchObject({ state: "cancelled", stopped_by: "ana@example.com", finished_at: later(1) });
    expect(await createScan(opened.database, request, now)).toMatchObject({ deduplicated: false });
  });

  test("small targets come first, by what is known of them", async () => {
    const regions = ["us-east-1", "eu-west-1", "us-west-2"];
    const known = { "us-east-1": 5, "us-west-2": 2 };
    for (const [region, count] of Object.entries(known)) {
      const rows = Array.from({ length: count }, (_, n) => ({
        arn: `arn:aws:personalize:${region}:111122223333:campaign/c${n}`,
        account_id: "111122223333",
        region,
        type: "campaign" as const,
        name: `c${n}`,
        status: "ACTIVE",
        summary: {},
        in_index: true,
        standing: "judged" as const,
        first_seen_at: now,
        recorded_at: now,
      }));
      await opened.database.insert(resources).values(rows);
    }
    await createScan(opened.database, { ...request, targets: regions.map((region) => ({ ...target, region })) }, now);
    const rows = await opened.database.select().from(scan_targets).orderBy(scan_targets.rank);
    expect(rows.map(({ region, rank, expected }) => [region, rank, expected])).toEqual([
      ["eu-west-1", 0, 0],
      ["us-west-2", 1, 2],
      ["us-east-1", 2, 5],
    ]);
  });

  test("who waits to see whether a scan lives may stop waiting", async () => {
    const first = await createScan(opened.database, request, new Date());
    const stopping = new AbortController();
    const begun = beginScan(opened.database, request, {
      alone: false,
      now: () => new Date(),
      onWait: () => stopping.abort(new Error("stopped by SIGINT")),
      signal: stopping.signal,
    });
    await expect(begun).rejects.toThrow("stopped by SIGINT");
    expect(await opened.database.select({ id: scans.id }).from(scans)).toEqual([{ id: first?.scan.id }]);
  });

  test("with a database of its own a process ends what is left behind at once", async () => {
    const { scan } = (await createScan(opened.database, request, now))!;
    expect(await endAbandonedScans(opened.database, true, now)).toEqual([scan.id]);
  });
});
