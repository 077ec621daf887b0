import { RESOURCE_TYPE_NAMES } from "../inventory/resource-types.ts";
import { MAX_USER_TAGS, valueProblem } from "../tags/limits.ts";
import { compilePattern, valueCheck } from "./compile.ts";
import { explainIssues } from "./explain-issues.ts";
import { parseFile, type FileProblem, type ParsedFile, type Path } from "./parse.ts";
import type { PolicyFile, PolicyProblem } from "./load.ts";
import { ForbiddenRule, KeyRule, LimitRule, MAX_RULES, Policy, type Rule } from "./policy.ts";
import { anyWildcard } from "./wildcard.ts";

/** Where a problem is and what it is, before the path becomes a line. */
type Complaint = { readonly at: Path; readonly on?: "key"; readonly message: string; readonly hint?: string };
type PlacedRule = { readonly rule: Rule; readonly at: Path };

/** Of one file: who has more mends these first. */
const REPORTED_PROBLEMS = 100;

/**
 * Everything that is wrong with policy files, alone and together, in the order of files and lines; and the policies, when nothing is.
 * Every file is read to its end: a broken one does not hide what is wrong with the next.
 */
export function checkPolicies(files: readonly PolicyFile[]): { policies: Policy[]; problems: PolicyProblem[] } {
  const policies: Policy[] = [];
  const problems: PolicyProblem[] = [];
  const idsSeen = new Map<string, string>();
  for (const { path, text } of files) {
    const file = parseFile(text);
    const found = file.value === undefined ? [...file.problems] : [...file.problems, ...checkFile(file, path, idsSeen)];
    found.sort((a, b) => a.line - b.line || a.column - b.column);
    problems.push(...found.slice(0, REPORTED_PROBLEMS).map((problem) => ({ path, ...problem })));
    const more = found.length - REPORTED_PROBLEMS;
    if (more > 0) problems.push({ path, line: 0, column: 0, message: `has ${more} more problems` });
    if (found.length === 0) policies.push(Policy.parse(file.value));
  }
  return { policies, problems };
}

function checkFile(file: ParsedFile, path: string, idsSeen: Map<string, string>): FileProblem[] {
  const rules = readableRules(file.value);
  const complaints = [
    ...checkPolicyId(file.value, path, idsSeen),
    ...checkLists(file.value),
    ...checkTypes(file.value),
    ...rules.flatMap(({ rule, at }) => checkRule(rule, at)),
    ...checkTogether(rules),
  ];
  return [...explainIssues(file), ...complaints.map((complaint) => place(complaint, file))];
}

function place({ at, on, message, hint }: Complaint, file: ParsedFile): FileProblem {
  const position = on === "key" ? file.keyAt(at) : file.valueAt(at);
  return { ...position, message, ...(hint === undefined ? {} : { hint }) };
}

