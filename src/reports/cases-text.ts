import type { CaseReport, RuleCoverage } from "../remediation/run-cases.ts";
import { painter } from "../terminal/paint.ts";
import { printable } from "../terminal/text.ts";

/** The report of a run of cases: files, what failed with its line, counts, and the rules that no case shows both ways. */
export function formatCases(report: CaseReport, options: { readonly color: boolean; readonly folder: string }): string {
  const paint = painter(options.color);
  const lines: string[] = [];
  let failed = 0;
  let passed = 0;
  for (const { path, cases } of report.files) {
    const broken = cases.filter(({ failures }) => failures.length > 0);
    failed += broken.length;
    passed += cases.length - broken.length;
    const mark = broken.length > 0 ? paint("red", "✗") : paint("green", "✓");
    lines.push(`${mark} ${printable(path)} ${paint("dim", `(${counted(cases.length, "case")})`)}`);
    for (const { name, failures } of broken) {
      lines.push(`    ${paint("red", "✗")} ${printable(name)}`);
      for (const { line, message } of failures) {
        lines.push(`        ${printable(message)}`, `        ${paint("dim", `${options.folder}/${path}:${line}`)}`);
      }
    }
  }
  lines.push("", `Cases: ${failed > 0 ? `${paint("red", `${failed} failed`)}, ` : ""}${passed} passed`);
  lines.push(...coverageLines(report.coverage));
  return lines.map((line) => `${line}\n`).join("");
}

/** Rules of which no case shows a pass, or none shows what they find. */
export function uncovered(coverage: readonly RuleCoverage[]): RuleCoverage[] {
  return coverage.filter(({ passes, finds }) => !passes || !finds);
}

function coverageLines(coverage: readonly RuleCoverage[]): string[] {
  const missing = uncovered(coverage);
  const head = `Rules: ${coverage.length - missing.length} of ${coverage.length} shown both passing and finding something`;
  return [
    head,
    ...missing.map(({ policy_id, rule_id, passes, finds }) => {
      const what = passes ? "no case in which it finds something" : finds ? "no case in which it passes" : "no case";
      return `  ${policy_id}/${rule_id}: ${what}`;
    }),
  ];
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
