import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "./config.ts";
import { openDatabase } from "./db/open.ts";
import { createApp } from "./http/app.ts";
import { serveApp } from "./http/server.ts";
import { openAws } from "./inventory/aws/session.ts";
import { log } from "./log.ts";
import { autoRemediate } from "./remediation/auto.ts";
import { awsSettings } from "./scan/aws-settings.ts";
import { openCurrentSet } from "./scan/current-set.ts";
import { ensureInstallation } from "./scan/installation.ts";
import { type ScanDeps, runScan } from "./scan/run.ts";
import { ScanRunner } from "./scan/runner.ts";
import { checkSchedules, type Schedule, startSchedules } from "./scan/schedule.ts";
import { hasScanned, type ScanRequest } from "./scan/store.ts";
import { chooseTargets, chooseTypes, type Narrowing } from "./scan/targets.ts";
import { sandboxCredentials, startSandbox } from "./sandbox/server.ts";
import { sql } from "drizzle-orm";

/** How a service is started. */
export type ServiceOptions = {
  readonly config: Config;
  /** Start an emulated AWS and use nothing else. */
  readonly sandbox: boolean;
  /** Folder of the embedded database; the sandbox's own state lies there too. */
  readonly folder: string;
  /** The configured endpoint is a sandbox that runs elsewhere. */
  readonly remote_sandbox: boolean;
  readonly now: () => Date;
  /** Tells a person at the terminal what is being done. */
  readonly say: (line: string) => void;
};

/** A running service. */
export type Service = { readonly url: string; stop(): Promise<void> };

/** Starts everything in order; what was started is stopped again, in the reverse order, when a later step fails. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { config, now, say, folder } = options;
  const stops: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const each of stops.toReversed()) await each();
    stops.length = 0;
  };
  try {
    checkSchedules(config.schedules);

    const sandbox = options.sandbox ? await openSandbox(folder, say) : null;
    if (sandbox) stops.push(() => sandbox.close());

    say(config.database_url ? "Opening the database." : `Opening the embedded database in ${folder}.`);
    const opened = await openDatabase({ url: config.database_url, folder, command: "tagwarden serve" }, now());
    stops.push(() => opened.close());
    const { database } = opened;
    await ensureInstallation(database, options.sandbox || options.remote_sandbox ? "sandbox" : "aws", now());

    const aws = openAws(
      awsSettings(
        sandbox ? { ...config, targets: { ...config.targets, role: sandbox.organization.role_name } } : config,
        sandbox ? { endpoint: sandbox.url, credentials: sandboxCredentials(sandbox.organization.management_account_id) } : undefined,
      ),
    );
    stops.push(async () => aws.close());
    const caller = await aws.caller();

    const policies = await openCurrentSet(database, config.policies, { guard: config.mass_close, actor: caller.arn, now });
    const settings = { mass_close: config.mass_close, targets_at_once: config.limits.targets_at_once };
    const runner = new ScanRunner({
      database,
      sole: opened.kind === "pglite",
      currentSet: () => policies.refresh(),
      run: async (scan, set, signal) => {
        const deps: ScanDeps = { database, aws, set, settings, now, signal };
        const state = await runScan(deps, scan);
        log.info({ scan_id: scan.id, state }, "scan ended");
        if (state !== "cancelled") await autoRemediate({ database, aws, set, now, budgets: config.remediation }, scan.id, signal);
      },
      now,
    });
    stops.push(() => runner.stop());
    await runner.endAbandoned();

    const request = (narrowing: Narrowing, trigger: ScanRequest["trigger"], requested_by: string, confirm_all = false): ScanRequest => ({
      targets: chooseTargets(narrowing, {
        configured: sandbox ? { accounts: sandbox.organization.accounts.map(({ id }) => id), regions: sandbox.organization.regions, role: "any" } : config.targets,
        caller,
        default_region: aws.default_region,
        any_region: sandbox !== null || config.endpoint !== null,
      }),
      types: chooseTypes(narrowing.types),
      confirm_all,
      trigger,
      requested_by,
    });

    const app = createApp({
      database,
      requestScan: ({ confirm, ...narrowing }, by) => runner.request(request(narrowing, "api", by, confirm === "all")),
      ready: () => readiness(opened.database),
      sandbox: sandbox !== null || options.remote_sandbox,
      now,
      version: version(),
      policies: () => policies.status(),
      account_names: new Map(sandbox?.organization.accounts.map(({ id, name }) => [id, name])),
    });
    const server = await serveApp(app, { host: config.host, port: config.port });
    stops.push(() => server.close());

    const schedules: readonly Schedule[] = config.schedules;
    const stopSchedules = startSchedules(schedules, (schedule, slot) => {
      runner
        .fire(schedule, { ...request({}, "schedule", `schedule ${schedule.id}`), schedule: { id: schedule.id, slot } })
        .catch((error: unknown) => log.error({ schedule: schedule.id, error: String(error) }, "schedule could not begin a scan"));
    });
    stops.push(stopSchedules);

    if (sandbox || !(await hasScanned(database))) {
      say("Scanning. Findings appear as units complete.");
      await runner.request(request({}, "start", "start of the service"));
    }
    return { url: server.url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function openSandbox(folder: string, say: (line: string) => void) {
  await mkdir(folder, { recursive: true });
  const sandbox = await startSandbox({ state_file: join(folder, "sandbox.ndjson") });
  say(`Started a sandbox at ${sandbox.url}: an emulated AWS with an invented organization. Real AWS is not touched.`);
  return sandbox;
}

async function readiness(database: Awaited<ReturnType<typeof openDatabase>>["database"]) {
  try {
    await database.execute(sql`select 1`);
    return { ok: true, checks: { database: "ok" } };
  } catch {
    return { ok: false, checks: { database: "not reachable" } };
  }
}

function version(): string {
  return (JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string }).version;
}
