import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { CannotBeginError, type Config } from "./config.ts";
import { openDatabase } from "./db/open.ts";
import { createApp } from "./http/app.ts";
import { serveApp } from "./http/server.ts";
import { type Aws, openAws } from "./inventory/aws/session.ts";
import { log } from "./log.ts";
import { requestApply } from "./remediation/db/apply-requests.ts";
import { type Sandbox, sandboxCredentials, startSandbox } from "./sandbox/server.ts";
import { awsSettings, targetSource } from "./scan/aws-settings.ts";
import { activeSetReader } from "./scan/active-set.ts";
import { openCurrentSet } from "./scan/current-set.ts";
import { ensureInstallation, isReachable } from "./scan/installation.ts";
import { startRetention } from "./scan/retention.ts";
import { receiveEvent } from "./scan/event-store.ts";
import { ScanRunner } from "./scan/runner.ts";
import { cancelScan } from "./scan/stop.ts";
import { databaseClock } from "./scan/schedules/clock.ts";
import { followConfig } from "./scan/schedules/follow-config.ts";
import { startScheduler } from "./scan/schedules/scheduler.ts";
import type { TickDeps } from "./scan/schedules/tick.ts";
import { hasScanned, type ScanRequest } from "./scan/store.ts";
import { chooseTargets, chooseTypes, type Narrowing } from "./scan/targets.ts";
import { startWork } from "./scan/work.ts";
import { metricsFor, workDeps } from "./worker.ts";
import { version } from "./version.ts";

/** How a service is started. */
export type ServiceOptions = {
  readonly config: Config;
  /** `own`: start an emulated AWS in this process and use nothing else. `remote`: the configured endpoint is one. */
  readonly sandbox: "own" | "remote" | "none";
  /** Folder of the embedded database; an own sandbox keeps its state there too. */
  readonly folder: string;
  /** Port of an own sandbox, for other clients; 0 takes any free one. */
  readonly sandbox_port: number;
  /** How many targets this process works on at a time; 0 leaves them all to workers. Absent: as the configuration says. */
  readonly workers?: number | undefined;
  readonly now: () => Date;
  /** Tells a person at the terminal what is being done. */
  readonly say: (line: string) => void;
};

/** A running service. */
export type Service = {
  readonly url: string;
  /** Where the metrics are; null: they are off. */
  readonly metrics_url: string | null;
  readonly sandbox_url: string | null;
  stop(): Promise<void>;
};

