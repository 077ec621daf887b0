import { lintAlone } from "./lint-alone.ts";
import { lintTogether } from "./lint-together.ts";
import type { LintWarning } from "./lint-warning.ts";
import type { PolicyFile, PolicyProblem } from "./load.ts";
import { isLookupFile } from "./lookup.ts";
import { sourcesOf } from "./needs.ts";
import { parseFile } from "./parse.ts";
import { Policy } from "./policy.ts";

/**
 * What valid policies say that is probably not meant, each with its place, in the order of files and lines: rules that can find
 * nothing, rules of several policies that contradict each other on the same resources, keys that a template cannot carry.
 */
export function lintPolicies(files: readonly PolicyFile[]): PolicyProblem[] {
  const parsed = files
    .filter(({ path }) => !isLookupFile(path))
    .map(({ path, text }) => {
      const file = parseFile(text);
      return { path, file, policy: Policy.parse(file.value) };
    });
  const warnings: LintWarning[] = [...parsed.flatMap(lintAlone), ...lintTogether(parsed)];
  const placed = warnings.map(({ of, at, on, message, hint }) => ({
    path: of.path,
    ...(on === "key" ? of.file.keyAt(at) : of.file.valueAt(at)),
    message,
    ...(hint !== undefined && { hint }),
  }));
  return [
    ...placed,
    ...unusedTables(
      files,
      parsed.map(({ policy }) => policy),
    ),
  ].sort((a, b) => compare(a.path, b.path) || a.line - b.line || a.column - b.column);
}

function unusedTables(files: readonly PolicyFile[], policies: readonly Policy[]): PolicyProblem[] {
  const used = new Set(
    policies
      .flatMap(({ rules }) => rules)
      .flatMap((rule) => ("key" in rule && rule.fix.missing !== "review" ? sourcesOf(rule.fix.missing) : []))
      .flatMap(({ lookup }) => lookup?.file ?? []),
  );
  return files
    .filter(({ path }) => isLookupFile(path) && !used.has(path))
    .map(({ path }) => ({ path, line: 0, column: 0, message: "no rule looks anything up here" }));
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
