import { join } from "node:path";
import { Command } from "commander";
import { UsageError } from "../config.ts";
import { lintPolicies } from "../policy/lint.ts";
import {
  compilePolicies,
  loadPolicies,
  PolicyError,
  type PolicyProblem,
  type PolicySet,
  printedProblem,
} from "../policy/load.ts";
import { policyJsonSchema } from "../policy/policy.ts";
import { withContext } from "./context.ts";
import { EXIT } from "./exit.ts";
import { explainCommand } from "./policies-explain.ts";
import { policiesExport } from "./policies-export.ts";
import { policiesFolder } from "./policies-folder.ts";
import { policiesImport } from "./policies-import.ts";
import { previewCommand } from "./policies-preview.ts";
import { testCommand } from "./policies-test.ts";
import { diffCommand, versionsCommand } from "./policies-versions.ts";
import { table } from "./table.ts";

/** `tagwarden policies`: what policy files say, before anything is judged by them. A subcommand is a function and a line here. */
export function policiesCommand(): Command {
  return new Command("policies")
    .description(
      "Validate, test, explain, preview and activate policies, exchange them with AWS, and print their schema.",
    )
    .addCommand(validateCommand())
    .addCommand(testCommand())
    .addCommand(explainCommand())
    .addCommand(previewCommand())
    .addCommand(activateCommand())
    .addCommand(versionsCommand())
    .addCommand(diffCommand())
    .addCommand(policiesImport(new Command("import")))
    .addCommand(policiesExport(new Command("export")))
    .addCommand(schemaCommand());
}

function validateCommand(): Command {
  return new Command("validate")
    .description(
      "Read every policy of a folder and say all that is wrong with any of them. Exit code 2 if anything is.",
    )
    .argument("[folder]", "folder of policy files (default: TAGWARDEN_POLICIES, else policies)")
    .option("--strict", "exit code 1 on warnings, too")
    .option("--json", "print {valid, id, policies, problems, warnings}")
    .addHelpText(
      "after",
      `
Warnings name what is valid and probably not meant: rules that can find nothing, policies that contradict each other.

Examples:
  tagwarden policies validate
  tagwarden policies validate ./policies --strict --json`,
    )
    .action(async (given: string | undefined, options: { json?: boolean; strict?: boolean }) => {
      const folder = policiesFolder(given);
      if (options.json) await validateToJson(folder, options.strict ?? false);
      else await validateToText(folder, options.strict ?? false);
    });
}

async function validateToText(folder: string, strict: boolean): Promise<void> {
  const set = await loadPolicies(folder);
  const warnings = warningsFor(folder, set);
  for (const warning of warnings) process.stderr.write(`${printedProblem(warning, "warning: ")}\n`);
  process.stdout.write(describe(set, warnings.length));
  if (strict && warnings.length > 0) process.exitCode = EXIT.no;
}

async function validateToJson(folder: string, strict: boolean): Promise<void> {
  try {
    const set = await loadPolicies(folder);
    const warnings = warningsFor(folder, set);
    printJson({ valid: true, id: set.id, policies: set.policies.map(summary), problems: [], warnings });
    if (strict && warnings.length > 0) process.exitCode = EXIT.no;
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    process.exitCode = EXIT.usage;
    printJson({ valid: false, id: null, policies: [], problems: error.problems, warnings: [] });
  }
}

function warningsFor(folder: string, set: PolicySet): PolicyProblem[] {
  return lintPolicies(set.files).map((warning) => ({ ...warning, path: join(folder, warning.path) }));
}

type Summary = { id: string; title: string; owner: string | null; remediation: string; rules: number };

function summary({ id, title, owner, remediation, rules }: PolicySet["policies"][number]): Summary {
  return { id, title, owner, remediation, rules: rules.length };
}

function describe(set: PolicySet, warnings: number): string {
  const rows = set.policies
    .map(summary)
    .map(({ id, title, owner, remediation, rules }) => [id, String(rules), remediation, owner ?? "", title]);
  const rules = set.policies.reduce((sum, policy) => sum + policy.rules.length, 0);
  const total = `valid: ${set.policies.length} ${set.policies.length === 1 ? "policy" : "policies"}, ${rules} ${rules === 1 ? "rule" : "rules"}`;
  const warned = warnings === 0 ? "" : `, ${warnings} ${warnings === 1 ? "warning" : "warnings"}`;
  return `${table(["POLICY", "RULES", "REPAIR", "OWNER", "TITLE"], rows)}\n${total}${warned}; set ${set.id}\n`;
}

type ActivateOptions = { confirm?: boolean; dryRun?: boolean; json?: boolean };

function activateCommand(): Command {
  return new Command("activate")
    .description(
      "Judge by these policies from now on: the stored inventory is judged anew at once, without asking AWS.",
    )
    .argument("[folder]", "folder of policy files (default: TAGWARDEN_POLICIES, else policies)")
    .option("--dry-run", "only show which rules come, change and go, and what would open and close")
    .option("--json", "with --dry-run: print {active_set_id, set_id, added, changed, removed, preview}")
    .option("--confirm", "also when more findings close at once than the guard against mass closing allows")
    .addHelpText(
      "after",
      `
Examples:
  tagwarden policies activate --dry-run
  tagwarden policies activate ./policies`,
    )
    .action((folder: string | undefined, options: ActivateOptions) =>
      withContext("policies activate", async (context) => {
        const [
          { previewActivation },
          { activeSet },
          { compareSets },
          { describeDifference, describePreview, useSet },
          { loadExemptions },
          { useExemptions },
        ] = await Promise.all([
          import("../findings/activate.ts"),
          import("../policy/store.ts"),
          import("../policy/compare.ts"),
          import("../scan/policies.ts"),
          import("../exemptions/load.ts"),
          import("../scan/exemptions.ts"),
        ]);
        const given = folder ?? context.config.policies;
        const set = await loadPolicies(given);
        const exemptions = await loadExemptions(given, { policies: set.policies, now: context.now() });
        const { database } = await context.database();
        const guard = context.config.mass_close;
        const say = (line: string) => process.stdout.write(`${line}\n`);
        if (options.json && !options.dryRun) throw new UsageError("--json goes with --dry-run.");
        // What cannot be recorded is said before anything is done.
        const would = await useExemptions(database, exemptions, { folder: given, actor: "", dry_run: true });
        if (options.dryRun) {
          const active = await activeSet(database);
          const preview = await previewActivation(database, set, guard, context.now());
          if (options.json) {
            const comparison = compareSets(active ?? { files: [] }, set);
            printJson({ active_set_id: active?.id ?? null, set_id: set.id, ...comparison, preview });
          } else if (active?.id === set.id) say("These policies are the active ones.");
          else if (!active) say("No policies are active yet: all of these would come.");
          else {
            say(describeDifference(compilePolicies(active.files), set));
            say(describePreview(preview));
          }
          if (!options.json) for (const line of would) say(line);
          return;
        }
        const actor = await context.actor();
        const wish = { activate: true, confirm: options.confirm === true, guard, actor, now: context.now() };
        const activation = await useSet(database, set, wish);
        if (activation.outcome === "kept") throw new UsageError(activation.text);
        say(activation.outcome === "unchanged" ? "These policies are the active ones already." : activation.text);
        for (const line of await useExemptions(database, exemptions, { folder: given, actor })) say(line);
      }),
    );
}

function schemaCommand(): Command {
  return new Command("schema")
    .description("Print the JSON Schema of a policy file, for editors.")
    .addHelpText("after", "\nExample:\n  tagwarden policies schema > policies/policy.schema.json")
    .action(() => printJson(policyJsonSchema()));
}

function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
