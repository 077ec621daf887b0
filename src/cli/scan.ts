import { Command, Option } from "commander";
import { UsageError } from "../config.ts";
import type { Database } from "../db/client.ts";
import { renewStatistics } from "../db/statistics.ts";
import type { ScanState } from "../inventory/schema.ts";
import { SEVERITIES, type Severity } from "../policy/verdict.ts";
import type { PolicySet } from "../policy/load.ts";
import type { RemediationCounts } from "../remediation/counts.ts";
import type { Context } from "./context.ts";
import { withContext } from "./context.ts";
import { EXIT } from "./exit.ts";
import { listOption } from "./list-option.ts";
import { progressLine } from "./progress.ts";

type ScanOptions = {
  policies?: string;
  regions?: string[];
  accounts?: string[];
  types?: string[];
  failOn?: Severity;
  confirm?: "all";
  activate?: boolean;
  json?: boolean;
};

/** `tagwarden scan`: one scan from listing to report. */
export function scanCommand(): Command {
  return new Command("scan")
    .description("List every resource, read its tags, judge them, record findings, and report.")
    .option("--policies <folder>", "folder of policy files (default: TAGWARDEN_POLICIES, else policies)")
    .option("--regions <a,b>", "regions (default: tagwarden.yaml, else the AWS SDK's)", listOption)
    .option("--accounts <a,b>", "accounts (default: tagwarden.yaml, else the caller's own)", listOption)
    .option("--types <a,b>", "resource types (default: all thirteen)", listOption)
    .addOption(new Option("--fail-on <severity>", "exit 1 when a finding at or above it is open").choices(SEVERITIES))
    .addOption(
      new Option("--confirm <what>", "all: ask the service for every reading, whatever the index says").choices([
        "all",
      ]),
    )
    .option("--activate", "use the policies given from now on, when they differ from the active ones")
    .option("--json", "print one JSON object instead of the report")
    .addHelpText(
      "after",
      `
Examples:
  tagwarden scan --regions us-east-1,eu-west-1
  tagwarden scan --types campaign,recommender --fail-on high --json > scan.json`,
    )
    .action(async (options: ScanOptions) => {
      process.exitCode = await withContext("scan", (context) => scan(context, options));
    });
}

async function scan(context: Context, options: ScanOptions): Promise<number> {
  const { config, now, signal } = context;
  const [
    { loadPolicies },
    { loadExemptions },
    { targetSource },
    { chooseTargets, chooseTypes },
    { beginTarget },
    { runScan },
  ] = await Promise.all([
    import("../policy/load.ts"),
    import("../exemptions/load.ts"),
    import("../scan/aws-settings.ts"),
    import("../scan/targets.ts"),
    import("../scan/target.ts"),
    import("../scan/run.ts"),
  ]);
  const folder = options.policies ?? config.policies;
  const set = await loadPolicies(folder);
  const exemptions = await loadExemptions(folder, { policies: set.policies, now: now() });
  const types = chooseTypes(options.types);
  const opening = context.database();
  const stored = opening.then(({ database }) => database);
  // Its failure is seen where it is awaited; until then it must not count as unhandled.
  stored.catch(() => {});
  const aws = await context.aws();
  const calls_before = aws.calls.toJSON();
  const caller = await aws.caller();
  const { targets, members } = await chooseTargets(options, await targetSource(config, aws));
  const confirm_all = options.confirm === "all";

  const reading = new AbortController();
  const abort = () => reading.abort(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  const [first] = targets;
  // With the embedded database this process is alone, so reading may begin before the scan has its epoch.
  // A target that cannot be entered is the scan's to record.
  const early = config.database_url === null && first ? await aws.target(first).catch(() => null) : null;
  const begun = early
    ? beginTarget(early, types, { database: stored, confirm_all, now, signal: reading.signal })
    : undefined;
  try {
    const opened = await opening;
    const { database, kind } = opened;
    const { useExemptions } = await import("../scan/exemptions.ts");
    const about = { folder, actor: caller.arn };
    // What cannot be recorded is said before anything is done.
    await useExemptions(database, exemptions, { ...about, dry_run: true });
    const active = await agreeOnSet(context, set, options.activate === true, caller.arn);
    for (const line of await useExemptions(database, exemptions, about)) process.stderr.write(`${line}\n`);
    const { beginScan } = await import("../scan/begin.ts");
    const row = await beginScan(
      database,
      { targets, members, types, confirm_all, trigger: "cli", requested_by: caller.arn },
      {
        alone: kind === "pglite",
        now,
        signal,
        onWait: (milliseconds) =>
          process.stderr.write(
            `A scan of the same targets may be running; waiting up to ${milliseconds / 1000} s to see.\n`,
          ),
      },
    );
    const progress = progressLine(process.stderr);
    const settings = {
      mass_close: config.mass_close,
      targets_at_once: config.limits.targets_at_once,
      accounts: config.accounts,
    };
    const deps = {
      database,
      aws,
      set: active,
      settings,
      now,
      calls_before,
      onProgress: progress.update,
      signal: reading.signal,
    };
    const state = await runScan(deps, row, begun).finally(progress.end);
    await renewStatistics(opened);
    const { autoRemediate } = await import("../remediation/aws/auto.ts");
    const repair = { database, aws, set: active, now, budgets: config.remediation, alone: kind === "pglite" };
    const remediation = state === "cancelled" ? null : await autoRemediate(repair, row.id, signal);
    if (state !== "cancelled") {
      const { nameOpponents } = await import("../scan/name-opponents.ts");
      await nameOpponents(database, now());
    }
    if (state !== "cancelled" && config.remediation.cloudtrail) {
      const { lookUpOpponents } = await import("../scan/look-up-opponents.ts");
      await lookUpOpponents({ database, aws, now }, targets, signal);
    }
    const { printReport } = await import("./report.ts");
    await printReport(database, row.id, options, process.stdout, remediation);
    return await exitCode(database, row.id, state, remediation, options.failOn);
  } catch (error) {
    reading.abort(error);
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** The set to judge by: the one given, once it is the active one. */
async function agreeOnSet(context: Context, set: PolicySet, activate: boolean, actor: string): Promise<PolicySet> {
  const { useSet } = await import("../scan/policies.ts");
  const { database } = await context.database();
  const options = { activate, confirm: false, guard: context.config.mass_close, actor, now: context.now() };
  const activation = await useSet(database, set, options);
  if (activation.outcome === "kept") throw new UsageError(activation.text);
  if (activation.outcome === "activated") process.stderr.write(`${activation.text}\n`);
  return set;
}

/** Incomplete wins over "findings at or above". */
async function exitCode(
  database: Database,
  scan_id: string,
  state: ScanState,
  remediation: RemediationCounts | null,
  failOn: Severity | undefined,
): Promise<number> {
  const unrepaired = remediation ? remediation.conflict + remediation.failed + remediation.blocked : 0;
  if (state !== "succeeded" || unrepaired > 0) return EXIT.incomplete;
  if (failOn === undefined) return EXIT.done;
  const { openBySeverity } = await import("../reports/store.ts");
  const open = await openBySeverity(database, { scan_id });
  const worse = SEVERITIES.slice(SEVERITIES.indexOf(failOn));
  return worse.some((severity) => open[severity] > 0) ? EXIT.no : EXIT.done;
}
