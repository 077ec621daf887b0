import { Command, InvalidArgumentError } from "commander";
import { loadConfig, UsageError } from "../config.ts";
import { log } from "../log.ts";
import { dataFolder, isSandbox, untilSignalled } from "./context.ts";

/** `tagwarden worker`: scans the targets that others ask for, beside any number of the same, until a signal. */
export function workerCommand(): Command {
  return new Command("worker")
    .description("Work on scans that a service, a schedule or the API asks for. Any number of workers share them.")
    .option(
      "--workers <n>",
      "how many targets to scan at a time (limits.targets_at_once when not given)",
      workersOption,
    )
    .addHelpText(
      "after",
      `
Examples:
  DATABASE_URL=postgres://tagwarden@db/tagwarden tagwarden worker
  DATABASE_URL=postgres://tagwarden@db/tagwarden tagwarden worker --workers 8

It needs a PostgreSQL server, the configuration of the service, and credentials that may assume the same roles. Policies come
from the database. Stopped by Ctrl-C or SIGTERM it gives back what it works on, which another worker then takes; killed, within
half a minute. METRICS_PORT makes it answer /metrics, /livez and /readyz there, on HOST (127.0.0.1).`,
    )
    .action(async ({ workers }: { workers?: number }) => {
      const config = await loadConfig(process.env, process.cwd());
      log.level = process.stderr.isTTY && !process.env["LOG_LEVEL"] ? "warn" : config.log_level;
      if (config.database_url === null) {
        throw new UsageError(
          "A worker shares its database with the service: set DATABASE_URL to a PostgreSQL server. With the embedded database `tagwarden serve` does the work itself.",
        );
      }
      if (workers === 0) throw new UsageError("--workers 0 would do nothing: give a number from 1 to 64.");
      const sandbox = config.endpoint !== null && (await isSandbox(config.endpoint));
      const { signal, release } = untilSignalled();
      const { startWorker } = await import("../worker.ts");
      const folder = dataFolder(config, sandbox);
      const worker = await startWorker({ config, sandbox, folder, workers, now: () => new Date() });
      if (worker.metrics_url !== null) process.stderr.write(`Metrics: ${worker.metrics_url}/metrics\n`);
      process.stderr.write("Working on scans.   (Ctrl-C stops)\n");
      if (!signal.aborted) await new Promise((done) => signal.addEventListener("abort", done, { once: true }));
      process.stderr.write("Stopping.\n");
      await worker.stop();
      release();
    });
}

/** A number of targets at a time, 0 to 64. */
export function workersOption(text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number > 64) throw new InvalidArgumentError("It has to be a number from 0 to 64.");
  return number;
}