/** The rules that have the right form, whatever is wrong around them; as many as a file may have. */
function readableRules(value: unknown): PlacedRule[] {
  const rules = isRecord(value) && Array.isArray(value["rules"]) ? value["rules"] : [];
  return rules.slice(0, MAX_RULES).flatMap((rule, index) => {
    const form =
      isRecord(rule) && "key" in rule ? KeyRule : isRecord(rule) && "forbidden" in rule ? ForbiddenRule : LimitRule;
    const result = form.safeParse(rule);
    return result.success ? [{ rule: result.data, at: ["rules", index] }] : [];
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function checkPolicyId(value: unknown, path: string, idsSeen: Map<string, string>): Complaint[] {
  const id = isRecord(value) ? value["id"] : undefined;
  if (typeof id !== "string") return [];
  const other = idsSeen.get(id);
  if (other !== undefined) {
    return [
      { at: ["id"], message: `the policy id \`${id}\` is taken by ${other}`, hint: "Give one of them another id." },
    ];
  }
  idsSeen.set(id, path);
  return [];
}

function childOf(value: unknown, step: string | number): unknown {
  if (Array.isArray(value)) return value[Number(step)];
  return isRecord(value) ? value[String(step)] : undefined;
}

/** Any list that names something twice. */
function checkLists(value: unknown): Complaint[] {
  if (!isRecord(value)) return [];
  const rules = Array.isArray(value["rules"]) ? value["rules"] : [];
  const lists: Path[] = [
    ...["types", "accounts", "regions", "names"].map((field) => ["applies_to", field]),
    ...rules.flatMap((_, index) => ["aliases", "values", "forbidden"].map((field) => ["rules", index, field])),
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

function checkRule(rule: Rule, at: Path): Complaint[] {
  if (!("key" in rule)) return [];
  const pattern = checkPattern(rule, at);
  // What a broken pattern would refuse cannot be known.
  return pattern.length > 0 ? pattern : [...checkSense(rule, at), ...checkValues(rule, at)];
}

function checkPattern(rule: KeyRule, at: Path): Complaint[] {
  if (rule.pattern === undefined) return [];
  try {
    compilePattern(rule.pattern);
    return [];
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace("error parsing regexp: ", "") : String(error);
    const message = `\`pattern\` is no RE2 expression: ${reason}`;
    const hint = /\(\?[=!<]/.test(rule.pattern)
      ? { hint: "RE2 has no look-around; see https://github.com/google/re2/wiki/Syntax." }
      : {};
    return [{ at: [...at, "pattern"], message, ...hint }];
  }
}

function restricts(rule: KeyRule): boolean {
  return rule.values !== undefined || rule.pattern !== undefined || rule.format !== undefined;
}

/** Fields that contradict each other or do nothing. */
function checkSense(rule: KeyRule, at: Path): Complaint[] {
  const complaints: Complaint[] = [];
  if (!rule.required && !restricts(rule) && !rule.aliases) {
    const hint = "Give it `required: true`, `values`, `pattern`, `format` or `aliases`.";
    complaints.push({ at, message: `rule \`${rule.id}\` can never be violated`, hint });
  }
  if (rule.allow_empty && !rule.required && !restricts(rule)) {
    complaints.push({
      at: [...at, "allow_empty"],
      on: "key",
      message: "`allow_empty` does nothing where nothing refuses an empty value",
    });
  }
  for (const [index, alias] of (rule.aliases ?? []).entries()) {
    if (alias === rule.key)
      complaints.push({ at: [...at, "aliases", index], message: `the alias \`${alias}\` is the key itself` });
  }
  if (rule.fix.variant === "rename" && !rule.aliases) {
    complaints.push({
      at: [...at, "fix", "variant"],
      on: "key",
      message: "`fix.variant` does nothing without `aliases`",
    });
  }
  if (rule.fix.missing !== "review" && !rule.required) {
    complaints.push({
      at: [...at, "fix", "missing"],
      on: "key",
      message: "`fix.missing` does nothing without `required: true`",
    });
  }
  if (rule.fix.invalid !== "review" && !restricts(rule) && (!rule.required || rule.allow_empty)) {
    complaints.push({
      at: [...at, "fix", "invalid"],
      on: "key",
      message: "`fix.invalid` does nothing where every value is allowed",
    });
  }
  return complaints;
}

/** Values that the rule itself names and refuses. */
function checkValues(rule: KeyRule, at: Path): Complaint[] {
  const complaints: Complaint[] = [];
  const passes = valueCheck(rule);
  for (const [index, value] of (rule.values ?? []).entries()) {
    if (!passes(value))
      complaints.push({
        at: [...at, "values", index],
        message: `the rule lists \`${value}\` and refuses it by \`pattern\` or \`format\``,
      });
  }
  const { missing, invalid } = rule.fix;
  if (missing !== "review" && !passes(missing.value)) {
    complaints.push({
      at: [...at, "fix", "missing", "value"],
      message: `the rule itself refuses ${quoted(missing.value)}`,
    });
  }
  if (invalid === "review") return complaints;
  const map = [...at, "fix", "invalid", "map"];
  if (Object.keys(invalid.map).length === 0) complaints.push({ at: map, message: "`fix.invalid.map` is empty" });
  for (const [from, to] of Object.entries(invalid.map)) {
    const problem = valueProblem(from);
    if (problem)
      complaints.push({ at: [...map, from], on: "key", message: `no tag has the value \`${from}\`: it ${problem}` });
    else if ((restricts(rule) || rule.required) && passes(from))
      complaints.push({
        at: [...map, from],
        on: "key",
        message: `the rule allows ${quoted(from)}, so it is never mapped`,
      });
    if (!passes(to)) complaints.push({ at: [...map, from], message: `the rule itself refuses ${quoted(to)}` });
  }
  return complaints;
}

function quoted(value: string): string {
  return value === "" ? "an empty value" : `\`${value}\``;
}

/** What the rules of one policy say against each other: its scope is the same for all of them. */
function checkTogether(rules: readonly PlacedRule[]): Complaint[] {
  const complaints: Complaint[] = [];
  const ids = new Set<string>();
  const spellings = new Map<string, string>();
  const keys = rules.flatMap(({ rule, at }) => ("key" in rule ? [{ rule, at }] : []));
  for (const { rule, at } of rules) {
    if (ids.has(rule.id))
      complaints.push({ at: [...at, "id"], message: `the rule id \`${rule.id}\` is taken in this file` });
    ids.add(rule.id);
  }
  const claim = (spelling: string, rule: KeyRule, at: Path) => {
    const other = spellings.get(spelling);
    if (other === undefined) spellings.set(spelling, rule.id);
    else if (other !== rule.id) {
      complaints.push({
        at,
        message: `rule \`${other}\` is about \`${spelling}\` already`,
        hint: "One rule says everything about one key.",
      });
    }
  };
  for (const { rule, at } of keys) claim(rule.key, rule, [...at, "key"]);
  for (const { rule, at } of keys) {
    for (const [index, alias] of (rule.aliases ?? []).entries()) claim(alias, rule, [...at, "aliases", index]);
  }
  return [...complaints, ...checkForbidden(rules), ...checkRoom(rules, keys)];
}

function checkForbidden(rules: readonly PlacedRule[]): Complaint[] {
  const spellings = rules.flatMap(({ rule }) =>
    "key" in rule ? [rule.key, ...(rule.aliases ?? [])].map((key) => ({ key, id: rule.id })) : [],
  );
  return rules.flatMap(({ rule, at }) => {
    if (!("forbidden" in rule)) return [];
    return rule.forbidden.flatMap((pattern, index) => {
      const matches = anyWildcard([pattern]);
      const hit = spellings.find(({ key }) => matches(key));
      if (!hit) return [];
      return [
        {
          at: [...at, "forbidden", index],
          message: `\`${pattern}\` forbids \`${hit.key}\`, which rule \`${hit.id}\` is about`,
        },
      ];
    });
  });
}

function checkRoom(rules: readonly PlacedRule[], keys: readonly { rule: KeyRule; at: Path }[]): Complaint[] {
  const required = keys.filter(({ rule }) => rule.required);
  const complaints: Complaint[] = [];
  const over = required[MAX_USER_TAGS];
  if (over) {
    const message = `${required.length} required keys, and a resource holds ${MAX_USER_TAGS} tags`;
    complaints.push({ at: [...over.at, "key"], message });
  }
  for (const { rule, at } of rules) {
    if ("max_tags" in rule && rule.max_tags < required.length) {
      const message = `\`max_tags\` leaves no room for the ${required.length} required keys of this file`;
      complaints.push({ at: [...at, "max_tags"], message });
    }
  }
  return complaints;
}
