import type { Config } from "./config.ts";
import type { OpenDatabase } from "./db/client.ts";
import { openDatabase } from "./db/open.ts";
import { renewStatistics } from "./db/statistics.ts";
import { type Aws, openAws } from "./inventory/aws/session.ts";
import { autoRemediate } from "./remediation/aws/auto.ts";
import { awsSettings } from "./scan/aws-settings.ts";
import { ensureInstallation, isReachable } from "./scan/installation.ts";
import { lookUpOpponents } from "./scan/look-up-opponents.ts";
import { nameOpponents } from "./scan/name-opponents.ts";
import { scannedTargets } from "./scan/store.ts";
import { startWork, type WorkDeps } from "./scan/work.ts";
import { version } from "./version.ts";

const HOUR_MS = 3_600_000;

/** Starts a process that works on the targets of scans, and nothing else. `folder`: of the embedded database. */
export async function startWorker(options: {
  readonly config: Config;
  readonly sandbox: boolean;
  readonly folder: string;
  readonly workers?: number | undefined;
  readonly now: () => Date;
}): Promise<{ readonly metrics_url: string | null; stop(): Promise<void> }> {
  const { config, now, folder } = options;
  const opened = await openDatabase({ url: config.database_url, folder, command: "tagwarden worker" }, now());
  const metrics = await metricsFor(config);
  const aws = openAws({ ...awsSettings(config), ...(metrics && { onCall: metrics.onCall }) });
  const close = async () => {
    aws.close();
    await opened.close();
  };
  try {
    await ensureInstallation(opened.database, options.sandbox ? "sandbox" : "aws", now());
    await aws.caller();
    const work = await startWork(workDeps({ config, opened, aws, now, at_once: options.workers }));
    const metered = await metrics
      ?.listen({
        database: opened.database,
        reachable: () => isReachable(opened.database),
        leasesHeld: () => work.leasesHeld(),
        service: null,
      })
      .catch(async (error: unknown) => {
        await work.stop();
        throw error;
      });
    return {
      metrics_url: metered?.url ?? null,
      stop: async () => {
        await metered?.close();
        await work.stop();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The metrics of this process; null: they are off. Nothing of them is loaded then. */
export async function metricsFor({ host, metrics_port }: Config) {
  if (metrics_port === null) return null;
  const { openMetrics } = await import("./http/metrics/open.ts");
  return openMetrics(version(), { host, port: metrics_port });
}

/** What a process needs to work on scans, as the configuration says. */
export function workDeps(given: {
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
    budgets: config.remediation,
    afterScan: async (scan, set, signal) => {
      await renewStatistics(opened);
      await nameOpponents(database, now());
      const repair = { database, aws, set, now, budgets: config.remediation, alone: kind === "pglite" };
      await autoRemediate(repair, scan.id, signal);
      if (!config.remediation.cloudtrail) return;
      await lookUpOpponents({ database, aws, now }, await scannedTargets(database, scan.id), signal);
    },
  };
}
