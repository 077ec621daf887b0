import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "./config.ts";
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
import { startRetention } from "./scan/retention.ts";
import { runScan } from "./scan/run.ts";
import { ScanRunner } from "./scan/runner.ts";
import { checkSchedules, startSchedules } from "./scan/schedule.ts";
import { hasScanned, type ScanRequest } from "./scan/store.ts";
import { chooseTargets, chooseTypes, type Narrowing } from "./scan/targets.ts";

/** How a service is started. */
export type ServiceOptions = {
  readonly config: Config;
  /** `own`: start an emulated AWS in this process and use nothing else. `remote`: the configured endpoint is one. */
  readonly sandbox: "own" | "remote" | "none";
  /** Folder of the embedded database; an own sandbox keeps its state there too. */
  readonly folder: string;
  /** Port of an own sandbox, for other clients; 0 takes any free one. */
  readonly sandbox_port: number;
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
    const { database, kind } = opened;
    stops.push(opened.close);
    await ensureInstallation(database, options.sandbox === "none" ? "aws" : "sandbox", now());

    const aws = openAws(sandbox ? sandboxSettings(config, sandbox) : awsSettings(config));
    stops.push(() => aws.close());
    const { arn } = await aws.caller();

    const policies = await openCurrentSet(database, config.policies, { guard: config.mass_close, actor: arn, now });
    const request = await requestsFor(config, aws, sandbox);
    const settings = {
      mass_close: config.mass_close,
      targets_at_once: config.limits.targets_at_once,
      accounts: config.accounts,
    };
    const alone = kind === "pglite";
    const runner = new ScanRunner({
      database,
      alone,
      now,
      currentSet: () => policies.refresh(),
      run: async (scan, set, signal) => {
        const state = await runScan({ database, aws, set, settings, now, signal }, scan);
        log.info({ scan_id: scan.id, state }, "scan ended");
        await renewStatistics(opened);
        if (state === "cancelled") return;
        await autoRemediate({ database, aws, set, now, budgets: config.remediation, alone }, scan.id, signal);
      },
    });
    stops.push(() => runner.stop());
    await runner.endAbandoned();

    const retention = startRetention(database, config.retention, now);
    stops.push(() => retention.stop());

    const app = createApp({
      database,
      requestScan: ({ confirm, ...narrowing }, by) => runner.request(request(narrowing, "api", by, confirm === "all")),
      ready: async () => {
        const ok = await isReachable(database);
        return { ok, checks: { database: ok ? "ok" : "not reachable" } };
      },
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
