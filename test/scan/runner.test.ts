import { setTimeout as delay } from "node:timers/promises";
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { scans } from "../../src/inventory/schema.ts";
import { type RunnerDeps, ScanRunner } from "../../src/scan/runner.ts";
import { endScan, HEARTBEAT_MS, type ScanRequest } from "../../src/scan/store.ts";
import { emptyTables, openTestDatabase } from "../support/database.ts";
import { POLICIES } from "../support/scan.ts";

const request: ScanRequest = {
  targets: [{ partition: "aws", account_id: "111122223333", region: "us-east-1" }],
  types: ["campaign"],
  confirm_all: false,
  trigger: "api",
  requested_by: "a person",
};

let opened: Awaited<ReturnType<typeof openTestDatabase>>;
beforeAll(async () => {
  opened = await openTestDatabase("pglite");
});
beforeEach(() => emptyTables(opened.database));
afterAll(() => opened.close());

function runnerOf(deps: Pick<RunnerDeps, "currentSet" | "run">): ScanRunner {
  return new ScanRunner({ database: opened.database, alone: true, now: () => new Date(), ...deps });
}

async function rowOf(scan_id: string) {
  const [row] = await opened.database.select().from(scans).where(eq(scans.id, scan_id));
  return row!;
}

test("a scan that waits for its policies to be activated is not taken for abandoned", async () => {
  const beats: Date[] = [];
  const runner = runnerOf({
    currentSet: async () => {
      await delay(HEARTBEAT_MS * 1.5);
      return POLICIES;
    },
    run: async ({ id }) => {
      beats.push((await rowOf(id)).heartbeat_at!);
      await endScan(opened.database, id, { state: "succeeded", warnings: [], api_calls: {}, error: null }, new Date());
    },
  });
  const { scan_id } = await runner.request(request);
  await expect.poll(() => beats.length, { timeout: 3 * HEARTBEAT_MS }).toBe(1);
  await runner.stop();
  const { created_at, state } = await rowOf(scan_id);
  expect(beats[0]!.getTime()).toBeGreaterThan(created_at.getTime());
  expect(state).toBe("succeeded");
});

test("a scan that could not begin has failed, says why, and stands in nobody's way", async () => {
  const runner = runnerOf({
    currentSet: () => Promise.reject(new Error("the disk is full")),
    run: () => Promise.resolve(),
  });
  const { scan_id } = await runner.request(request);
  await expect.poll(async () => (await rowOf(scan_id)).state).toBe("failed");
  expect(await rowOf(scan_id)).toMatchObject({ error: "the disk is full" });
  expect(await runner.request(request)).toMatchObject({ deduplicated: false });
  await runner.stop();
});
