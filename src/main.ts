import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "./config.ts";
import type { OpenDatabase } from "./db/client.ts";
import { openDatabase } from "./db/open.ts";
import { reasonOf } from "./db/reason.ts";
import { renewStatistics } from "./db/statistics.ts";
import { createApp } from "./http/app.ts";
import { serveApp } from "./http/server.ts";
import { type Aws, openAws } from "./inventory/aws/session.ts";
import { log } from "./log.ts";
import { autoRemediate } from "./remediation/aws/auto.ts";
import { type Sandbox, sandboxCredentials, startSandbox } from "./sandbox/server.ts";
import { awsSettings } from "./scan/aws-settings.ts";
import { openCurrentSet } from "./scan/current-set.ts";
import { ensureInstallation, isReachable } from "./scan/installation.ts";
import { receiveEvent } from "./scan/event-store.ts";
import { ScanRunner } from "./scan/runner.ts";
import { checkSchedules, startSchedules } from "./scan/schedule.ts";
import { cancelScan } from "./scan/stop.ts";
import { hasScanned, type ScanRequest } from "./scan/store.ts";
import { chooseTargets, chooseTypes, type Narrowing } from "./scan/targets.ts";
import { startWork, type WorkDeps } from "./scan/work.ts";

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
export type Service = { readonly url: string; readonly sandbox_url: string | null; stop(): Promise<void> };

/** Starts everything in order; what was started is stopped again, in the reverse order, when a later step fails. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { config, now, say, folder } = options;
  const stops: (() => void | Promise<void>)[] = [];
  const stop = async () => {
    for (const each of stops.splice(0).toReversed()) await each();
  };
  try {
    checkSchedules(config.schedules);

    const sandbox = options.sandbox === "own" ? await openSandbox(options) : null;
    if (sandbox) stops.push(() => sandbox.close());

    say(config.database_url ? "Opening the database." : `Opening the embedded database in ${folder}.`);
    const opened = await openDatabase({ url: config.database_url, folder, command: "tagwarden serve" }, now());
    const { database } = opened;
    stops.push(opened.close);
    await ensureInstallation(database, options.sandbox === "none" ? "aws" : "sandbox", now());

    const aws = openAws(sandbox ? sandboxSettings(config, sandbox) : awsSettings(config));
    stops.push(() => aws.close());
    const { arn } = await aws.caller();

    const work = await startWork(workDeps({ config, opened, aws, now, at_once: options.workers }));
    stops.push(() => work.stop());

    const policies = await openCurrentSet(database, config.policies, { guard: config.mass_close, actor: arn, now });
    const request = await requestsFor(config, aws, sandbox);
    const runner = new ScanRunner({ database, queue: work.queue, now, currentSet: () => policies.refresh() });
    stops.push(() => runner.stop());

    const app = createApp({
      database,
      cancelScan: (id, by) => cancelScan(database, id, by, now()),
      requestScan: ({ confirm, ...narrowing }, by) => runner.request(request(narrowing, "api", by, confirm === "all")),
      ready: async () => {
        const ok = await isReachable(database);
        return { ok, checks: { database: ok ? "ok" : "not reachable" } };
      },
      events:
        config.events_keys.length === 0
          ? null
          : { keys: config.events_keys, receive: (event) => receiveEvent(database, work.queue, event, now()) },
      sandbox: options.sandbox !== "none",
      now,
      version: version(),
      policies: () => policies.status(),
      account_names: new Map(sandbox?.organization.accounts.map(({ id, name }) => [id, name])),
    });
    const server = await serveApp(app, { host: config.host, port: config.port });
    stops.push(() => server.close());

    stops.push(
      startSchedules(config.schedules, (schedule, slot) => {
        runner
          .fire({ ...request({}, "schedule", `schedule ${schedule.id}`), schedule: { id: schedule.id, slot } })
          .catch((error: unknown) =>
            log.error({ schedule: schedule.id, error: reasonOf(error) }, "a schedule could not begin a scan"),
          );
      }),
    );

    if (sandbox || !(await hasScanned(database))) {
      say("Scanning. Findings appear as units complete.");
      await runner.request(request({}, "start", "start of the service"));
    }
    return { url: server.url, sandbox_url: sandbox?.url ?? null, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Starts a process that works on the targets of scans, and nothing else. `folder`: of the embedded database. */
export async function startWorkerProcess(options: {
  readonly config: Config;
  readonly sandbox: boolean;
  readonly folder: string;
  readonly workers?: number | undefined;
  readonly now: () => Date;
}): Promise<{ stop(): Promise<void> }> {
  const { config, now, folder } = options;
  const opened = await openDatabase({ url: config.database_url, folder, command: "tagwarden worker" }, now());
  const aws = openAws(awsSettings(config));
  const close = async () => {
    aws.close();
    await opened.close();
  };
  try {
    await ensureInstallation(opened.database, options.sandbox ? "sandbox" : "aws", now());
    await aws.caller();
    const work = await startWork(workDeps({ config, opened, aws, now, at_once: options.workers }));
    return {
      stop: async () => {
        await work.stop();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What a process needs to work on scans, as the configuration says. */
function workDeps(given: {
  readonly config: Config;
  readonly opened: OpenDatabase;
  readonly aws: Aws;
  readonly now: () => Date;
  readonly at_once: number | undefined;
}): WorkDeps {
  const { config, opened, aws, now, at_once = config.limits.targets_at_once } = given;
  const { database, kind } = opened;
  const { target_hours, scan_hours } = config.limits;
  return {
    opened,
    aws,
    now,
    at_once,
    settings: { mass_close: config.mass_close, target_ms: target_hours * HOUR_MS, accounts: config.accounts },
    longest_ms: scan_hours * HOUR_MS,
    afterScan: async (scan, set, signal) => {
      await renewStatistics(opened);
      const repair = { database, aws, set, now, budgets: config.remediation, alone: kind === "pglite" };
      await autoRemediate(repair, scan.id, signal);
    },
  };
}

const HOUR_MS = 3_600_000;

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
  (narrowing: Narrowing, trigger: ScanRequest["trigger"], requested_by: string, confirm_all?: boolean) => ScanRequest
> {
  const source = {
    configured: sandbox
      ? {
          accounts: sandbox.organization.accounts.map(({ id }) => id),
          regions: sandbox.organization.regions,
          role: sandbox.organization.role_name,
        }
      : config.targets,
    caller: await aws.caller(),
    default_region: await aws.region(),
    any_region: sandbox !== null || config.endpoint !== null,
  };
  return (narrowing, trigger, requested_by, confirm_all = false) => ({
    targets: chooseTargets(narrowing, source),
    types: chooseTypes(narrowing.types),
    confirm_all,
    trigger,
    requested_by,
  });
}

function version(): string {
  return (JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string }).version;
}
