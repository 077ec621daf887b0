import { explain, type ExplainedRule } from "../policy/explain.ts";
import type { Case, CaseVerdict, ParsedCases } from "../policy/cases.ts";
import type { PolicySet } from "../policy/load.ts";
import { toSubject } from "../policy/subject-file.ts";
import type { Subject } from "../policy/subject.ts";
import { nearestWord } from "../tags/spelling.ts";
import { NOT_LOOKED_UP } from "../inventory/surroundings.ts";
import { planResource } from "./plan.ts";

/** One thing that is not as a case says. */
type CaseFailure = { readonly line: number; readonly message: string };
/** What came of a case: as it says, when there are no failures. */
type CaseResult = { readonly name: string; readonly line: number; readonly failures: readonly CaseFailure[] };
/** What came of a file. */
type CaseFileResult = { readonly path: string; readonly cases: readonly CaseResult[] };

/** Whether the cases show a rule passing, and finding something. */
export type RuleCoverage = {
  readonly policy_id: string;
  readonly rule_id: string;
  readonly passes: boolean;
  readonly finds: boolean;
};

export type CaseReport = { readonly files: readonly CaseFileResult[]; readonly coverage: readonly RuleCoverage[] };

/** Judges and plans every case by a set. Pure. `now`: the instant for cases that name none. */
export function runCases(set: PolicySet, files: readonly ParsedCases[], now: Date): CaseReport {
  const seen = new Map<string, Set<CaseVerdict>>();
  const results = files.map(({ path, policy, cases }) => ({
    path,
    cases: cases.map((one) => runCase(set, policy, one, now, seen)),
  }));
  const coverage = set.policies.flatMap(({ rules }) =>
    rules.map(({ policy_id, rule_id }) => {
      const verdicts = seen.get(`${policy_id}/${rule_id}`) ?? new Set<CaseVerdict>();
      const finds = [...verdicts].some((verdict) => !["pass", "not_applicable", "unknown"].includes(verdict));
      return { policy_id, rule_id, passes: verdicts.has("pass"), finds };
    }),
  );
  return { files: results, coverage };
}

type PlacedCase = ParsedCases["cases"][number];

function runCase(
  set: PolicySet,
  policy: string | null,
  one: PlacedCase,
  now: Date,
  seen: Map<string, Set<CaseVerdict>>,
): CaseResult {
  if (policy !== null && !set.policies.some(({ id }) => id === policy)) {
    return { name: one.name, line: one.line, failures: [{ line: one.line, message: `there is no policy ${policy}` }] };
  }
  const subject = toSubject(one, now);
  const rules = explain(set, subject).filter(({ policy_id }) => policy === null || policy_id === policy);
  const failures = [
    ...compareVerdicts(one, rules, seen),
    ...(one.changes === undefined ? [] : compareChanges(one, one.changes, plannedChanges(set, subject, rules))),
  ];
  return { name: one.name, line: one.line, failures };
}

function compareVerdicts(
  one: PlacedCase,
  rules: readonly ExplainedRule[],
  seen: Map<string, Set<CaseVerdict>>,
): CaseFailure[] {
  const failures: CaseFailure[] = [];
  const expected = new Set<ExplainedRule>();
  for (const [name, wanted] of Object.entries(one.expect)) {
    const line = one.lineOf("expect", name);
    const named = rules.filter(({ policy_id, rule_id }) => name === rule_id || name === `${policy_id}/${rule_id}`);
    const [rule, other] = named;
    if (!rule) failures.push({ line, message: unknownRule(name, rules) });
    else if (other)
      failures.push({ line, message: `${name}: several policies have a rule of this name; write policy/rule` });
    else {
      expected.add(rule);
      const verdict = verdictOf(rule);
      const key = `${rule.policy_id}/${rule.rule_id}`;
      seen.set(key, (seen.get(key) ?? new Set()).add(verdict));
      if (verdict !== wanted)
        failures.push({ line, message: `${name}: expected ${wanted}, got ${verdict}: ${rule.why}` });
    }
  }
  for (const rule of rules) {
    if (expected.has(rule) || (rule.verdict !== "violation" && rule.verdict !== "unknown")) continue;
    const name = `${rule.policy_id}/${rule.rule_id}`;
    failures.push({
      line: one.line,
      message: `${name}: ${verdictOf(rule)}, which the case does not expect: ${rule.why}`,
    });
  }
  return failures;
}

function unknownRule(name: string, rules: readonly ExplainedRule[]): string {
  const names = rules.flatMap(({ policy_id, rule_id }) => [rule_id, `${policy_id}/${rule_id}`]);
  const near = nearestWord(name, names);
  return `${name}: there is no such rule${near === null ? "" : `; did you mean ${near}?`}`;
}

function verdictOf({ verdict, violations }: ExplainedRule): CaseVerdict {
  return verdict === "violation" ? (violations[0]?.kind ?? "pass") : verdict;
}

/** What a plan would write, were these findings open: as `tagwarden plan` merges them. */
function plannedChanges(
  set: PolicySet,
  subject: Subject,
  rules: readonly ExplainedRule[],
): Record<string, string | null> {
  const findings = rules.flatMap(({ policy_id, rule_id, violations }) =>
    violations.map(({ key, kind }) => ({
      finding_id: `${policy_id}/${rule_id}/${key}`,
      policy_id,
      rule_id,
      key,
      kind,
    })),
  );
  const { resource, tags, now, around = NOT_LOOKED_UP } = subject;
  const plannable = { resource, tags, unread: null, stack: null, around, findings };
  const { actions } = planResource(set, plannable, { mode: "plan", now });
  return Object.fromEntries(actions.flatMap(({ changes }) => changes.map(({ key, after }) => [key, after])));
}

function compareChanges(
  one: PlacedCase,
  wanted: NonNullable<Case["changes"]>,
  planned: Readonly<Record<string, string | null>>,
): CaseFailure[] {
  const keys = [...new Set([...Object.keys(wanted), ...Object.keys(planned)])];
  return keys.flatMap((key) => {
    const [asked, got] = [wanted, planned].map((changes) => (Object.hasOwn(changes, key) ? changes[key] : undefined));
    if (asked === got) return [];
    const line = one.lineOf("changes", key);
    return [{ line, message: `changes.${key}: expected ${shown(asked)}, and a plan would ${does(got)}` }];
  });
}

function shown(value: string | null | undefined): string {
  if (value === undefined) return "no change";
  return value === null ? "its removal" : JSON.stringify(value);
}

function does(value: string | null | undefined): string {
  if (value === undefined) return "leave it";
  return value === null ? "remove it" : `write ${JSON.stringify(value)}`;
}
