import { checkExemptions } from "../../src/exemptions/check.ts";
import { parseCases } from "../../src/policy/cases.ts";
import { explain } from "../../src/policy/explain.ts";
import { fixFor, managedBy } from "../../src/policy/fix.ts";
import { judge } from "../../src/policy/judge.ts";
import { lintPolicies } from "../../src/policy/lint.ts";
import {
  compilePolicies,
  PolicyError,
  type PolicyFile,
  type PolicyProblem,
  type PolicySet,
  printedProblem,
} from "../../src/policy/load.ts";
import type { Subject } from "../../src/policy/subject.ts";
import { runCases } from "../../src/remediation/run-cases.ts";
import { tagsFrom } from "../../src/tags/tags.ts";
import { around, NOW, resource, subject } from "../policy/build.ts";
import type { FuzzedFile } from "./fuzz-files.ts";
import { SEEDS, TABLES } from "./fuzz-vocabulary.ts";

/** What came of a file: it was taken, and what it says was used; or it was refused, with problems. */
export type Outcome = "loaded" | "refused";

const LONG = "a".repeat(256);
/** Resources on which every kind of rule has something to say, or to stumble over. */
const SUBJECTS: readonly Subject[] = [
  subject(tagsFrom([])),
  subject(
    tagsFrom([
      ["CostCenter", "x"],
      ["env", "Prod"],
      ["tmp-1", ""],
      ["aws:a", "b"],
      ["constructor", "c"],
      ["__proto__", "p"],
      ["Team", "search"],
    ]),
    resource({ created_at: new Date("2026-01-01"), summary: { trainingType: "AUTOMATIC" } }),
    around(
      [
        { type: "solution-version", name: "s", tags: tagsFrom([["CostCenter", "CC-1234"]]) },
        { type: "dataset-group", name: "g", tags: tagsFrom([]) },
      ],
      { name: "shop", tags: tagsFrom([["Owner", "o@example.com"]]) },
    ),
  ),
  subject(
    tagsFrom([
      ["Environment", "prod"],
      ["COSTCENTER", ""],
      ["cost", "CC-1234"],
      ["Owner", `${LONG.slice(0, 250)}@b.c`],
      ["Project", LONG],
    ]),
    resource({ type: "dataset", name: LONG.slice(0, 63), status: "CREATE FAILED" }),
    around([{ type: "dataset-group", name: "g", tags: null }]),
  ),
  subject(tagsFrom(Array.from({ length: 50 }, (_, index) => [`${index}-${"ﬁİ é".repeat(30)}`.slice(0, 128), LONG]))),
];

const BROAD: PolicyFile = { path: "broad.yaml", text: SEEDS.policy[0] ?? "" };
const VALID: readonly PolicyFile[] = [BROAD, TABLES.csv, TABLES.lookup];
const valid = compilePolicies(VALID);

/**
 * Loads a file as the program would, and uses what it says. @throws {Error} when it ends in anything but a usable answer, or
 * problems that a person can find in the file.
 */
export function examine({ kind, text }: FuzzedFile): Outcome {
  if (kind === "cases") return examineCases(text);
  if (kind === "exemptions") return examineExemptions(text);
  const file = kind === "policy" ? { path: "p.yaml", text } : { path: TABLES[kind].path, text };
  const files =
    kind === "policy" ? [file, TABLES.csv, TABLES.lookup] : VALID.map((one) => (one.path === file.path ? file : one));
  let set: PolicySet;
  try {
    set = compilePolicies(files);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    return refusedBy(error.problems, files);
  }
  placed(lintPolicies(set.files), files);
  for (const one of SUBJECTS) use(set, one);
  return "loaded";
}

function use(set: PolicySet, on: Subject): void {
  const { violations, unknowns } = judge(set, on);
  for (const { reason } of unknowns) if (reason === "") throw new Error("unknown for no reason");
  for (const violation of violations) fixFor(set, violation, on);
  managedBy(
    set,
    set.policies.map(({ id }) => id),
    on,
  );
  explain(set, on);
}

function examineCases(text: string): Outcome {
  const { parsed, problems } = parseCases("p.test.yaml", text);
  if (!parsed) return refusedBy(problems, [{ path: "p.test.yaml", text }]);
  if (problems.length > 0) throw new Error("cases and problems at once");
  const lines = linesOf(text).length;
  for (const { failures, line } of runCases(valid, [parsed], NOW).files.flatMap(({ cases }) => cases))
    for (const at of [line, ...failures.map(({ line }) => line)])
      if (at < 1 || at > lines) throw new Error(`a case at line ${at} of ${lines}`);
  return "loaded";
}

function examineExemptions(text: string): Outcome {
  const files = [{ path: "exemptions.yaml", text }];
  for (const policies of [null, valid.policies]) {
    const { entries, problems, warnings } = checkExemptions(files, { policies, now: NOW });
    placed(warnings, files);
    if (problems.length > 0) {
      placed(problems, files);
      continue;
    }
    for (const { starts_at, expires_at } of entries)
      for (const instant of [starts_at, expires_at])
        if (instant && Number.isNaN(instant.getTime())) throw new Error("an exemption with an instant that is none");
    if (policies !== null) return "loaded";
  }
  return "refused";
}

function refusedBy(problems: readonly PolicyProblem[], files: readonly PolicyFile[]): Outcome {
  if (problems.length === 0) throw new Error("refused without a problem");
  placed(problems, files);
  return "refused";
}

/** Each is one line of text, at a place that the file has; 0 stands for the whole file. */
function placed(problems: readonly PolicyProblem[], files: readonly PolicyFile[]): void {
  if (problems.length === 0) return;
  const linesByPath = new Map(files.map(({ path, text }) => [path, linesOf(text)]));
  for (const problem of problems) {
    const { path, line, column, message, hint } = problem;
    const lines = linesByPath.get(path);
    if (!lines) throw new Error(`a problem of ${path}, which is no file`);
    const columns = lines[line - 1]?.length ?? 0;
    const whole = line === 0 && column === 0;
    if (!whole && !(line >= 1 && line <= lines.length && column >= 1 && column <= columns + 1))
      throw new Error(`a problem at ${line}:${column} of ${lines.length} lines: ${message}`);
    if (message.trim() === "" || hint?.trim() === "") throw new Error("a problem without words");
    const printed = printedProblem(problem);
    if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(printed)) throw new Error(`no line of text: ${JSON.stringify(printed)}`);
  }
}

const linesOf = (text: string) => text.split("\n");
