import { createInterface } from "node:readline/promises";
import { Command } from "commander";
import { type Config, UsageError } from "../config.ts";
import { applyPlan, type ApplyDeps, type ApplyResult } from "../remediation/aws/apply.ts";
import { requestApply } from "../remediation/db/apply-requests.ts";
import { whyPaused } from "../remediation/db/pauses.ts";
import { sensitiveKeys } from "../remediation/mask.ts";
import { formatActions, formatCounts } from "../remediation/plan-text.ts";
import { explainRefusal } from "../remediation/refusal.ts";
import { approvePlan, type Decided, loadPlan } from "../remediation/store.ts";
import { mustBeAnother } from "./another-person.ts";
import { applyProgress } from "./apply-progress.ts";
import { withContext } from "./context.ts";
import { EXIT } from "./exit.ts";

const HELP = `
Each resource is read before it is written and read again after. What someone else changed since the plan is left alone.
Interrupted, or stopped by a budget: apply the same plan again, and it goes on.
In a terminal it asks first; elsewhere the command itself is the approval, unless another person has to give it
(\`remediation.approval.by: another\`).

With --queue the service's workers apply it, and the command does not wait: \`tagwarden plans show\` says how far it is.

Exit codes: 0 done; 2 the plan cannot be applied, nothing was done; 3 an action is in conflict, failed or blocked, or
repairs are paused.

Example:
  tagwarden apply 019aaf00-0000-7000-8000-000000000000`;

const NO_WORKERS =
  "The embedded database belongs to one process, so no worker can hear of it. Leave --queue out, or ask the service: POST /api/v1/plans/{id}/apply.";

/** What the body of the command works with beside what applying needs. */
type CommandDeps = ApplyDeps & {
  readonly actor: string;
  readonly approval: Config["remediation"]["approval"];
  readonly out: (text: string) => void;
  readonly color: boolean;
  /** Shows a person what it is about, and asks; null: nobody is there to ask. */
  readonly confirm: ((about: string, question: string) => Promise<boolean>) | null;
  readonly signal?: AbortSignal;
  /** Told how many actions there are to apply, before the first. */
  readonly onBegin?: (actions: number) => void;
};

/** `tagwarden apply`: makes the changes of a plan, each verified. */
export function applyCommand(): Command {
  return new Command("apply")
    .argument("<plan>", "id of a plan")
    .description("Make the changes of a plan, each verified by reading it back.")
    .option("--yes", "do not ask")
    .option("--queue", "have workers apply it (tagwarden serve, tagwarden worker)")
    .option("--json", "print {plan_id, outcome, counts, remaining, stopped}")
    .addHelpText("after", HELP)
    .action((id: string, options: { yes?: boolean; queue?: boolean; json?: boolean }) =>
      withContext("apply", async (context) => {
        const { database, kind } = await context.database();
        if (options.queue && kind === "pglite") throw new UsageError(NO_WORKERS);
        const set = await context.activePolicies();
        const progress = applyProgress(process.stderr);
        process.exitCode = await apply(
          {
            database,
            set,
            aws: await context.aws(),
            actor: await context.actor(),
            now: context.now,
            budgets: context.config.remediation,
            approval: context.config.remediation.approval,
            alone: kind === "pglite",
            onStep: progress.onStep,
            onBegin: progress.begin,
            onWait: (milliseconds) => {
              process.stderr.write(
                `Another run may hold this plan; waiting up to ${Math.ceil(milliseconds / 1000)} s for it.\n`,
              );
            },
            out: (text) => {
              progress.end();
              process.stdout.write(text);
            },
            color: process.stdout.isTTY && !process.env["NO_COLOR"],
            confirm: process.stdin.isTTY && !options.yes ? ask : null,
            signal: context.signal,
          },
          id,
          options,
        );
      }),
    );
}

