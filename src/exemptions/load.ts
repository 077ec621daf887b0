import path from "node:path";
import { PolicyError, type PolicyProblem, readExemptionFiles } from "../policy/load.ts";
import { checkExemptions, type FileExemption, type KnownPolicies } from "./check.ts";

/** The exemptions of a folder of policies. Paths are as given on the command line. */
export type LoadedExemptions = {
  readonly entries: readonly FileExemption[];
  readonly warnings: readonly PolicyProblem[];
};

/**
 * Reads `exemptions.yaml` and every `*.exemptions.yaml` of a folder and its subfolders; a folder without any has no exemptions.
 * `policies`: what they can be about; null: not known, so that it is not looked at.
 * @throws {PolicyError} naming everything that is wrong with any of them.
 */
export async function loadExemptions(
  folder: string,
  context: { readonly policies: KnownPolicies | null; readonly now: Date },
): Promise<LoadedExemptions> {
  const { files, problems } = await readExemptionFiles(folder);
  const checked = checkExemptions(files, context);
  const inFolder = (problem: PolicyProblem) => ({ ...problem, path: path.join(folder, problem.path) });
  problems.push(...checked.problems.map(inFolder));
  if (problems.length > 0) throw new PolicyError(problems);
  return { entries: checked.entries, warnings: checked.warnings.map(inFolder) };
}
