import { Command, Option } from "commander";
import { type Config, UsageError } from "../config.ts";
import type { Database } from "../db/client.ts";
import type { PolicySet } from "../policy/load.ts";
import { countsOf } from "../remediation/counts.ts";
import { isRunAlive } from "../remediation/db/journal.ts";
import { whyPaused } from "../remediation/db/pauses.ts";
import { sensitiveKeys } from "../remediation/mask.ts";
import { formatActions, formatCounts } from "../remediation/plan-text.ts";
import { explainRefusal } from "../remediation/refusal.ts";
import {
  approvePlan,
  countActions,
  type Decided,
  listPlans,
  loadPlan,
  type PlanRow,
  rejectPlan,
} from "../remediation/store.ts";
import { reasonText } from "../exemptions/form.ts";
import { chosenOf } from "../remediation/choice.ts";
import { exportPlan, shownState } from "../reports/plan-export.ts";
import { printable } from "../terminal/text.ts";
import { withContext } from "./context.ts";
import { mustBeAnother } from "./another-person.ts";
import { checkedOptions } from "./exemption-options.ts";
import { listOption } from "./list-option.ts";
import { pageSizeOption } from "./page-options.ts";
import { table } from "./table.ts";

/** What the bodies of these commands work with. */
type Deps = {
  database: Database;
  set: PolicySet;
  actor: string;
  now: Date;
  approval: Config["remediation"]["approval"];
  out: (text: string) => void;
  color: boolean;
};

type ShowOptions = { format?: "text" | "json" | "csv" | "aws-cli"; json?: boolean };

const SHOW_EXAMPLES = `
Examples:
  tagwarden plans show 019aaf00-0000-7000-8000-000000000000
  tagwarden plans show 019aaf00-0000-7000-8000-000000000000 --format csv > plan.csv`;

type ApproveOptions = { hash?: string; note?: string; only?: string[]; without?: string[] };

const APPROVE_EXAMPLES = `
With \`remediation.approval.by: another\` in tagwarden.yaml, whoever asked for a plan cannot approve it.

Examples:
  tagwarden plans approve 019aaf00-0000-7000-8000-000000000000 --note GOV-12
  tagwarden plans approve 019aaf00-0000-7000-8000-000000000000 --without 'arn:aws:personalize:*:*:campaign/*'`;

type ListOptions = { limit?: number; json?: boolean };

/** `tagwarden plans`: what was planned, approved and applied. */
export function plansCommand(): Command {
  const command = new Command("plans").description("List, show, approve and reject plans.");
  command
    .command("list")
    .description("The plans of this database, newest first.")
    .option("--limit <n>", "how many, 1 to 500", pageSizeOption, 50)
    .option("--json", "print a list of plans")
    .addHelpText("after", "\nExample:\n  tagwarden plans list --limit 5")
    .action((options: ListOptions) => withDeps((deps) => listThem(deps, options)));
  command
    .command("show")
    .argument("<plan>", "id of a plan")
    .description("One plan: every resource with before and after, and what became of it.")
    .addOption(
      new Option("--format <format>", "aws-cli: a shell script of what waits to be applied, which checks nothing")
        .choices(["text", "json", "csv", "aws-cli"])
        .default("text"),
    )
    .addOption(new Option("--json", "as --format json: one object, its actions in it").conflicts("format"))
    .addHelpText("after", SHOW_EXAMPLES)
    .action((id: string, options: ShowOptions) => withDeps((deps) => showOne(deps, id, options)));
  command
    .command("approve")
    .argument("<plan>", "id of a plan")
    .option("--hash <hash>", "the hash of the plan that was reviewed; without it, what the plan is now")
    .option("--note <text>", "what to keep beside the approval, at most 500 characters")
    .option("--only <a,b>", "approve the changes of these resources alone; * stands for any characters", listOption)
    .option("--without <a,b>", "approve all but the changes of these resources", listOption)
    .description("Approve a plan, or a part of it, without applying it. What is left out is never written.")
    .addHelpText("after", APPROVE_EXAMPLES)
    .action((id: string, options: ApproveOptions) => withDeps((deps) => approveOne(deps, id, options)));
  command
    .command("reject")
    .argument("<plan>", "id of a plan")
    .option("--note <text>", "why, at most 500 characters")
    .description("Reject a plan: it can no longer be applied.")
    .addHelpText(
      "after",
      "\nExample:\n  tagwarden plans reject 019aaf00-0000-7000-8000-000000000000 --note 'the team is moving'",
    )
    .action((id: string, options: { note?: string }) => withDeps((deps) => rejectOne(deps, id, options)));
  return command;
}

