import { sql } from "drizzle-orm";
import { type ConstructorOptions, fromDrizzle, fromPglite, type JobInsert, PgBoss } from "pg-boss";
import type { Database, OpenDatabase } from "../db/client.ts";
import { reasonOf } from "../db/reason.ts";
import { log } from "../log.ts";
import type { ScanTargetKey } from "./leases.ts";

/** A target that waits, and its place in the order of its scan. */
export type QueuedTarget = ScanTargetKey & { readonly rank: number };

/**
 * The jobs by which processes hear that there is work: pg-boss, in the same database. A job carries ids only and says nothing about
 * the state of the work, which our own rows hold: one that is lost is made again, one that is there twice does nothing.
 */
export type Queue = {
  /** Makes jobs for targets, in the caller's transaction. One that waits already stays alone. */
  enqueue(transaction: Database, targets: readonly QueuedTarget[]): Promise<void>;
  /** Takes jobs, so many at a time, until `stop`. */
  work(at_once: number, handle: (key: ScanTargetKey) => Promise<void>): Promise<void>;
  /** Makes jobs for resources of which events told, in the caller's transaction: each in a moment, so that a burst becomes one. */
  enqueueResources(transaction: Database, arns: readonly string[]): Promise<void>;
  /** Takes jobs of resources, a batch at a time, until `stop`. */
  workOnResources(handle: (arn: string) => Promise<void>): Promise<void>;
  /** Makes a job for a plan that is to be applied, in the caller's transaction. One that waits already stays alone. */
  enqueuePlan(transaction: Database, plan_id: string): Promise<void>;
  /** Takes jobs of plans until `stop`. */
  workOnPlans(handle: (plan_id: string) => Promise<void>): Promise<void>;
  /** Looks for jobs now, and not only at the next look. */
  wake(): void;
  /** Takes no more jobs and waits for those under way, for so long at most. */
  stop(milliseconds: number): Promise<void>;
};

/** Schema of pg-boss's tables, beside ours. */
const SCHEMA = "pgboss";
const NAME = "scan-target";
const RESOURCES = "event-resource";
const PLANS = "apply-plan";
/** How long a resource of which an event told is left alone: what else comes of it meanwhile is seen by the same look. Seconds. */
const FOLD_SECONDS = 2;
/** How many resources a process looks at at a time: twice so many, so that a target that does not answer holds up only half of them. */
const RESOURCES_AT_ONCE = 16;
/** How many plans a process applies at a time. */
const PLANS_AT_ONCE = 2;
/** How often a process looks for a job when it has none. */
const POLL_SECONDS = 1;
const DAY_SECONDS = 24 * 3600;

/** Opens the queue and makes its tables where they are missing. */
export async function openQueue(opened: OpenDatabase): Promise<Queue> {
  const boss = new PgBoss({ ...connectionOf(opened), ...SETTINGS });
  boss.on("error", (error) => log.warn({ error: reasonOf(error) }, "the job queue met an error and goes on"));
  await boss.start();
  // `short`: one job of a target or a resource may wait, and another one may be under way, whose process may be dead.
  const options = {
    policy: "short",
    // What comes of a job our rows say, and what is left undone is made a job again.
    retryLimit: 0,
    expireInSeconds: DAY_SECONDS - 1,
    retentionSeconds: 14 * DAY_SECONDS,
    deleteAfterSeconds: 3600,
  } as const;
  await boss.createQueue(NAME, options);
  await boss.createQueue(RESOURCES, options);
  await boss.createQueue(PLANS, options);
  const workers: string[] = [];
  const wake = () => {
    for (const id of workers) boss.notifyWorker(id);
  };
  return {
    enqueue: async (transaction, targets) => {
      // The share of each scan: what comes k-th in its scan is taken before what comes later in any other.
      const jobs = targets.map(({ rank, ...data }) => ({ data, priority: -rank, singletonKey: keyOf(data) }));
      await insertJobs(boss, NAME, jobs, transaction);
    },
    work: async (at_once, handle) => {
      const options = { localConcurrency: at_once, pollingIntervalSeconds: POLL_SECONDS, batchSize: 1 };
      workers.push(
        await boss.work<ScanTargetKey>(NAME, options, async (jobs) => {
          for (const { data } of jobs) await handle(data);
          // Where there was one there may be more: a scan that was cancelled leaves thousands of which each takes no time.
          wake();
        }),
      );
    },
    enqueueResources: async (transaction, arns) => {
      const startAfter = `${FOLD_SECONDS} seconds`;
      const jobs = arns.map((arn) => ({ data: { arn }, singletonKey: arn, startAfter }));
      await insertJobs(boss, RESOURCES, jobs, transaction);
    },
    workOnResources: async (handle) => {
      const options = { localConcurrency: 2, pollingIntervalSeconds: POLL_SECONDS, batchSize: RESOURCES_AT_ONCE };
      await boss.work<{ arn: string }>(RESOURCES, options, async (jobs) => {
        await Promise.all(jobs.map(({ data }) => handle(data.arn)));
      });
    },
    enqueuePlan: (transaction, plan_id) =>
      insertJobs(boss, PLANS, [{ data: { plan_id }, singletonKey: plan_id }], transaction),
    workOnPlans: async (handle) => {
      const options = { localConcurrency: PLANS_AT_ONCE, pollingIntervalSeconds: POLL_SECONDS, batchSize: 1 };
      await boss.work<{ plan_id: string }>(PLANS, options, async (jobs) => {
        for (const { data } of jobs) await handle(data.plan_id);
      });
    },
    wake,
    stop: (milliseconds) => boss.stop({ graceful: true, timeout: milliseconds, close: true }),
  };
}

async function insertJobs(boss: PgBoss, name: string, jobs: JobInsert[], transaction: Database): Promise<void> {
  for (let start = 0; start < jobs.length; start += 1000) {
    await boss.insert(name, jobs.slice(start, start + 1000), { db: within(transaction) });
  }
}

/** What pg-boss is not to do: schedules are ours, and what it would note of itself nobody reads. */
const SETTINGS = {
  schema: SCHEMA,
  schedule: false,
  registerInstance: false,
  monitorVacuum: false,
  openTelemetry: { enabled: false },
} satisfies ConstructorOptions;

function connectionOf({ url, embedded }: OpenDatabase): ConstructorOptions {
  if (embedded) return { db: fromPglite(embedded), backend: "pglite", reindex: false };
  if (url === null) throw new Error("a database that is not embedded has a URL");
  return { connectionString: url, application_name: "tagwarden jobs", max: 2 };
}

/** The caller's transaction as pg-boss takes it: both drivers return an object with rows, which drizzle's common type leaves open. */
function within(transaction: Database): ReturnType<typeof fromDrizzle> {
  return fromDrizzle(transaction as unknown as Parameters<typeof fromDrizzle>[0], sql);
}

function keyOf({ scan_id, account_id, region }: ScanTargetKey): string {
  return `${scan_id}/${account_id}/${region}`;
}