/** Shows a plan, asks when someone is there, approves and applies it. Returns the exit code; throws UsageError when refused. */
export async function apply(
  deps: CommandDeps,
  id: string,
  options: { queue?: boolean; json?: boolean },
): Promise<number> {
  const { database, set, actor, now, approval, out, color, confirm, signal } = deps;
  const loaded = await loadPlan(database, id);
  if (!loaded) throw new UsageError(explainRefusal("not_found", id));
  const { plan, actions } = loaded;
  const paused = plan.state === "applied" ? null : await whyPaused(database);
  if (paused !== null) {
    out(`Nothing was written: repairs are ${paused}\nTo let them go on: tagwarden resume\n`);
    return EXIT.incomplete;
  }
  const text = { color, isSensitive: sensitiveKeys(set) };
  if (plan.state === "proposed") {
    const { by, hours } = approval;
    // Said before anyone reads a long list in order to agree to it.
    if (by === "another") mustBeAnother(plan.created_by, actor, id);
    const waiting = actions.filter(({ state }) => state === "planned");
    if (confirm) {
      if (!(await confirm(formatActions(waiting, text), `Change the tags of ${count(waiting.length)}? [y/N] `))) {
        out("Nothing was written.\n");
        return EXIT.no;
      }
    } else if (!options.json) out(`Plan ${id}: ${count(waiting.length)} to change.\n`);
    const approved = await approvePlan(database, id, {
      hash: plan.hash,
      actor,
      now: now(),
      by,
      life_ms: hours * 3_600_000,
    });
    if (approved.outcome !== "done") throw new UsageError(explainRefusal(approved.outcome, id));
  }
  if (options.queue) {
    queued(deps, id, await askWorkers(deps, id), options);
    return EXIT.done;
  }
  deps.onBegin?.(actions.filter(({ state }) => state === "planned" || state === "intended").length);
  const result = await applyPlan(deps, id, actor, signal);
  if (result.outcome === "refused") {
    if (result.reason !== "in_progress" && result.reason !== "paused")
      throw new UsageError(explainRefusal(result.reason, id));
    out(`${explainRefusal(result.reason, id)}\n`);
    return EXIT.incomplete;
  }
  if (options.json) {
    const { counts, outcome, remaining, stopped } = result;
    out(`${JSON.stringify({ plan_id: id, outcome, counts, remaining, stopped }, null, 2)}\n`);
  } else await printResult(deps, id, result, text);
  const { conflict, failed, blocked } = result.counts;
  return conflict + failed + blocked > 0 ? EXIT.incomplete : EXIT.done;
}

/** No job is made: workers look every few seconds for plans that are asked for and have none. */
function askWorkers({ database, actor, now }: CommandDeps, id: string): Promise<Decided> {
  return requestApply(database, id, { actor, now: now(), enqueue: async () => {} });
}

function queued({ out }: CommandDeps, id: string, decided: Decided, options: { json?: boolean }): void {
  if (decided.outcome !== "done") throw new UsageError(explainRefusal(decided.outcome, id));
  const { apply_requested_at, apply_requested_by } = decided.plan;
  out(
    options.json
      ? `${JSON.stringify({ plan_id: id, apply_requested_at, apply_requested_by }, null, 2)}\n`
      : `A worker will apply it. To see how far it is: tagwarden plans show ${id}\n`,
  );
}

async function printResult(
  { database, out }: CommandDeps,
  id: string,
  result: Exclude<ApplyResult, { outcome: "refused" }>,
  text: { color: boolean; isSensitive: (key: string) => boolean },
): Promise<void> {
  if (result.outcome === "nothing_to_do") out(`Plan ${id} was already applied: nothing was written now.\n`);
  const { actions = [] } = (await loadPlan(database, id)) ?? {};
  const troubled = actions.filter(({ state }) => ["conflict", "failed", "blocked", "intended"].includes(state));
  if (troubled.length > 0) out(`${formatActions(troubled, text)}\n`);
  out(formatCounts(result.counts, text));
  if (result.outcome === "stopped") {
    out(
      `Stopped${result.stopped ? `: ${result.stopped}` : ""}. ${count(result.remaining)} left; to go on: tagwarden apply ${id}\n`,
    );
  }
}

async function ask(about: string, question: string): Promise<boolean> {
  if (!process.stderr.isTTY) {
    throw new UsageError(
      "Nobody can be asked: standard error is no terminal. Approve the plan first (tagwarden plans approve), or give --yes.",
    );
  }
  process.stderr.write(about);
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    // Ctrl-C and Ctrl-D reject it: no answer is a no.
    return /^y(es)?$/i.test((await prompt.question(question).catch(() => "")).trim());
  } finally {
    prompt.close();
  }
}

function count(resources: number): string {
  return `${resources} ${resources === 1 ? "resource" : "resources"}`;
}