function withDeps(body: (deps: Deps) => Promise<void>): Promise<void> {
  return withContext("plans", async (context) => {
    const { database } = await context.database();
    const set = await context.activePolicies();
    const color = process.stdout.isTTY && !process.env["NO_COLOR"];
    const out = (text: string) => process.stdout.write(text);
    const { approval } = context.config.remediation;
    await body({ database, set, actor: await context.actor(), now: context.now(), approval, out, color });
  });
}

/** Prints the plans, newest first. */
export async function listThem({ database, now, out }: Deps, options: ListOptions): Promise<void> {
  const { limit = 50 } = options;
  const found = await listPlans(database, limit + 1);
  const rows = found.slice(0, limit);
  if (options.json) {
    const items = rows.map(({ counts: states, ...plan }) => ({
      ...plan,
      state: shownState(plan, now),
      ...countsOf(states),
    }));
    return out(`${JSON.stringify(items, null, 2)}\n`);
  }
  if (rows.length === 0) return out("No plan yet. Make one: tagwarden plan\n");
  out(
    table(
      ["PLAN", "KIND", "STATE", "CREATED", "BY", "EXPIRES", "ACTIONS", "VERIFIED", "REMAINING"],
      rows.map(({ counts: states, ...plan }) => {
        const { counts, remaining } = countsOf(states);
        const { id, kind, created_at, created_by } = plan;
        const numbers = [counts.planned, counts.verified, remaining].map(String);
        const expires = ["proposed", "approved"].includes(plan.state) ? plan.expires_at.toISOString() : "-";
        return [id, kind, shownState(plan, now), created_at.toISOString(), created_by, expires, ...numbers];
      }),
    ),
  );
  if (found.length <= limit) return;
  out(
    limit < 500 ? `More: tagwarden plans list --limit ${Math.min(limit * 2, 500)}\n` : "Older plans are not shown.\n",
  );
}

/** Prints one plan. Throws UsageError when there is none of this id. */
export async function showOne(
  { database, set, now, out, color }: Deps,
  id: string,
  options: ShowOptions,
): Promise<void> {
  const loaded = await loadPlan(database, id);
  if (!loaded) throw new UsageError(explainRefusal("not_found", id));
  const { plan, actions } = loaded;
  const isSensitive = sensitiveKeys(set);
  const format = options.json ? "json" : (options.format ?? "text");
  if (format !== "text") return out(exportPlan(loaded, format, isSensitive, now));
  const { counts, remaining } = countsOf(await countActions(database, id));
  out(`Plan ${id}: ${shownState(plan, now)}, made by ${plan.created_by} at ${plan.created_at.toISOString()}\n`);
  out(decisionLines(plan, now));
  if (plan.undoes_plan_id) out(`Undoes plan ${plan.undoes_plan_id}\n`);
  const paused = plan.state === "applied" || plan.state === "rejected" ? null : await whyPaused(database);
  if (paused !== null) out(`Repairs are ${paused}\n`);
  out(runLine(plan, await isRunAlive(database, id)));
  if (plan.stopped) out(`Stopped: ${plan.stopped}\n`);
  out(`By policies ${plan.policy_set_id.slice(0, 8)}\n`);
  out(`Hash ${plan.hash}\n\n${formatActions(actions, { color, isSensitive })}`);
  if (plan.started_at) out(`\n${formatCounts(counts, { color })}${remaining > 0 ? `${remaining} left\n` : ""}`);
}

