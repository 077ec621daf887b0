import { Command } from "commander";
import { UsageError } from "../config.ts";
import type { Database } from "../db/client.ts";
import { RESOURCE_TYPE_NAMES, type ResourceType } from "../inventory/resource-types.ts";
import { ruleOf } from "../policy/fix.ts";
import type { PolicySet } from "../policy/load.ts";
import { wantedForRepair } from "../policy/needs.ts";
import { loadPlannable } from "../remediation/load.ts";
import { type Draft, planChanges } from "../remediation/plan.ts";
import { formatActions, formatReview, maskChanges, sensitiveKeys } from "../remediation/plan-text.ts";
import { createPlan, type PlanRow } from "../remediation/store.ts";
import { withContext } from "./context.ts";

type PlanOptions = { rule?: string; account?: string; type?: string; json?: boolean };

const EXAMPLES = `
Nothing is written: the plan is stored, and \`tagwarden apply\` makes its changes.

Examples:
  tagwarden plan
  tagwarden plan --rule cost-allocation/cost-center --account 111122223333 --type campaign`;

/** `tagwarden plan`: proposes tag changes for open findings, before and after, and stores them as a plan. */
export function planCommand(): Command {
  return new Command("plan")
    .description("Propose tag changes for the open findings, and show before and after.")
    .option("--rule <policy/rule>", "only findings of this rule")
    .option("--account <id>", "only resources of this account")
    .option("--type <type>", "only resources of this type")
    .option("--json", "print {plan, actions, blocked, review}")
    .addHelpText("after", EXAMPLES)
    .action((options: PlanOptions) =>
      withContext("plan", async (context) => {
        const set = await context.activePolicies();
        const { database } = await context.database();
        const actor = await context.actor();
        const out = (text: string) => process.stdout.write(text);
        await plan({ database, set, actor, now: context.now(), out, color: isColored(process.stdout) }, options);
      }),
    );
}

/** Makes and prints a plan. Throws UsageError when an option names what is not there. */
export async function plan(
  deps: { database: Database; set: PolicySet; actor: string; now: Date; out: (text: string) => void; color: boolean },
  options: PlanOptions,
): Promise<void> {
  const { database, set, actor, now, out, color } = deps;
  const rule = parseRule(set, options.rule);
  const scope = {
    ...(options.account !== undefined && { account_id: parseAccount(options.account) }),
    ...(options.type !== undefined && { types: [parseType(options.type)] }),
  };
  const draft = await planChanges(set, loadPlannable(database, scope, wantedForRepair(set.needs)), {
    mode: "plan",
    now,
    ...(rule && {
      selected: (_, finding) => finding.policy_id === rule.policy_id && finding.rule_id === rule.rule_id,
    }),
  });
  const row = await createPlan(database, draft, { mode: "plan", policy_set_id: set.id, actor, now });
  if (options.json) out(`${JSON.stringify(toJson(row, draft, sensitiveKeys(set)), null, 2)}\n`);
  else out(toText(row, draft, { color, isSensitive: sensitiveKeys(set) }));
}

function toJson(
  row: PlanRow | null,
  { actions, blocked, review }: Draft,
  isSensitive: (key: string) => boolean,
): unknown {
  const masked = <T extends Draft["actions"][number]>(action: T) => {
    const decided_on = Object.fromEntries(
      maskChanges(
        Object.entries(action.decided_on).map(([key, value]) => ({ key, before: value, after: value })),
        isSensitive,
      ).map(({ key, before }) => [key, before]),
    );
    return { ...action, changes: maskChanges(action.changes, isSensitive), decided_on };
  };
  const plan = row && {
    id: row.id,
    state: row.state,
    hash: row.hash,
    created_at: row.created_at,
    expires_at: row.expires_at,
  };
  return { plan, actions: actions.map(masked), blocked: blocked.map(masked), review };
}

function toText(
  row: PlanRow | null,
  { actions, blocked, review }: Draft,
  options: { color: boolean; isSensitive: (key: string) => boolean },
): string {
  const parts: string[] = [];
  if (actions.length > 0) parts.push(formatActions(actions, options));
  if (blocked.length > 0) {
    parts.push(
      `Blocked, and never written:\n${formatActions(
        blocked.map((one) => ({ ...one, state: "blocked" })),
        options,
      )}`,
    );
  }
  if (review.length > 0) parts.push(`Needs a person:\n${formatReview(review, options)}`);
  const changes = `${actions.length} ${actions.length === 1 ? "resource" : "resources"}`;
  parts.push(
    row
      ? `Plan ${row.id} would change ${changes}. Nothing is written yet.\nNext: tagwarden apply ${row.id}\n`
      : "Nothing to plan: no open finding asks for a change that may be made.\n",
  );
  return parts.join("\n");
}

function parseRule(set: PolicySet, text: string | undefined): { policy_id: string; rule_id: string } | null {
  if (text === undefined) return null;
  const [policy_id = "", rule_id = "", ...rest] = text.split("/");
  if (rest.length === 0 && ruleOf(set, policy_id, rule_id)) return { policy_id, rule_id };
  const rules = set.policies.flatMap((policy) => policy.rules.map((rule) => `${policy.id}/${rule.rule_id}`));
  throw new UsageError(
    `--rule ${JSON.stringify(text)}: the active policies have no such rule. They have ${rules.join(", ")}.`,
  );
}

function parseAccount(text: string): string {
  if (/^\d{12}$/.test(text)) return text;
  throw new UsageError(`--account ${JSON.stringify(text)}: an account id has twelve digits.`);
}

function parseType(text: string): ResourceType {
  const type = RESOURCE_TYPE_NAMES.find((name) => name === text);
  if (type) return type;
  throw new UsageError(
    `--type ${JSON.stringify(text)} is no resource type. They are ${RESOURCE_TYPE_NAMES.join(", ")}.`,
  );
}

function isColored(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY && !process.env["NO_COLOR"];
}
