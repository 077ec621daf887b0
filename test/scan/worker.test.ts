import { eq, ne, sql } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { finding_events, findings } from "../../src/findings/schema.ts";
import { scan_units, scans } from "../../src/inventory/schema.ts";
import { useSet } from "../../src/scan/policies.ts";
import { dispatchScan } from "../../src/scan/dispatch.ts";
import { Leases, releaseExpired } from "../../src/scan/leases.ts";
import { openQueue, type Queue } from "../../src/scan/queue.ts";
import { reconcileScans } from "../../src/scan/reconciler.ts";
import { scan_targets } from "../../src/scan/schema.ts";
import { cancelScan } from "../../src/scan/stop.ts";
import { createScan, type Scan } from "../../src/scan/store.ts";
import { startWork, type Work } from "../../src/scan/work.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/server.ts";
import { BUDGETS } from "../remediation/world-settings.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";
import { byIdentity, expectedFindings } from "../support/expected.ts";
import { awsOf, POLICIES } from "../support/scan.ts";

const HOUR_MS = 3_600_000;

describeOnBoth("workers on %s", (kind) => {
  let opened: Awaited<ReturnType<typeof openTestDatabase>>;
  let sandbox: Sandbox;
  const closing: (() => Promise<void> | void)[] = [];
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
  });
  beforeEach(async () => {
    await emptyTables(opened.database);
    sandbox = await startSandbox({ resources: 150, accounts: 3, regions: ["us-east-1", "eu-west-1"] });
    closing.push(() => sandbox.close());
  });
  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close();
  });
  afterAll(() => opened.close());

  /** A process that works on scans: a worker with an AWS of its own, over the same database. */
  async function work(changes: Partial<Parameters<typeof startWork>[0]> = {}): Promise<Work & { ended: Scan[] }> {
    const aws = awsOf(sandbox);
    const ended: Scan[] = [];
    const started = await startWork({
      opened,
      aws,
      at_once: 2,
      longest_ms: HOUR_MS,
      now: () => new Date(),
      settings: { mass_close: { share: 0.3, count: 50 }, target_ms: HOUR_MS, accounts: {} },
      budgets: BUDGETS,
      afterScan: async (scan) => void ended.push(scan),
      ...changes,
    });
    let stopped: Promise<void> | undefined;
    const stop = () => (stopped ??= started.stop().finally(() => aws.close()));
    closing.push(stop);
    return { ...started, ended, stop };
  }

  async function queueOnly(): Promise<Queue> {
    const queue = await openQueue(opened);
    closing.push(() => queue.stop(1000));
    return queue;
  }

  /** Asks for a scan of all accounts and regions and tells the workers. */
  async function ask(queue: Queue, types: Scan["types"] = ["campaign", "dataset-group", "solution"]): Promise<Scan> {
    const now = new Date();
    const guard = { share: 1, count: 100_000 };
    await useSet(opened.database, POLICIES, { activate: true, confirm: true, guard, actor: "test", now });
    const { accounts, regions } = sandbox.organization;
    const targets = accounts.flatMap(({ id }) =>
      regions.map((region) => ({ partition: "aws", account_id: id, region })),
    );
    const request = { targets, types, confirm_all: false, trigger: "api", requested_by: "test" } as const;
    const { scan } = (await createScan(opened.database, request, now))!;
    expect(await dispatchScan(opened.database, queue, scan.id, POLICIES.id, now)).toBe(true);
    return scan;
  }

  async function row(scan: Scan): Promise<Scan> {
    const [found] = await opened.database.select().from(scans).where(eq(scans.id, scan.id));
    return found!;
  }

  async function untilEnded(scan: Scan): Promise<Scan> {
    await expect.poll(async () => (await row(scan)).finished_at, { timeout: 60_000 }).not.toBeNull();
    return row(scan);
  }

  async function targetsOf(scan: Scan) {
    return opened.database
      .select()
      .from(scan_targets)
      .where(eq(scan_targets.scan_id, scan.id))
      .orderBy(scan_targets.rank);
  }

  async function found() {
    const open = await opened.database.select().from(findings).where(eq(findings.state, "open"));
    return open.map(({ arn, rule_id: rule, key, kind }) => ({ arn, rule, key, kind })).toSorted(byIdentity);
  }

  function expected(types: readonly string[]) {
    return expectedFindings(sandbox).filter(({ arn }) => types.some((type) => typeOf(arn) === type));
  }

  test("several processes share the targets of a scan, and one of them ends it", async () => {
    const workers = kind === "postgres" ? [await work(), await work(), await work()] : [await work()];
    const scan = await ask(workers[0]!.queue);
    expect(await untilEnded(scan)).toMatchObject({ state: "succeeded", dispatched: true });
    const targets = await targetsOf(scan);
    expect(targets).toHaveLength(sandbox.organization.accounts.length * 2);
    expect(new Set(targets.map(({ state, attempts }) => `${state} ${attempts}`))).toEqual(new Set(["ended 1"]));
    expect(await found()).toEqual(expected(scan.types));
    await Promise.all(workers.map((worker) => worker.stop()));
    expect(workers.flatMap(({ ended }) => ended.map(({ id }) => id))).toEqual([scan.id]);
  });

  test("the calls of a scan are those of its targets", async () => {
    const worker = await work();
    sandbox.calls.reset();
    const scan = await untilEnded(await ask(worker.queue, ["campaign"]));
    expect(scan.api_calls["ListCampaigns"]).toBe(sandbox.calls.by_operation["ListCampaigns"]);
    expect(scan.api_calls["total"]).toBe(
      sandbox.calls.total -
        (sandbox.calls.by_operation["AssumeRole"] ?? 0) -
        (sandbox.calls.by_operation["GetCallerIdentity"] ?? 0),
    );
  });

  test("a process that stops gives its targets back, units that it read are not read again, and another goes on", async () => {
    const queue = await queueOnly();
    const scan = await ask(queue);
    sandbox.setFaults([{ kind: "hang", operation: "ListCampaigns" }]);
    const first = await work();
    const done = async () =>
      (await opened.database.select().from(scan_units).where(eq(scan_units.state, "complete"))).length;
    await expect.poll(done, { timeout: 30_000 }).toBeGreaterThanOrEqual(4);
    await first.stop();
    const before = await targetsOf(scan);
    expect(new Set(before.map(({ state, attempts, lease_owner }) => `${state} ${attempts} ${lease_owner}`))).toEqual(
      new Set(["queued 0 null"]),
    );
    const read = await opened.database.select().from(scan_units).where(eq(scan_units.state, "complete"));
    sandbox.setFaults([]);
    sandbox.calls.reset();

    await work();
    expect(await untilEnded(scan)).toMatchObject({ state: "succeeded" });
    const again = await opened.database.select().from(scan_units).where(eq(scan_units.scan_id, scan.id));
    for (const unit of read) expect(again).toContainEqual(unit);
    expect(await found()).toEqual(expected(scan.types));
  });

  test("a process that lost its lease records nothing more", async () => {
    const queue = await queueOnly();
    const scan = await ask(queue);
    const [target] = await targetsOf(scan);
    const slow = new Leases(opened.database);
    closing.push(() => slow.close());
    const lease = await slow.take(target!, () => ({}));
    if (typeof lease === "string") throw new Error(lease);
    await opened.database.update(scan_targets).set({ lease_expires_at: sql`clock_timestamp() - interval '1 second'` });
    expect(await releaseExpired(opened.database, false)).toBe(1);
    await expect(opened.database.transaction((transaction) => lease.hold(transaction))).rejects.toThrow("lease");
    await expect(slow.end(lease, { api_calls: {}, warnings: [] }, new Date())).rejects.toThrow("lease");
    const quick = new Leases(opened.database);
    closing.push(() => quick.close());
    const next = await quick.take(target!, () => ({}));
    expect(next).toMatchObject({ attempts: 2 });
  });

  test("one process at a time works on a target, whatever the number of scans", async () => {
    const queue = await queueOnly();
    const [one, other] = [await ask(queue), await ask(queue, ["campaign"])];
    const leases = new Leases(opened.database);
    closing.push(() => leases.close());
    const [target] = await targetsOf(one);
    const lease = await leases.take(target!, () => ({}));
    expect(lease).toMatchObject({ scan_id: one.id });
    expect(await leases.take({ ...target!, scan_id: other.id }, () => ({}))).toBe("busy");
    if (typeof lease !== "string") await leases.end(lease, { api_calls: {}, warnings: [] }, new Date());
    expect(await leases.take({ ...target!, scan_id: other.id }, () => ({}))).toMatchObject({ scan_id: other.id });
  });

  test("a cancelled scan ends within a heartbeat, and what it had read stands", async () => {
    const worker = await work();
    sandbox.setFaults([{ kind: "hang", operation: "ListCampaigns" }]);
    const scan = await ask(worker.queue);
    const done = async () =>
      (await opened.database.select().from(scan_units).where(eq(scan_units.state, "complete"))).length;
    await expect.poll(done, { timeout: 30_000 }).toBeGreaterThanOrEqual(4);
    expect(await cancelScan(opened.database, scan.id, "ana@example.com", new Date())).toBe(true);
    expect(await untilEnded(scan)).toMatchObject({ state: "cancelled", stopped_by: "ana@example.com" });
    expect(await done()).toBeGreaterThanOrEqual(4);
    expect(worker.ended).toEqual([]);
    const open = await opened.database.select().from(scan_targets).where(ne(scan_targets.state, "cancelled"));
    expect(open).toEqual([]);
  });

  test("a target that its processes die of is given up after eight, and the others are complete", async () => {
    const queue = await queueOnly();
    const scan = await ask(queue);
    const [target] = await targetsOf(scan);
    await opened.database
      .update(scan_targets)
      .set({ attempts: 8, fruitless: 8 })
      .where(sql`${scan_targets.account_id} = ${target!.account_id} and ${scan_targets.region} = ${target!.region}`);
    await work();
    expect(await untilEnded(scan)).toMatchObject({ state: "partial" });
    const failed = await opened.database.select().from(scan_units).where(eq(scan_units.state, "failed"));
    expect(failed.map(({ account_id, region, error }) => [account_id, region, error?.name])).toEqual(
      scan.types.map(() => [target!.account_id, target!.region, "WorkersLost"]),
    );
  });

  test("a target of which each process ended some units before it died is not given up", async () => {
    const queue = await queueOnly();
    const scan = await ask(queue);
    const [target] = await targetsOf(scan);
    const here = sql`account_id = ${target!.account_id} and region = ${target!.region}`;
    await opened.database
      .update(scan_targets)
      .set({ attempts: 20, fruitless: 8, taken_at: sql`clock_timestamp() - interval '1 minute'` })
      .where(here);
    await opened.database
      .update(scan_units)
      .set({ state: "complete", finished_at: new Date() })
      .where(sql`${here} and type = 'solution'`);
    await work();
    expect(await untilEnded(scan)).toMatchObject({ state: "succeeded" });
    const [row] = await opened.database.select().from(scan_targets).where(here);
    expect(row).toMatchObject({ state: "ended", attempts: 21, fruitless: 1 });
  });

  test("a target that takes longer than is allowed ends with that reason", async () => {
    sandbox.setFaults([{ kind: "hang", operation: "ListCampaigns", region: "eu-west-1" }]);
    const settings = { mass_close: { share: 0.3, count: 50 }, target_ms: 3000, accounts: {} };
    const worker = await work({ settings, at_once: 8 });
    const scan = await untilEnded(await ask(worker.queue));
    expect(scan.state).toBe("partial");
    const failed = await opened.database.select().from(scan_units).where(ne(scan_units.state, "complete"));
    expect(new Set(failed.map(({ region, type, error }) => `${region} ${type} ${error?.name}`))).toEqual(
      new Set(["eu-west-1 campaign TimedOut"]),
    );
  });

  test("a scan that takes longer than is allowed is ended and says so", async () => {
    const queue = await queueOnly();
    const scan = await ask(queue);
    const deps = { database: opened.database, queue, longest_ms: 0, now: () => new Date() };
    const { finishScan } = await import("../../src/scan/finish.ts");
    await reconcileScans({
      ...deps,
      endScan: async (id) => void (await finishScan(opened.database, id, new Date(), {})),
    });
    expect(await row(scan)).toMatchObject({
      state: "failed",
      stop_reason: "timed_out",
      error: expect.stringContaining("scan_hours"),
    });
  });

  test("a job that was lost is made again", async () => {
    const queue = await queueOnly();
    const scan = await ask(queue);
    await opened.database.execute(sql`delete from pgboss.job`);
    await opened.database.update(scan_targets).set({ queued_at: sql`clock_timestamp() - interval '2 minutes'` });
    await work();
    expect(await untilEnded(scan)).toMatchObject({ state: "succeeded" });
  });

  test("a scan whose process died before it had begun is begun by whoever looks after it", async () => {
    const queue = await queueOnly();
    const first = await ask(queue);
    await cancelScan(opened.database, first.id, "test", new Date());
    const { accounts, regions } = sandbox.organization;
    const request = {
      targets: [{ partition: "aws", account_id: accounts[0]!.id, region: regions[0]! }],
      types: first.types,
      confirm_all: false,
      trigger: "cli",
      requested_by: "test",
    } as const;
    const { scan } = (await createScan(opened.database, request, new Date()))!;
    await opened.database
      .update(scans)
      .set({ heartbeat_at: sql`clock_timestamp() - interval '1 minute'` })
      .where(eq(scans.id, scan.id));
    await work();
    expect(await untilEnded(scan)).toMatchObject({ state: "succeeded", policy_set_id: POLICIES.id });
  });

  test("the same scan by workers a second time writes no finding and no event", async () => {
    const worker = await work();
    await untilEnded(await ask(worker.queue));
    const before = await opened.database.select().from(finding_events);
    await untilEnded(await ask(worker.queue));
    expect(await opened.database.select().from(finding_events)).toEqual(before);
  });
});

function typeOf(arn: string): string {
  const [kind = "", ...rest] = arn.split(":")[5]?.split("/") ?? [];
  return kind === "solution" && rest.length > 1 ? "solution-version" : kind;
}
