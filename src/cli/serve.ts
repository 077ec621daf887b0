import { Command } from "commander";
import { CannotBeginError, loadConfig, UsageError } from "../config.ts";
import { dataFolder, isSandbox, untilSignalled } from "./context.ts";
import { log } from "../log.ts";
import { workersOption } from "./worker.ts";

/** `tagwarden serve`: schedules, HTTP API and dashboard until a signal. */
export function serveCommand(): Command {
  return new Command("serve")
    .description("Run schedules, the HTTP API and the dashboard until stopped.")
    .option("--sandbox", "start an emulated AWS in this process and use nothing else: no account, no key needed")
    .option(
      "--workers <n>",
      "how many targets this process scans at a time; 0 leaves them to `tagwarden worker`",
      workersOption,
    )
    .addHelpText(
      "after",
      `
Examples:
  tagwarden serve --sandbox
  DATABASE_URL=postgres://tagwarden@localhost/tagwarden tagwarden serve
  DATABASE_URL=postgres://tagwarden@localhost/tagwarden tagwarden serve --workers 0

Environment: PORT (8080), METRICS_PORT (off), HOST (127.0.0.1), DATABASE_URL, TAGWARDEN_DATA_DIR, TAGWARDEN_CONFIG, TAGWARDEN_POLICIES.`,
    )
    .action(async ({ sandbox = false, workers }: { sandbox?: boolean; workers?: number }) => {
      const config = await loadConfig(process.env, process.cwd());
      log.level = process.stderr.isTTY && !process.env["LOG_LEVEL"] ? "warn" : config.log_level;
      const remote_sandbox = !sandbox && config.endpoint !== null && (await isSandbox(config.endpoint));
      if (sandbox && config.database_url !== null && config.endpoint !== null) {
        throw new UsageError(
          "--sandbox starts its own AWS, and AWS_ENDPOINT_URL names another one: unset one of them.",
        );
      }
      if (workers === 0 && config.database_url === null) {
        throw new UsageError(
          "--workers 0 leaves scans to other processes, and the embedded database allows none: set DATABASE_URL to a PostgreSQL server.",
        );
      }
      const { signal, release } = untilSignalled();
      const say = (line: string) => process.stderr.write(`${line}\n`);
      const { startService } = await import("../main.ts");
      const kind = sandbox ? "own" : remote_sandbox ? "remote" : "none";
      const folder = dataFolder(config, kind !== "none");
      const service = await startService({
        config,
        sandbox: kind,
        sandbox_port: 0,
        workers,
        folder,
        now: () => new Date(),
        say,
      }).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "EADDRINUSE") throw error;
        throw new CannotBeginError(`Port ${config.port} is in use. Set PORT to another one, as in PORT=8081.`, {
          cause: error,
        });
      });
      if (service.metrics_url !== null) say(`Metrics: ${service.metrics_url}/metrics`);
      say(`Dashboard: ${service.url}   (Ctrl-C stops)`);
      if (!signal.aborted) await new Promise((done) => signal.addEventListener("abort", done, { once: true }));
      say("Stopping.");
      await service.stop();
      release();
    });
}
