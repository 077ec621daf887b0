import { setTimeout as delay } from "node:timers/promises";
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { scans } from "../../src/inventory/schema.ts";
import { openQueue, type Queue } from "../../src/scan/queue.ts";
import { ScanRunner } from "../../src/scan/runner.ts";
import { HEARTBEAT_MS, type ScanRequest } from "../../src/scan/store.ts";
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
let queue: Queue;
beforeAll(async () => {
  opened = await openTestDatabase("pglite");
  queue = await openQueue(opened);
});
beforeEach(() => emptyTables(opened.database));
afterAll(async () => {
  await queue.stop(1000);
  await opened.close();
});

function runnerOf(currentSet: () => Promise<typeof POLICIES>): ScanRunner {
  return new ScanRunner({ database: opened.database, queue, now: () => new Date(), currentSet });
}

async function rowOf(scan_id: string) {
  const [row] = await opened.database.select().from(scans).where(eq(scans.id, scan_id));
  return row!;
}

test("a scan that waits for its policies to be activated is not taken for abandoned", async () => {
  let scan_id = "";
  const runner = runnerOf(async () => {
    await delay(HEARTBEAT_MS * 1.5);
    const { state, heartbeat_at, created_at } = await rowOf(scan_id);
    expect(state).toBe("queued");
    expect(heartbeat_at!.getTime()).toBeGreaterThan(created_at.getTime() + HEARTBEAT_MS / 2);
    return POLICIES;
  });
  ({ scan_id } = await runner.request(request));
  await expect.poll(async () => (await rowOf(scan_id)).state, { timeout: 3 * HEARTBEAT_MS }).toBe("running");
  await runner.stop();
  expect(await rowOf(scan_id)).toMatchObject({ dispatched: true, policy_set_id: POLICIES.id });
});

test("a scan that could not begin has failed, says why, and stands in nobody's way", async () => {
  const runner = runnerOf(() => Promise.reject(new Error("the disk is full")));
  const { scan_id } = await runner.request(request);
  await expect.poll(async () => (await rowOf(scan_id)).state).toBe("failed");
  expect(await rowOf(scan_id)).toMatchObject({ error: "the disk is full" });
  expect(await runner.request(request)).toMatchObject({ deduplicated: false });
  await runner.stop();
});
