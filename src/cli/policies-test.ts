import { watch } from "node:fs";
import { Command } from "commander";
import { UsageError } from "../config.ts";
import { loadCases, loadPolicies, PolicyError } from "../policy/load.ts";
import { runCases } from "../remediation/run-cases.ts";
import { formatCases, uncovered } from "../reports/cases-text.ts";
import { colorFor } from "./findings.ts";
import { EXIT } from "./exit.ts";
import { policiesFolder } from "./policies-folder.ts";
import { untilSignalled } from "./context.ts";

type TestOptions = { watch?: boolean; coverage?: boolean; json?: boolean };

const HELP = `
Cases stand beside policies in files that end in .test.yaml. Each describes a resource, what rules say of it, and what a
plan would write. What a rule finds and a case does not expect fails the case.

Exit codes: 0 all cases hold; 1 some do not, or with --coverage some rule is not shown both ways; 2 a file is wrong.

Examples:
  tagwarden policies test
  tagwarden policies test ./policies --watch`;

/** `policies test`: judges and plans the cases beside policies. */
export function testCommand(): Command {
  return new Command("test")
    .argument("[folder]", "folder of policy files (default: TAGWARDEN_POLICIES, else policies)")
    .description("Judge the cases that stand beside policies, and say where the policies do not do what the cases say.")
    .option("--coverage", "fail, too, unless every rule is shown both passing and finding something")
    .option("--watch", "again after every change of a file, until Ctrl-C")
    .option("--json", "print {files: [{path, cases: [{name, line, failures}]}], coverage}")
    .addHelpText("after", HELP)
    .action(async (folder: string | undefined, options: TestOptions) => {
      if (options.watch && options.json)
        throw new UsageError("--watch is for people and --json for programs: give one.");
      const place = policiesFolder(folder);
      if (options.watch) await watchAndTest(place, options);
      else process.exitCode = await testOnce(place, options);
    });
}

async function testOnce(folder: string, options: TestOptions): Promise<number> {
  const set = await loadPolicies(folder);
  const files = await loadCases(folder);
  if (files.length === 0)
    throw new UsageError(`${folder} holds no cases: no file ends in .test.yaml. See docs/policies.md, "Tests".`);
  const report = runCases(set, files, new Date());
  if (options.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  else process.stdout.write(formatCases(report, { color: colorFor(process.stdout), folder }));
  const failed = report.files.some(({ cases }) => cases.some(({ failures }) => failures.length > 0));
  return failed || (options.coverage && uncovered(report.coverage).length > 0) ? EXIT.no : EXIT.done;
}

/** Editors write a file in several steps; what follows within this time is the same change. Milliseconds. */
const SETTLE_MS = 100;

async function watchAndTest(folder: string, options: TestOptions): Promise<void> {
  const { signal, release } = untilSignalled();
  const again = async () => {
    try {
      await testOnce(folder, options);
    } catch (error) {
      if (!(error instanceof PolicyError) && !(error instanceof UsageError)) throw error;
      process.stdout.write(`${error.message}\n`);
    }
    process.stdout.write("\nWaiting for a change. Ctrl-C ends.\n");
  };
  await again();
  await new Promise<void>((done, fail) => {
    let timer: NodeJS.Timeout | undefined;
    const watcher = watch(folder, { recursive: true }, () => {
      clearTimeout(timer);
      timer = setTimeout(() => void again().catch(fail), SETTLE_MS);
    });
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      watcher.close();
      done();
    });
  }).finally(release);
}
