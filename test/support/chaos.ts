import { setTimeout as delay } from "node:timers/promises";
import { eq, sql } from "drizzle-orm";
import { type Database, openPostgres } from "../../src/db/client.ts";
import { migrate } from "../../src/db/migrate.ts";
import type { Target } from "../../src/inventory/resource.ts";
import { RESOURCE_TYPE_NAMES } from "../../src/inventory/resource-types.ts";
import { openTargets } from "../../src/scan/leases.ts";
import { dispatchScan } from "../../src/scan/dispatch.ts";
import { useSet } from "../../src/scan/policies.ts";
import { openQueue, type Queue } from "../../src/scan/queue.ts";
import { createScan, readScan } from "../../src/scan/store.ts";
import { finding_events, findings } from "../../src/findings/schema.ts";
import { scan_units, scans } from "../../src/inventory/schema.ts";
import { scan_targets } from "../../src/scan/schema.ts";
import { startSandbox } from "../../src/sandbox/server.ts";
import { sandboxEnvironment, startCli, workFolder } from "./cli.ts";
import { byIdentity, type Expected, expectedFindings } from "./expected.ts";
import { startPostgres } from "./postgres.ts";
import { POLICIES } from "./scan.ts";

/** How rough it is to be. */
export type Chaos = {
  /** Member accounts beside the management account. */
  readonly accounts: number;
  readonly regions: readonly string[];
  readonly resources: number;
  readonly workers: number;
  /** For so long processes are killed and scans are asked for, one after the other. */
  readonly seconds: number;
  readonly database_restarts: number;
  readonly seed: number;
  readonly say: (line: string) => void;
};

/** What was seen. */
export type Aftermath = {
  readonly kills: number;
  readonly scans: readonly { readonly state: string; readonly seconds: number; readonly throttled: number }[];
  readonly found: readonly Expected[];
  readonly expected: readonly Expected[];
  /** Findings of which anything but one opening was recorded, although nothing ever changed. */
  readonly recorded_twice: number;
  /** Targets of ended scans that nobody ended, and units without an end. */
  readonly unfinished: number;
  /** The most attempts that a target took. */
  readonly most_attempts: number;
};

/** Between two kills: a worker needs a second or two to start, and is to get something done before it dies. */
const EVERY_KILL_MS = [500, 6000] as const;

/**
 * Some workers, one PostgreSQL and a sandbox that throttles a fifth of all calls, drops some
 * connections and loses some replies. While scans are asked for one after the other, workers are killed with -9 at random and
 * started anew, and the database restarts; then the last scan may end.
 */