/** Approves a plan, or a part of it. Throws UsageError when that cannot be. */
export async function approveOne(deps: Deps, id: string, options: ApproveOptions): Promise<void> {
  const { database, actor, now, approval, out } = deps;
  const loaded = await loadPlan(database, id);
  if (!loaded) throw new UsageError(explainRefusal("not_found", id));
  if (approval.by === "another") mustBeAnother(loaded.plan.created_by, actor, id);
  const { note } = checkedOptions({ note: reasonText.optional() }, { note: options.note });
  const waiting = loaded.actions.filter(({ state }) => state === "planned").map(({ arn }) => arn);
  const chosen = chosenOf(options, waiting);
  if ("problems" in chosen) throw new UsageError(chosen.problems.join("\n"));
  const plan = done(
    id,
    await approvePlan(database, id, {
      hash: options.hash ?? loaded.plan.hash,
      actor,
      now,
      by: approval.by,
      life_ms: approval.hours * 3_600_000,
      note: note ?? null,
      ...(chosen.about && { about: chosen.about }),
    }),
  );
  const left = chosen.about ? waiting.filter(chosen.about).length : waiting.length;
  if (left < waiting.length) out(`${waiting.length - left} of ${waiting.length} resources are left out.\n`);
  out(`Approved until ${plan.expires_at.toISOString()}.\nNext: tagwarden apply ${id}\n`);
}

/** Rejects a plan. Throws UsageError when that cannot be. */
export async function rejectOne(
  { database, actor, now, out }: Pick<Deps, "database" | "actor" | "now" | "out">,
  id: string,
  options: { note?: string },
): Promise<void> {
  const { note } = checkedOptions({ note: reasonText.optional() }, options);
  done(id, await rejectPlan(database, id, { actor, now, note: note ?? null }));
  out("Rejected: it can no longer be applied.\n");
}

function done(id: string, decided: Decided): PlanRow {
  if (decided.outcome === "done") return decided.plan;
  throw new UsageError(explainRefusal(decided.outcome, id));
}

/** Whether a run holds a plan, and shows life. */
function runLine({ id, started_at, heartbeat_at }: PlanRow, alive: boolean): string {
  if (heartbeat_at === null || started_at === null) return "";
  if (alive) return `Being applied since ${started_at.toISOString()}\n`;
  return `Its run showed life at ${heartbeat_at.toISOString()} for the last time; to go on: tagwarden apply ${id}\n`;
}

/** Who decided what about a plan, and until when that or a decision holds. */
function decisionLines(plan: PlanRow, now: Date): string {
  const { approved_at, approved_by, approved_note, rejected_at, rejected_by, rejected_note, expires_at } = plan;
  const lines: string[] = [];
  const noted = (note: string | null) => (note === null ? "" : `: ${printable(note)}`);
  if (approved_by !== null && approved_at !== null)
    lines.push(`Approved by ${approved_by} at ${approved_at.toISOString()}${noted(approved_note)}`);
  if (rejected_by !== null && rejected_at !== null)
    lines.push(`Rejected by ${rejected_by} at ${rejected_at.toISOString()}${noted(rejected_note)}`);
  if (plan.apply_requested_by !== null && plan.apply_requested_at !== null)
    lines.push(
      `To be applied by a worker, as ${plan.apply_requested_by} asked at ${plan.apply_requested_at.toISOString()}`,
    );
  if (["proposed", "approved"].includes(plan.state)) {
    const what = plan.state === "proposed" ? "Can be approved" : "Can be applied";
    const until = expires_at <= now ? `Expired at` : `${what} until`;
    lines.push(`${until} ${expires_at.toISOString()}`);
  }
  return lines.map((line) => `${line}\n`).join("");
}