/** Starts everything in order; what was started is stopped again, in the reverse order, when a later step fails. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { config, now, say, folder } = options;
  const stops: (() => void | Promise<void>)[] = [];
  const stop = async () => {
    for (const each of stops.splice(0).toReversed()) await each();
  };
  try {
    const sandbox = options.sandbox === "own" ? await openSandbox(options) : null;
    if (sandbox) stops.push(() => sandbox.close());

    say(config.database_url ? "Opening the database." : `Opening the embedded database in ${folder}.`);
    const opened = await openDatabase({ url: config.database_url, folder, command: "tagwarden serve" }, now());
    const { database } = opened;
    stops.push(opened.close);
    await ensureInstallation(database, options.sandbox === "none" ? "aws" : "sandbox", now());

    const metrics = await metricsFor(config);
    const aws = openAws({
      ...(sandbox ? sandboxSettings(config, sandbox) : awsSettings(config)),
      ...(metrics && { onCall: metrics.onCall }),
    });
    stops.push(() => aws.close());
    const { arn } = await aws.caller();

    const work = await startWork(workDeps({ config, opened, aws, now, at_once: options.workers }));
    stops.push(() => work.stop());

    const policies = await openCurrentSet(database, config.policies, { guard: config.mass_close, actor: arn, now });
    const request = await requestsFor(config, aws, sandbox);
    const checkScope = scopeChecker(request);
    const runner = new ScanRunner({ database, queue: work.queue, now, currentSet: () => policies.refresh() });
    stops.push(() => runner.stop());

    const retention = startRetention(database, config.retention, now);
    stops.push(() => retention.stop());

    const app = createApp({
      database,
      checkScope,
      cancelScan: (id, by) => cancelScan(database, id, by, now()),
      requestScan: async ({ confirm, ...narrowing }, by) =>
        runner.request(await request(narrowing, "api", by, confirm === "all")),
      ready: async () => {
        const ok = await isReachable(database);
        return { ok, checks: { database: ok ? "ok" : "not reachable" } };
      },
      plans: {
        activeSet: activeSetReader(database),
        approval: config.remediation.approval,
        requestApply: (id, actor) =>
          requestApply(database, id, { actor, now: now(), enqueue: (...job) => work.queue.enqueuePlan(...job) }),
      },
      events:
        config.events_keys.length === 0
          ? null
          : { keys: config.events_keys, receive: (event) => receiveEvent(database, work.queue, event, now()) },
      sandbox: options.sandbox !== "none",
      now,
      version: version(),
      policies: () => policies.status(),
      onAnswer: metrics?.onAnswer,
      account_names: new Map(sandbox?.organization.accounts.map(({ id, name }) => [id, name])),
    });
    const server = await serveApp(app, { host: config.host, port: config.port });
    stops.push(() => server.close());
    const metered = await metrics?.listen({
      database,
      reachable: () => isReachable(database),
      leasesHeld: work.leasesHeld,
      service: { policyProblem: () => policies.status().problem !== null },
    });
    if (metered) stops.push(() => metered.close());

    for (const change of await followConfig(database, config.schedules, checkScope)) {
      log.info(change, "schedules follow the file");
    }
    // Accounts are looked for before the slot's row is locked, because that can take a minute.
    const prepare: TickDeps["prepare"] = async ({ id, accounts, regions, types }) => {
      const narrowing = { accounts: accounts ?? undefined, regions: regions ?? undefined, types: types ?? undefined };
      const wanted = await request(narrowing, "schedule", `schedule ${id}`);
      return (transaction, { slot }) => runner.fire(transaction, { ...wanted, schedule: { id, slot } });
    };
    stops.push(startScheduler({ database, prepare, clock: databaseClock }));

    if (sandbox || !(await hasScanned(database))) {
      say("Scanning. Findings appear as units complete.");
      await runner.request(await request({}, "start", "start of the service"));
    }
    return { url: server.url, metrics_url: metered?.url ?? null, sandbox_url: sandbox?.url ?? null, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function openSandbox({ folder, sandbox_port, say }: ServiceOptions): Promise<Sandbox> {
  await mkdir(folder, { recursive: true });
  const sandbox = await startSandbox({ port: sandbox_port, state_file: join(folder, "world.ndjson") });
  say(`Started a sandbox at ${sandbox.url}: an emulated AWS with an invented organization. Real AWS is not touched.`);
  return sandbox;
}

/** AWS is the sandbox and nothing else: neither the environment's credentials nor its region are looked at. */
function sandboxSettings(config: Config, { url, organization }: Sandbox): Parameters<typeof openAws>[0] {
  const { management_account_id, regions, role_name } = organization;
  return {
    ...awsSettings(config),
    endpoint: url,
    region: regions[0] ?? "us-east-1",
    credentials: sandboxCredentials(management_account_id),
    role: { name: role_name, session_name: config.targets.session_name },
  };
}

/** Makes requests for scans: of everything configured, or of the whole organization of a sandbox, unless narrowed. */
async function requestsFor(
  config: Config,
  aws: Aws,
  sandbox: Sandbox | null,
): Promise<
  (
    narrowing: Narrowing,
    trigger: ScanRequest["trigger"],
    requested_by: string,
    confirm_all?: boolean,
  ) => Promise<ScanRequest>
> {
  const source = await targetSource(config, aws);
  const { accounts, regions, role_name: role } = sandbox?.organization ?? {};
  const own = { configured: { accounts: accounts?.map(({ id }) => id), regions, role }, any_region: true };
  return async (narrowing, trigger, requested_by, confirm_all = false) => ({
    ...(await chooseTargets(narrowing, sandbox ? { ...source, ...own } : source)),
    types: chooseTypes(narrowing.types),
    confirm_all,
    trigger,
    requested_by,
  });
}

/**
 * Looks whether a schedule can be scanned. Throws UsageError where it cannot. That AWS cannot be asked just now is no fault of the schedule: its slots try again.
 */
function scopeChecker(request: Awaited<ReturnType<typeof requestsFor>>): (narrowing: Narrowing) => Promise<void> {
  return async (narrowing) => {
    try {
      await request(narrowing, "schedule", "a check");
    } catch (error) {
      if (!(error instanceof CannotBeginError)) throw error;
      log.warn({ error: error.message }, "what a schedule covers could not be looked up");
    }
  };
}
