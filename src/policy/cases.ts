import { z } from "zod";
import { childOf } from "./complaint.ts";
import { explainIssues } from "./explain-issues.ts";
import type { PolicyProblem } from "./load.ts";
import { parseFile } from "./parse.ts";
import { SubjectFields } from "./subject-file.ts";
import { VIOLATION_KINDS } from "./verdict.ts";

/** What a rule may say in a case: it passes, what it finds, that it is not about the resource, or that it cannot tell. */
const CASE_VERDICTS = ["pass", ...VIOLATION_KINDS, "not_applicable", "unknown"] as const;
export type CaseVerdict = (typeof CASE_VERDICTS)[number];

const Case = z.strictObject({
  name: z.string().min(1).max(200).describe("What is shown, in a sentence."),
  ...SubjectFields,
  expect: z
    .record(z.string(), z.enum(CASE_VERDICTS))
    .default({})
    .describe("Rule, or `policy/rule` → what it says. What else is found fails the case; what is not named may pass."),
  changes: z
    .record(z.string(), z.string().nullable())
    .optional()
    .describe(
      "What a plan would write: key → value, null where it is removed; `{}`: nothing. Not looked at when absent.",
    ),
});

/** A file of cases. */
const CaseFile = z.strictObject({
  policy: z
    .string()
    .optional()
    .describe("Id of the policy that the cases are about. Absent: every policy of the folder."),
  cases: z.array(Case).min(1).describe("Each is judged by itself."),
});

export type Case = z.infer<typeof Case>;

/** Cases as read from a file, and where each of them stands. */
export type ParsedCases = {
  readonly path: string;
  readonly policy: string | null;
  readonly cases: readonly (Case & {
    readonly line: number;
    /** Line of what is expected of a rule, or of the changes; of the case where it says nothing of it. */
    readonly lineOf: (field: "expect" | "changes", name?: string) => number;
  })[];
};

/** Reads a file of cases. Never throws. */
export function parseCases(path: string, text: string): { parsed: ParsedCases | null; problems: PolicyProblem[] } {
  const file = parseFile(text);
  const problems = file.value === undefined ? [...file.problems] : [...file.problems, ...explainIssues(file, CaseFile)];
  if (problems.length > 0) return { parsed: null, problems: problems.map((problem) => ({ path, ...problem })) };
  const { policy = null, cases } = CaseFile.parse(file.value);
  return {
    parsed: {
      path,
      policy,
      cases: cases.map((one, index) => ({
        ...one,
        line: file.valueAt(["cases", index]).line,
        lineOf: (field, name) => {
          const at = name === undefined ? ["cases", index, field] : ["cases", index, field, name];
          const named = at.reduce((found: unknown, step) => childOf(found, step), file.value) !== undefined;
          return named ? file.keyAt(at).line : file.valueAt(["cases", index]).line;
        },
      })),
    },
    problems: [],
  };
}
