import { Command } from "commander";
import { UsageError } from "../config.ts";
import type { Database } from "../db/client.ts";
import type { PolicySet } from "../policy/load.ts";
import { type Proposed, proposePlan } from "../remediation/db/propose.ts";
import type { GivenValue } from "../remediation/given-values.ts";
import { maskAction, sensitiveKeys } from "../remediation/mask.ts";
import { formatActions, formatReview } from "../remediation/plan-text.ts";
import type { PlanRow } from "../remediation/store.ts";
import { templateWarnings } from "../remediation/template-keys.ts";
import { printable } from "../terminal/text.ts";
import { withContext } from "./context.ts";
import { givenValues, setOption } from "./given-values.ts";
import { listOption, spelledToo } from "./list-option.ts";
import { type FilterOptions, planFilters } from "./plan-filters.ts";

type PlanOptions = FilterOptions & { set?: GivenValue[]; from?: string; overwrite?: boolean; json?: boolean };

const EXAMPLES = `
Nothing is written: the plan is stored, and \`tagwarden apply\` makes its changes.
What narrows it is combined: resources for which all of it holds. Lists are "any of".

Values that nothing derives come from you, for open findings that ask for them: by --set for all resources that the
filters leave, by --from for each ARN or pattern. \`tagwarden findings --fill-in values.csv\` writes that file for you to fill in.

Examples:
  tagwarden plan
  tagwarden plan --rule cost-allocation/cost-center --account 111122223333 --type campaign
  tagwarden plan --set Owner=search@example.com --arn 'arn:aws:personalize:*:*:campaign/search-*'
  tagwarden plan --from values.csv`;

/** `tagwarden plan`: proposes tag changes for open findings, before and after, and stores them as a plan. */
export function planCommand(): Command {
  return new Command("plan")
    .description("Propose tag changes for the open findings, and show before and after.")
    .option("--rule <a/b,c/d>", "only findings of these rules, as policy/rule", listOption)
    .option("--account <a,b>", "only resources of these accounts", listOption)
    .option("--region <a,b>", "only resources of these regions", listOption)
    .option("--type <a,b>", "only resources of these types", listOption)
    .addOption(spelledToo("--accounts <a,b>", "account", listOption))
    .addOption(spelledToo("--regions <a,b>", "region", listOption))
    .addOption(spelledToo("--types <a,b>", "type", listOption))
    .option("--owner <a,b>", "only resources of these owners, as their Owner tag says", listOption)
    .option("--arn <a,b>", "only these resources; * stands for any characters", listOption)
    .option("--scan <id>", "only what lies in the accounts, regions and types of this scan")
    .option("--set <key=value>", "give this value where a finding asks for the key; may be repeated", setOption)
    .option("--from <file>", "give the values of a CSV file: columns arn (or a pattern), key, value")
    .option("--overwrite", "a given value may replace a value that is there")
    .option("--json", "print {plan, actions, blocked, review, idle, empty, warnings}")
    .addHelpText("after", EXAMPLES)
    .action((options: PlanOptions) =>
      withContext("plan", async (context) => {
        const set = await context.activePolicies();
        const { database } = await context.database();
        const actor = await context.actor();
        const out = (text: string) => process.stdout.write(text);
        const life_ms = context.config.remediation.approval.hours * 3_600_000;
        const color = isColored(process.stdout);
        await plan({ database, set, actor, now: context.now(), life_ms, out, color }, options);
      }),
    );
}

/** Makes and prints a plan. Throws UsageError when an option names what is not there. */
export async function plan(
  deps: {
    database: Database;
    set: PolicySet;
    actor: string;
    now: Date;
    /** How long a proposal can be approved. */
    life_ms?: number;
    out: (text: string) => void;
    color: boolean;
  },
  options: PlanOptions,
): Promise<void> {
  const { database, set, actor, now, life_ms, out, color } = deps;
  const given = await givenValues(options);
  if (options.overwrite && given === null)
    throw new UsageError("--overwrite is about given values: use it with --set or --from.");
  const { overwrite } = options;
  const request = { ...planFilters(set, options), values: given?.values, problems: given?.problems, overwrite };
  const proposed = await proposePlan(database, set, request, { actor, now, life_ms });
  if (proposed.outcome === "refused") throw new UsageError(proposed.problems.join("\n"));
  const warnings = templateWarnings(proposed.draft.actions);
  const about = { ...proposed, empty: given?.empty ?? 0, isGiven: given !== null, warnings };
  if (options.json) out(`${JSON.stringify(toJson(about, sensitiveKeys(set)), null, 2)}\n`);
  else out(toText(about, { color, isSensitive: sensitiveKeys(set) }));
}

const FILL_IN = "To give the values: tagwarden findings --fill-in values.csv, then tagwarden plan --from values.csv\n";

/** What a plan came to. `empty`: rows of the sheet without a value. */
type Outcome = Pick<Extract<Proposed, { outcome: "proposed" }>, "plan" | "draft" | "idle"> & {
  readonly empty: number;
  /** It is of values that a person gave. */
  readonly isGiven: boolean;
  readonly warnings: readonly string[];
};

function toJson(
  { plan: row, draft: { actions, blocked, review }, idle, empty, warnings }: Outcome,
  isSensitive: (key: string) => boolean,
): unknown {
  const plan = row && shownPlan(row);
  const unused = idle.map(({ at, arn, key }) => ({ at, arn, key }));
  return {
    plan,
    actions: actions.map((action) => maskAction(action, isSensitive)),
    blocked: blocked.map((action) => maskAction(action, isSensitive)),
    review,
    idle: unused,
    empty,
    warnings,
  };
}

function shownPlan({ id, state, hash, created_at, expires_at }: PlanRow) {
  return { id, state, hash, created_at, expires_at };
}

function toText(
  { plan: row, draft: { actions, blocked, review }, idle, empty, isGiven, warnings }: Outcome,
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
  if (review.length > 0 && !isGiven) parts.push(FILL_IN);
  if (warnings.length > 0) parts.push(warnings.map((warning) => `Warning: ${printable(warning)}\n`).join(""));
  if (idle.length > 0) parts.push(`No open finding asks for these, or it is exempt:\n${idleLines(idle)}`);
  if (empty > 0) parts.push(`${empty} ${empty === 1 ? "row has" : "rows have"} no value yet.\n`);
  const changes = `${actions.length} ${actions.length === 1 ? "resource" : "resources"}`;
  parts.push(
    row
      ? `Plan ${row.id} would change ${changes}. Nothing is written yet.\nNext: tagwarden apply ${row.id}\n`
      : "Nothing to plan: no open finding asks for a change that may be made.\n",
  );
  return parts.join("\n");
}

/** Given values that nothing asked for, without the values. */
function idleLines(idle: readonly GivenValue[]): string {
  const shown = idle
    .slice(0, 20)
    .map(({ at, arn, key }) => `  ${at}: ${printable(key)}${arn === "*" ? "" : ` of ${printable(arn)}`}\n`);
  return `${shown.join("")}${idle.length > 20 ? `  … and ${idle.length - 20} more\n` : ""}`;
}

function isColored(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY && !process.env["NO_COLOR"];
}
