import { Command } from "commander";
import { UsageError } from "../config.ts";
import type { Database } from "../db/client.ts";
import type { PolicySet } from "../policy/load.ts";
import { countsOf } from "../remediation/counts.ts";
import { whyPaused } from "../remediation/db/pauses.ts";
import { formatActions, formatCounts, maskChanges, sensitiveKeys } from "../remediation/plan-text.ts";
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
import { withContext } from "./context.ts";
import { pageSizeOption } from "./page-options.ts";
import { table } from "./table.ts";

/** What the bodies of these commands work with. */
type Deps = {
  database: Database;
  set: PolicySet;
  actor: string;
  now: Date;
  out: (text: string) => void;
  color: boolean;
};

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
    .option("--json", "print one object, its actions in it")
    .addHelpText("after", "\nExample:\n  tagwarden plans show 019aaf00-0000-7000-8000-000000000000")
    .action((id: string, options: { json?: boolean }) => withDeps((deps) => showOne(deps, id, options)));
  command
    .command("approve")
    .argument("<plan>", "id of a plan")
    .option("--hash <hash>", "the hash of the plan that was reviewed; without it, what the plan is now")
    .description("Approve a plan for seven days, without applying it.")
    .addHelpText("after", "\nExample:\n  tagwarden plans approve 019aaf00-0000-7000-8000-000000000000")
    .action((id: string, options: { hash?: string }) => withDeps((deps) => approveOne(deps, id, options)));
  command
    .command("reject")
    .argument("<plan>", "id of a plan")
    .description("Reject a plan: it can no longer be applied.")
    .addHelpText("after", "\nExample:\n  tagwarden plans reject 019aaf00-0000-7000-8000-000000000000")
    .action((id: string) => withDeps((deps) => rejectOne(deps, id)));
  return command;
}

function withDeps(body: (deps: Deps) => Promise<void>): Promise<void> {
  return withContext("plans", async (context) => {
    const { database } = await context.database();
    const set = await context.activePolicies();
    const color = process.stdout.isTTY && !process.env["NO_COLOR"];
    const out = (text: string) => process.stdout.write(text);
    await body({ database, set, actor: await context.actor(), now: context.now(), out, color });
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
      state: stateOf(plan, now),
      ...countsOf(states),
    }));
    return out(`${JSON.stringify(items, null, 2)}\n`);
  }
  if (rows.length === 0) return out("No plan yet. Make one: tagwarden plan\n");
  out(
    table(
      ["PLAN", "KIND", "STATE", "CREATED", "BY", "ACTIONS", "VERIFIED", "REMAINING"],
      rows.map(({ counts: states, ...plan }) => {
        const { counts, remaining } = countsOf(states);
        const { id, kind, created_at, created_by } = plan;
        const numbers = [counts.planned, counts.verified, remaining].map(String);
        return [id, kind, stateOf(plan, now), created_at.toISOString(), created_by, ...numbers];
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
  options: { json?: boolean },
): Promise<void> {
  const loaded = await loadPlan(database, id);
  if (!loaded) throw new UsageError(explainRefusal("not_found", id));
  const { plan, actions } = loaded;
  const isSensitive = sensitiveKeys(set);
  if (options.json) {
    const mask = (tags: Record<string, string> | null) =>
      tags && Object.fromEntries(Object.entries(tags).map(([key, value]) => [key, isSensitive(key) ? "***" : value]));
    const masked = actions.map((action) => ({
      ...action,
      changes: maskChanges(action.changes, isSensitive),
      decided_on: Object.fromEntries(
        Object.entries(action.decided_on).map(([key, value]) => [
          key,
          value !== null && isSensitive(key) ? "***" : value,
        ]),
      ),
      tags_before: mask(action.tags_before),
      tags_after: mask(action.tags_after),
    }));
    return out(`${JSON.stringify({ ...plan, state: stateOf(plan, now), actions: masked }, null, 2)}\n`);
  }
  const { counts } = countsOf(await countActions(database, id));
  out(`Plan ${id}: ${stateOf(plan, now)}, made by ${plan.created_by} at ${plan.created_at.toISOString()}\n`);
  if (plan.approved_by && plan.approved_at)
    out(`Approved by ${plan.approved_by} at ${plan.approved_at.toISOString()}\n`);
  if (plan.undoes_plan_id) out(`Undoes plan ${plan.undoes_plan_id}\n`);
  const paused = plan.state === "applied" || plan.state === "rejected" ? null : await whyPaused(database);
  if (paused !== null) out(`Repairs are ${paused}\n`);
  if (plan.stopped) out(`Stopped: ${plan.stopped}\n`);
  out(`Hash ${plan.hash}\n\n${formatActions(actions, { color, isSensitive })}`);
  if (plan.started_at) out(`\n${formatCounts(counts, { color })}`);
}

async function approveOne({ database, actor, now, out }: Deps, id: string, options: { hash?: string }): Promise<void> {
  const hash = options.hash ?? (await loadPlan(database, id))?.plan.hash ?? "";
  const plan = done(id, await approvePlan(database, id, { hash, actor, now }));
  out(`Approved until ${plan.expires_at.toISOString()}.\nNext: tagwarden apply ${id}\n`);
}

async function rejectOne({ database, actor, now, out }: Deps, id: string): Promise<void> {
  done(id, await rejectPlan(database, id, { actor, now }));
  out("Rejected: it can no longer be applied.\n");
}

function done(id: string, decided: Decided): PlanRow {
  if (decided.outcome === "done") return decided.plan;
  throw new UsageError(explainRefusal(decided.outcome, id));
}

/** The state as people see it: a plan that nobody used in time has expired. */
function stateOf(plan: PlanRow, now: Date): string {
  return ["proposed", "approved"].includes(plan.state) && plan.expires_at <= now ? "expired" : plan.state;
}
