import { readFile, stat } from "node:fs/promises";
import { Command } from "commander";
import { UsageError } from "../config.ts";
import { parseArn } from "../inventory/parse-arn.ts";
import { explain } from "../policy/explain.ts";
import { explainIssues } from "../policy/explain-issues.ts";
import { loadPolicies, PolicyError, type PolicySet } from "../policy/load.ts";
import { wantedForRepair } from "../policy/needs.ts";
import { parseFile } from "../policy/parse.ts";
import { SubjectFile, toSubject } from "../policy/subject-file.ts";
import type { Subject } from "../policy/subject.ts";
import { sensitiveKeys } from "../remediation/mask.ts";
import { maskExplanation } from "../reports/explain-mask.ts";
import { formatExplanation } from "../reports/explain-text.ts";
import { type Context, withContext } from "./context.ts";
import { colorFor } from "./findings.ts";

type ExplainOptions = { policies?: string; rule?: string; json?: boolean };

const HELP = `
An ARN is looked up in the stored inventory, and judged by the active policies, or by those of --policies. A file describes
a resource that need not exist, in YAML or JSON: resource (type, name, …), tags, parents, account, now. It is judged by
--policies, else by the folder of policies.

Examples:
  tagwarden policies explain arn:aws:personalize:us-east-1:111122223333:campaign/prod-home
  tagwarden policies explain resource.yaml --policies ./policies --json`;

/** `policies explain`: what each rule makes of one resource, and why. */
export function explainCommand(): Command {
  return new Command("explain")
    .argument("<arn-or-file>", "a resource of the inventory, or a file that describes one")
    .description("Say of each rule whether it applied, what it saw, what it expected, and what a repair would do.")
    .option("--policies <folder>", "judge by the policies of this folder")
    .option("--rule <policy/rule>", "only this rule")
    .option("--json", "print {resource, tags, rules: [{policy_id, rule_id, verdict, why, saw, expected, violations}]}")
    .addHelpText("after", HELP)
    .action((asked: string, options: ExplainOptions) =>
      withContext("policies explain", async (context) => {
        const { set, subject } = asked.startsWith("arn:")
          ? await ofInventory(context, asked, options)
          : await ofFile(context, asked, options);
        const rules = explain(set, subject).filter(
          ({ policy_id, rule_id }) => options.rule === undefined || options.rule === `${policy_id}/${rule_id}`,
        );
        if (rules.length === 0) throw new UsageError(`--rule ${JSON.stringify(options.rule)}: there is no such rule.`);
        const { resource, tags } = subject;
        const shown = maskExplanation({ tags, rules }, sensitiveKeys(set));
        if (options.json) {
          process.stdout.write(`${JSON.stringify({ set_id: set.id, resource, ...shown }, null, 2)}\n`);
          return;
        }
        const text = formatExplanation(resource, shown, {
          color: colorFor(process.stdout),
          width: process.stdout.columns ?? 100,
        });
        process.stdout.write(text);
      }),
    );
}

type Explained = { readonly set: PolicySet; readonly subject: Subject };

async function ofInventory(context: Context, arn: string, options: ExplainOptions): Promise<Explained> {
  if (!parseArn(arn)) throw new UsageError(`${JSON.stringify(arn)} is not the ARN of a taggable Personalize resource.`);
  const { storedSubject } = await import("../findings/db/stored-subject.ts");
  const set = options.policies === undefined ? await context.activePolicies() : await loadPolicies(options.policies);
  const { database } = await context.database();
  const stored = await storedSubject(database, arn, wantedForRepair(set.needs), context.now());
  if ("subject" in stored) return { set, subject: stored.subject };
  const reasons = {
    unknown: "is not in the inventory. Scan first, or describe it in a file.",
    gone: "is gone: the last scans no longer listed it.",
    never_read: "is in the inventory, but its tags were never read, so there is nothing to judge.",
  };
  throw new UsageError(`${arn} ${reasons[stored.missing]}`);
}

async function ofFile(context: Context, path: string, options: ExplainOptions): Promise<Explained> {
  const text = await readText(path);
  const file = parseFile(text);
  const problems = file.value === undefined ? file.problems : [...file.problems, ...explainIssues(file, SubjectFile)];
  if (problems.length > 0) throw new PolicyError(problems.map((problem) => ({ path, ...problem })));
  const set = await loadPolicies(options.policies ?? context.config.policies);
  return { set, subject: toSubject(SubjectFile.parse(file.value), context.now()) };
}

async function readText(path: string): Promise<string> {
  try {
    if (!(await stat(path)).isFile()) throw new Error("it is no file");
    return await readFile(path, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "there is no such file" : message;
    throw new UsageError(`${path} cannot be read: ${why}. Give an ARN, or a file that describes a resource.`);
  }
}
