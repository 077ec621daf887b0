import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { CannotBeginError, type Config, loadConfig, UsageError } from "../config.ts";
import type { OpenDatabase } from "../db/client.ts";
import { openDatabase } from "../db/open.ts";
import type { Aws } from "../inventory/aws/session.ts";
import { log } from "../log.ts";
import type { PolicySet } from "../policy/load.ts";
import { ensureInstallation } from "../scan/installation.ts";
import { skipWasmOptimizer } from "./quick-wasm.ts";

/** What a command may ask for; each part is opened when first asked for, and closed at the end. */
export type Context = {
  readonly config: Config;
  /** The endpoint is a sandbox, not real AWS. */
  readonly sandbox: boolean;
  readonly now: () => Date;
  /** Aborts on Ctrl-C and SIGTERM; a second one ends the process at once. */
  readonly signal: AbortSignal;
  /** Opened, migrated, and made for the kind of AWS that is used. */
  database(): Promise<OpenDatabase>;
  aws(): Promise<Aws>;
  /** The set of policies that the database holds as active. Throws UsageError when there is none. */
  activePolicies(): Promise<PolicySet>;
  /** Who acts: the AWS caller's ARN, else the system user, also where AWS does not say within `patience_ms`. */
  actor(patience_ms?: number): Promise<string>;
};

/** Runs a command's body with a context, and closes what it opened, whatever happens. */
export async function withContext<T>(command: string, body: (context: Context) => Promise<T>): Promise<T> {
  const config = await loadConfig(process.env, process.cwd());
  log.level = config.log_level;
  const now = () => new Date();
  const sandbox = config.endpoint !== null && (await isSandbox(config.endpoint));
  const { signal, release } = untilSignalled();
  let database: Promise<OpenDatabase> | undefined;
  let aws: Promise<Aws> | undefined;
  let policies: Promise<PolicySet> | undefined;
  const context: Context = {
    config,
    sandbox,
    now,
    signal,
    database: () => (database ??= openFor(config, sandbox, command, now)),
    aws: () => (aws ??= openAwsFor(config)),
    activePolicies: () => (policies ??= loadActive(context)),
    actor: async (patience_ms) => {
      try {
        const caller = context.aws().then((opened) => opened.caller());
        return (await (patience_ms === undefined ? caller : within(patience_ms, caller))).arn;
      } catch {
        return `${userInfo().username}@${hostname()}`;
      }
    },
  };
  try {
    return await body(context);
  } finally {
    release();
    const [openedDatabase, openedAws] = await Promise.allSettled([database, aws]);
    if (openedAws.status === "fulfilled") openedAws.value?.close();
    if (openedDatabase.status === "fulfilled") await openedDatabase.value?.close();
  }
}

/** What comes in time. Rejects when it does not. */
function within<T>(milliseconds: number, answer: Promise<T>): Promise<T> {
  const late = setTimeout(milliseconds, null, { ref: false }).then(() => Promise.reject(new Error("too late")));
  return Promise.race([answer, late]);
}

/** The folder of the embedded database: a sandbox has its own, unless the user chose one. */
export function dataFolder(config: Config, sandbox: boolean): string {
  return sandbox && !config.data_dir_given ? join(config.data_dir, "sandbox") : config.data_dir;
}

async function openFor(config: Config, sandbox: boolean, command: string, now: () => Date): Promise<OpenDatabase> {
  if (config.database_url === null) skipWasmOptimizer();
  const location = { url: config.database_url, folder: dataFolder(config, sandbox), command: `tagwarden ${command}` };
  const opened = await openDatabase(location, now());
  try {
    await ensureInstallation(opened.database, sandbox ? "sandbox" : "aws", now());
    return opened;
  } catch (error) {
    await opened.close();
    throw error;
  }
}

async function openAwsFor(config: Config): Promise<Aws> {
  const { awsSettings } = await import("../scan/aws-settings.ts");
  const { openAws } = await import("../inventory/aws/session.ts");
  return openAws(awsSettings(config));
}

async function loadActive(context: Context): Promise<PolicySet> {
  const { activeSet } = await import("../policy/store.ts");
  const { compilePolicies } = await import("../policy/load.ts");
  const active = await activeSet((await context.database()).database);
  if (!active)
    throw new UsageError("No policies are active yet: run `tagwarden scan` or `tagwarden policies activate` first.");
  return compilePolicies(active.files);
}

/** Asks an endpoint whether it is a sandbox of ours. Throws CannotBeginError when nothing answers there. */
export async function isSandbox(endpoint: string): Promise<boolean> {
  try {
    const response = await fetch(endpoint, { signal: AbortSignal.timeout(5000) });
    const text = await response.text();
    return response.ok && text.includes('"tagwarden-sandbox"');
  } catch (cause) {
    throw new CannotBeginError(
      `Nothing answers at ${endpoint}, which AWS_ENDPOINT_URL names. Is \`tagwarden sandbox\` running?`,
      {
        cause,
      },
    );
  }
}

/** A signal that aborts on Ctrl-C and SIGTERM; a second one ends the process at once. */
export function untilSignalled(): { readonly signal: AbortSignal; readonly release: () => void } {
  const controller = new AbortController();
  let first_at = 0;
  const stop = (name: NodeJS.Signals) => {
    // npm repeats the Ctrl-C that the terminal has sent to its children already: what comes so soon is the same one.
    if (controller.signal.aborted && performance.now() - first_at < 500) return;
    if (controller.signal.aborted) process.exit(name === "SIGINT" ? 130 : 143);
    first_at = performance.now();
    controller.abort(new Error(`stopped by ${name}`));
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  return { signal: controller.signal, release: () => process.off("SIGINT", stop).off("SIGTERM", stop) };
}
