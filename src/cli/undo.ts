import { Command, InvalidArgumentError } from "commander";
import { UsageError } from "../config.ts";
import type { Database } from "../db/client.ts";
import type { PolicySet } from "../policy/load.ts";
import { proposeUndo, type UndoProposed } from "../remediation/db/propose-undo.ts";
import type { Action } from "../remediation/plan.ts";
import { maskChanges, sensitiveKeys } from "../remediation/mask.ts";
import { formatActions } from "../remediation/plan-text.ts";
import { explainRefusal } from "../remediation/refusal.ts";
import type { PlanRow } from "../remediation/store.ts";
import type { UndoDraft } from "../remediation/undo.ts";
import { withContext } from "./context.ts";
import { listOption } from "./list-option.ts";

type UndoOptions = { arn?: string[]; action?: number[]; json?: boolean };

const EXAMPLES = `
Every key that the plan changed goes back to what it was, where it still is as the plan left it. Nothing is written: the undo
is stored as a plan of its own, and \`tagwarden apply\` makes its changes. An undo can be undone.

Examples:
  tagwarden undo 019aaf00-0000-7000-8000-000000000000
  tagwarden undo 019aaf00-0000-7000-8000-000000000000 --action 3,7
  tagwarden undo 019aaf00-0000-7000-8000-000000000000 --arn arn:aws:personalize:us-east-1:111122223333:dataset-group/shop`;

/** `tagwarden undo`: plans how to put back what a plan wrote. */
export function undoCommand(): Command {
  return new Command("undo")
    .argument("<plan>", "id of a plan that was applied, or begun")
    .description("Plan how to put back what a plan wrote, and show before and after.")
    .option("--arn <arn>", "only this resource; may be given several times", another)
    .option("--action <n,n>", "only these actions, by their number in the plan", positions)
    .option("--json", "print {plan, actions, blocked, skipped}")
    .addHelpText("after", EXAMPLES)
    .action((id: string, options: UndoOptions) =>
      withContext("undo", async (context) => {
        const set = await context.activePolicies();
        const { database } = await context.database();
        const actor = await context.actor();
        const out = (text: string) => process.stdout.write(text);
        const color = process.stdout.isTTY && !process.env["NO_COLOR"];
        const life_ms = context.config.remediation.approval.hours * 3_600_000;
        await undo({ database, set, actor, now: context.now(), life_ms, out, color }, id, options);
      }),
    );
}

/** Makes and prints the plan of an undo. Throws UsageError when there is no such plan, action or resource in it. */
export async function undo(
  deps: {
    database: Database;
    set: PolicySet;
    actor: string;
    now: Date;
    life_ms?: number;
    out: (text: string) => void;
    color: boolean;
  },
  id: string,
  options: UndoOptions,
): Promise<void> {
  const { database, set, actor, now, life_ms, out, color } = deps;
  const { arn: arns, action: positions } = options;
  const proposed = await proposeUndo(database, set, id, { arns, positions }, { actor, now, life_ms });
  if (proposed.outcome === "unknown") throw new UsageError(explainUnknown(proposed, id));
  if (proposed.outcome !== "proposed") throw new UsageError(explainRefusal(proposed.outcome, id));
  const { plan: row, draft } = proposed;
  const isSensitive = sensitiveKeys(set);
  if (options.json) out(`${JSON.stringify(toJson(row, draft, isSensitive), null, 2)}\n`);
  else out(toText(id, row, draft, { color, isSensitive }));
}

function explainUnknown(unknown: Extract<UndoProposed, { outcome: "unknown" }>, id: string): string {
  const what =
    "arn" in unknown
      ? `--arn ${JSON.stringify(unknown.arn)}: plan ${id} has no action for it`
      : `--action ${unknown.position}: plan ${id} has the actions 0 to ${unknown.actions - 1}`;
  return `${what}. See: tagwarden plans show ${id}`;
}

function toJson(row: PlanRow | null, draft: UndoDraft, isSensitive: (key: string) => boolean): unknown {
  const masked = <T extends Action>(action: T) => ({ ...action, changes: maskChanges(action, isSensitive) });
  const plan = row && {
    id: row.id,
    kind: row.kind,
    undoes_plan_id: row.undoes_plan_id,
    state: row.state,
    hash: row.hash,
    created_at: row.created_at,
    expires_at: row.expires_at,
  };
  return {
    plan,
    actions: draft.actions.map(masked),
    blocked: draft.blocked.map(masked),
    skipped: draft.skipped.map(masked),
  };
}

function toText(
  id: string,
  row: PlanRow | null,
  { actions, blocked, skipped }: UndoDraft,
  options: { color: boolean; isSensitive: (key: string) => boolean },
): string {
  const parts: string[] = [];
  if (actions.length > 0) parts.push(formatActions(actions, options));
  const left = [
    ...blocked.map((one) => ({ ...one, state: "blocked" as const })),
    ...skipped.map((one) => ({ ...one, state: "skipped" as const })),
  ];
  if (left.length > 0) parts.push(`Left as they are:\n${formatActions(left, options)}`);
  const changes = `${actions.length} ${actions.length === 1 ? "resource" : "resources"}`;
  parts.push(
    row
      ? `Plan ${row.id} would put back ${changes}. Nothing is written yet.\nNext: tagwarden apply ${row.id}\n`
      : left.length > 0
        ? `Nothing to undo: nothing that plan ${id} wrote can be put back.\n`
        : `Nothing to undo: plan ${id} wrote nothing there.\n`,
  );
  return parts.join("\n");
}

function positions(text: string): number[] {
  return listOption(text).map((word) => {
    if (/^\d{1,6}$/.test(word)) return Number(word);
    throw new InvalidArgumentError(`${JSON.stringify(word)} is no number of an action; they count from 0.`);
  });
}

function another(arn: string, all: string[] | undefined): string[] {
  return [...(all ?? []), arn];
}