export async function unleash(chaos: Chaos): Promise<Aftermath> {
  const random = seeded(chaos.seed);
  const sandbox = await startSandbox({
    resources: chaos.resources,
    accounts: chaos.accounts,
    regions: [...chaos.regions],
    seed: chaos.seed,
    latency_ms: 20,
    faults: [
      { kind: "throttle", share: 0.2 },
      { kind: "cut", share: 0.02 },
      { kind: "lost_reply", share: 0.01 },
    ],
  });
  const server = await startPostgres();
  await server.createDatabase("chaos");
  const url = `${server.url}/chaos`;
  const { accounts, regions, role_name } = sandbox.organization;
  const targets = accounts.flatMap(({ id }) => regions.map((region) => ({ partition: "aws", account_id: id, region })));
  const cwd = await workFolder({
    "test.yaml": POLICIES.files[0]?.text ?? "",
    "tagwarden.yaml": `targets:\n  role: ${role_name}\n  accounts: [${accounts.map(({ id }) => `"${id}"`).join(", ")}]\n  regions: [${regions.join(", ")}]\n`,
  });
  const env = { ...sandboxEnvironment(sandbox.url), DATABASE_URL: url, TAGWARDEN_POLICIES: cwd, LOG_LEVEL: "warn" };
  const workers = Array.from({ length: chaos.workers }, () => startCli(["worker", "--workers", "2"], { cwd, env }));
  const opened = await openPostgres(url, { max_connections: 2 });
  const { database } = opened;
  await migrate(opened);
  const queue = await openQueue(opened);
  const ending = new AbortController();
  const until = Date.now() + chaos.seconds * 1000;
  let kills = 0;
  const killing = async () => {
    while (!ending.signal.aborted && Date.now() < until) {
      const [least, most] = EVERY_KILL_MS;
      await delay(least + random() * (most - least));
      if (ending.signal.aborted) return;
      const victim = Math.floor(random() * workers.length);
      workers[victim]?.process.kill("SIGKILL");
      workers[victim] = startCli(["worker", "--workers", "2"], { cwd, env });
      kills++;
    }
  };
  const restarting = async () => {
    for (let nth = 1; nth <= chaos.database_restarts; nth++) {
      await delay((chaos.seconds * 1000) / (chaos.database_restarts + 1));
      chaos.say(`restart ${nth} of the database`);
      await server.restart();
    }
  };
  try {
    const background = [killing(), restarting()];
    do {
      const id = await persist(() => askForScan(database, queue, targets));
      const state = await endOf(database, id, (left) => chaos.say(`${left} targets left; ${kills} kills so far`));
      chaos.say(`scan ${id} ended as ${state}; ${kills} kills so far`);
    } while (Date.now() < until);
    await Promise.all(background);
    const ended = await database.select().from(scans).orderBy(scans.epoch);
    const open = await database.select().from(findings).where(eq(findings.state, "open"));
    const twice = await database
      .select({ id: finding_events.finding_id })
      .from(finding_events)
      .groupBy(finding_events.finding_id)
      .having(sql`count(*) > 1`);
    const [ends] = await database
      .select({
        open: sql<number>`(count(*) filter (where ${scan_targets.state} <> 'ended'))::integer`,
        most: sql<number>`max(${scan_targets.attempts})`,
      })
      .from(scan_targets);
    const [units] = await database
      .select({ open: sql<number>`(count(*) filter (where ${scan_units.state} <> 'complete'))::integer` })
      .from(scan_units);
    return {
      kills,
      scans: ended.map(({ state, started_at, finished_at, api_calls }) => ({
        state,
        seconds: ((finished_at?.getTime() ?? 0) - (started_at?.getTime() ?? 0)) / 1000,
        throttled: (api_calls["throttled"] ?? 0) / Math.max(1, api_calls["total"] ?? 0),
      })),
      found: open.map(({ arn, rule_id: rule, key, kind }) => ({ arn, rule, key, kind })).toSorted(byIdentity),
      expected: expectedFindings(sandbox),
      recorded_twice: twice.length,
      unfinished: (ends?.open ?? 0) + (units?.open ?? 0),
      most_attempts: ends?.most ?? 0,
    };
  } finally {
    ending.abort();
    for (const { process } of workers) process.kill("SIGKILL");
    await Promise.all(workers.map(({ ended }) => ended));
    await queue.stop(1000);
    await opened.close();
    await server.stop();
    await sandbox.close();
  }
}

/** Asks for a scan of everything, as a service does. */
async function askForScan(database: Database, queue: Queue, targets: readonly Target[]): Promise<string> {
  const now = new Date();
  const options = { activate: true, confirm: true, guard: { share: 1, count: 100_000 }, actor: "test", now };
  await useSet(database, POLICIES, options);
  const request = {
    targets,
    types: RESOURCE_TYPE_NAMES,
    confirm_all: false,
    trigger: "api",
    requested_by: "test",
  } as const;
  const created = await createScan(database, request, now);
  if (!created) throw new Error("no scan was created");
  await dispatchScan(database, queue, created.scan.id, POLICIES.id, now);
  return created.scan.id;
}

async function endOf(database: Database, id: string, onLook: (left: number) => void): Promise<string> {
  for (let look = 0; ; look++) {
    const scan = await persist(() => readScan(database, id));
    if (scan?.finished_at) return scan.state;
    if (look % 20 === 19) onLook((await persist(() => openTargets(database, id))).length);
    await delay(500);
  }
}

/** Tries until it works: the database may be restarting. */
async function persist<T>(run: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await run();
    } catch {
      await delay(300);
    }
  }
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
