import { checkConditions } from "./check-conditions.ts";
import { checkNames, type NamesSeen } from "./check-names.ts";
import { checkRule } from "./check-rule.ts";
import { checkTogether } from "./check-together.ts";
import { childOf, type Complaint, isRecord, type PlacedRule } from "./complaint.ts";
import { explainIssues } from "./explain-issues.ts";
import { type Beside, isLookupFile, type LookupTable, parseLookup } from "./lookup.ts";
import { parseFile, type FileProblem, type ParsedFile, type Path } from "./parse.ts";
import type { PolicyFile, PolicyProblem } from "./load.ts";
import { KeyRule, MAX_RULES, Policy, RULE_KINDS } from "./policy.ts";
import { RESOURCE_TYPE_NAMES } from "../inventory/resource-types.ts";
import { anyWildcard } from "./wildcard.ts";

/** Policies and the tables beside them, by path, or what is wrong with any of them. */
export type CheckedFiles = {
  readonly policies: Policy[];
  readonly tables: Map<string, LookupTable>;
  readonly problems: PolicyProblem[];
};

/** Of one file: who has more mends these first. */
const REPORTED_PROBLEMS = 100;

/**
 * Everything that is wrong with policy files, alone and together, in the order of files and lines; and the policies, when nothing is.
 * Every file is read to its end: a broken one does not hide what is wrong with the next.
 */
export function checkPolicies(files: readonly PolicyFile[]): CheckedFiles {
  const checked: CheckedFiles = { policies: [], tables: new Map(), problems: [] };
  const report = (path: string, found: FileProblem[]) => {
    found.sort((a, b) => a.line - b.line || a.column - b.column);
    checked.problems.push(...found.slice(0, REPORTED_PROBLEMS).map((problem) => ({ path, ...problem })));
    const more = found.length - REPORTED_PROBLEMS;
    if (more > 0) checked.problems.push({ path, line: 0, column: 0, message: `has ${more} more problems` });
  };
  const lookups = files.filter(({ path }) => isLookupFile(path));
  for (const { path, text } of lookups) {
    const { table, problems } = parseLookup(path, text);
    if (table) checked.tables.set(path, table);
    report(path, problems);
  }
  const beside = { tables: checked.tables, broken: new Set(checked.problems.map(({ path }) => path)) };
  const parsed = files
    .filter(({ path }) => !isLookupFile(path))
    .map(({ path, text }) => ({ path, file: parseFile(text) }));
  const names: NamesSeen = {
    // Of two files with one id the first has it.
    policies: new Map(parsed.toReversed().map(({ path, file }) => [idOf(file.value), path])),
    rules: new Set(parsed.flatMap(({ file }) => ruleNames(file.value))),
    former: new Map(),
  };
  for (const { path, file } of parsed) {
    const found = file.value === undefined ? [...file.problems] : checkFile(file, path, names, beside);
    report(path, found);
    if (found.length === 0) checked.policies.push(Policy.parse(file.value));
  }
  return checked;
}

function checkFile(file: ParsedFile, path: string, names: NamesSeen, beside: Beside): FileProblem[] {
  const rules = readableRules(file.value);
  const complaints = [
    ...checkNames(file.value, path, names),
    ...checkLists(file.value),
    ...checkTypes(file.value),
    ...checkConditions(file.value),
    ...rules.flatMap(({ rule, at }) => checkRule(rule, at, beside)),
    ...checkTogether(rules),
  ];
  return [...file.problems, ...explainIssues(file), ...complaints.map((complaint) => place(complaint, file))];
}

function place({ at, on, offset, message, hint }: Complaint, file: ParsedFile): FileProblem {
  const position = on === "key" ? file.keyAt(at) : offset === undefined ? file.valueAt(at) : file.within(at, offset);
  return { ...position, message, ...(hint === undefined ? {} : { hint }) };
}

/** The rules that have the right form, whatever is wrong around them; as many as a file may have. */
function readableRules(value: unknown): PlacedRule[] {
  return rulesIn(value).flatMap((rule, index) => {
    const kind = Object.keys(RULE_KINDS).find((field) => isRecord(rule) && field in rule);
    const form = kind === undefined ? KeyRule : RULE_KINDS[kind as keyof typeof RULE_KINDS];
    const result = form.safeParse(rule);
    return result.success ? [{ rule: result.data, at: ["rules", index] }] : [];
  });
}

function rulesIn(value: unknown): unknown[] {
  return isRecord(value) && Array.isArray(value["rules"]) ? value["rules"].slice(0, MAX_RULES) : [];
}

function idOf(value: unknown): string {
  return isRecord(value) && typeof value["id"] === "string" ? value["id"] : "";
}

function ruleNames(value: unknown): string[] {
  return rulesIn(value).map((rule) => `${idOf(value)}/${idOf(rule)}`);
}

/** Any list that names something twice. */
function checkLists(value: unknown): Complaint[] {
  if (!isRecord(value)) return [];
  const lists: Path[] = [
    ["formerly"],
    ...["types", "accounts", "regions", "names"].map((field) => ["applies_to", field]),
    ...rulesIn(value).flatMap((_, index) =>
      ["aliases", "values", "forbidden", "formerly"].map((field) => ["rules", index, field]),
    ),
  ];
  return lists.flatMap((at) => {
    const items = at.reduce((found: unknown, step) => childOf(found, step), value as unknown);
    if (!Array.isArray(items)) return [];
    const seen = new Set<unknown>();
    return items.flatMap((item, index) => {
      if (typeof item === "string" && seen.has(item))
        return [{ at: [...at, index], message: `\`${item}\` is listed twice` }];
      seen.add(item);
      return [];
    });
  });
}

function checkTypes(value: unknown): Complaint[] {
  const scope = isRecord(value) ? value["applies_to"] : undefined;
  const types = isRecord(scope) && Array.isArray(scope["types"]) ? scope["types"] : [];
  return types.flatMap((type, index) => {
    if (typeof type !== "string" || !type.includes("*") || RESOURCE_TYPE_NAMES.some(anyWildcard([type]))) return [];
    const hint = `Possible here: ${RESOURCE_TYPE_NAMES.join(", ")}.`;
    return [{ at: ["applies_to", "types", index], message: `no resource type is like \`${type}\``, hint }];
  });
}
