import { eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { scan_units, scans, units } from "../../src/inventory/schema.ts";
import { beginScan } from "../../src/scan/begin.ts";
import {
  beatScan,
  createScan,
  endAbandonedScans,
  endScan,
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
    await endScan(
      opened.database,
      first!.scan.id,
      { state: "succeeded", warnings: [], api_calls: {}, error: null },
      now,
    );
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
    await endScan(
      opened.database,
      first!.scan.id,
      { state: "succeeded", warnings: [], api_calls: {}, error: null },
      now,
    );
    expect(await createScan(opened.database, { ...request, schedule: { id: "nightly", slot: now } }, now)).toBeNull();
    expect(
      await createScan(opened.database, { ...request, schedule: { id: "nightly", slot: later(60_000) } }, now),
    ).not.toBeNull();
  });

  test("a scan whose process is silent for longer than the lease is ended as failed, its open units cancelled", async () => {
    const { scan } = (await createScan(opened.database, request, now))!;
    await startScan(opened.database, scan.id, "set", now);
    expect(await endAbandonedScans(opened.database, false, later(LEASE_MS))).toEqual([]);
    expect(await endAbandonedScans(opened.database, false, later(LEASE_MS + 1))).toEqual([scan.id]);
    const [row] = await opened.database.select().from(scans).where(eq(scans.id, scan.id));
    expect(row).toMatchObject({ state: "failed", error: expect.stringContaining("scan again") });
    expect((await opened.database.select().from(scan_units)).map(({ state }) => state)).toEqual([
      "cancelled",
      "cancelled",
    ]);
  });

  test("a scan that has ended stays as it ended, whatever comes late", async () => {
    const { scan } = (await createScan(opened.database, request, now))!;
    await startScan(opened.database, scan.id, "set", now);
    const end = { state: "succeeded", warnings: [], api_calls: { total: 7 }, error: null } as const;
    await endScan(opened.database, scan.id, { ...end, warnings: [] }, later(1));
    await beatScan(opened.database, scan.id, { total: 5 }, later(2));
    expect(await failScan(opened.database, scan.id, "it was thought dead", later(3))).toBe(false);
    const [row] = await opened.database.select().from(scans).where(eq(scans.id, scan.id));
    expect(row).toMatchObject({ ...end, finished_at: later(1), heartbeat_at: now });
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
