import { valueProblem } from "../tags/limits.ts";
import { complaintsOf } from "./check-conditions.ts";
import { checkPattern, restricts } from "./check-pattern.ts";
import { valueCheck } from "./compile.ts";
import { type Complaint, quoted } from "./complaint.ts";
import type { InvalidFix, MissingFix, Source } from "./fix-format.ts";
import type { Beside } from "./lookup.ts";
import { didYouMean, type Path } from "./parse.ts";
import type { KeyRule } from "./policy.ts";
import { compileTemplate } from "./template.ts";

const SOURCES = ["value", "inherit", "account_tag", "lookup", "template"] as const;

/** What is wrong with how a rule is to be repaired: values that the rule itself refuses, sources that are not there. */
export function checkFix(rule: KeyRule, at: Path, beside: Beside): Complaint[] {
  const { missing, invalid } = rule.fix;
  const passes = valueCheck(rule);
  const refused = (value: string, place: Path): Complaint[] =>
    passes(value, rule.required !== false) ? [] : [{ at: place, message: `the rule itself refuses ${quoted(value)}` }];
  return [
    ...(missing === "review" ? [] : checkMissing(missing, [...at, "fix", "missing"], refused, beside)),
    ...(invalid === "review" ? [] : checkInvalid(rule, invalid, [...at, "fix", "invalid"], refused)),
  ];
}

type Refused = (value: string, place: Path) => Complaint[];

function checkMissing(fix: MissingFix, at: Path, refused: Refused, beside: Beside): Complaint[] {
  const complaints = checkSource(fix, at, refused, beside);
  if (fix.otherwise === undefined) return complaints;
  const place = [...at, "otherwise"];
  if (fix.value !== undefined) {
    complaints.push({ at: place, on: "key", message: "`otherwise` does nothing beside a fixed value" });
  }
  if (typeof fix.otherwise === "string") complaints.push(...refused(fix.otherwise, place));
  else complaints.push(...checkSource(fix.otherwise, place, refused, beside));
  return complaints;
}

function checkSource(source: Source, at: Path, refused: Refused, beside: Beside): Complaint[] {
  const given = SOURCES.filter((name) => source[name] !== undefined);
  const [, second] = given;
  if (given.length === 0) {
    const hint = `Give it one of ${SOURCES.join(", ")}.`;
    return [{ at, message: "no source for the value", hint }];
  }
  if (second !== undefined) {
    const message = `one source at a time, and here are ${given.map((name) => `\`${name}\``).join(" and ")}`;
    return [{ at: [...at, second], on: "key", message, hint: "Put the second one into `otherwise`." }];
  }
  if (source.value !== undefined) return refused(source.value, [...at, "value"]);
  if (source.template !== undefined) return complaintsOf(source.template, [...at, "template"], compileTemplate);
  return source.lookup ? checkLookup(source.lookup, [...at, "lookup"], beside) : [];
}

function checkLookup(lookup: NonNullable<Source["lookup"]>, at: Path, { tables, broken }: Beside): Complaint[] {
  const { file, by, column } = lookup;
  if (broken.has(file)) return [];
  const table = tables.get(file);
  if (!table) {
    const hint =
      tables.size === 0
        ? "Put a `.csv` or `.lookup.yaml` file beside the policies."
        : didYouMean(file, [...tables.keys()]);
    return [{ at: [...at, "file"], message: `there is no lookup file \`${file}\` among the policies`, hint }];
  }
  const wanted = [
    ...(typeof by === "string" ? [{ name: by, place: [...at, "by"] }] : []),
    ...(typeof by === "string" ? [] : by.map((name, index) => ({ name, place: [...at, "by", index] }))),
    { name: column, place: [...at, "column"] },
  ];
  return wanted.flatMap(({ name, place }) =>
    table.columns.includes(name)
      ? []
      : [{ at: place, message: `${file} has no column \`${name}\``, hint: didYouMean(name, table.columns) }],
  );
}

function checkInvalid(rule: KeyRule, fix: InvalidFix, at: Path, refused: Refused): Complaint[] {
  const complaints: Complaint[] = [];
  const { clean, map, patterns, otherwise } = fix;
  if (!clean && !map && !patterns && otherwise === undefined) {
    const hint = "Give it `clean`, `map`, `patterns` or `otherwise`.";
    complaints.push({ at, message: "`fix.invalid` says nothing", hint });
  }
  if (clean && !clean.trim && clean.case === undefined && clean.separators === undefined)
    complaints.push({ at: [...at, "clean"], message: "`clean` cleans nothing" });
  if (fix.ignore_case && !map)
    complaints.push({ at: [...at, "ignore_case"], on: "key", message: "`ignore_case` does nothing without `map`" });
  if (map) complaints.push(...checkMap(rule, map, fix.ignore_case, [...at, "map"], refused));
  for (const [index, { pattern, value }] of (patterns ?? []).entries()) {
    complaints.push(...checkPattern(pattern, [...at, "patterns", index, "pattern"]));
    complaints.push(...refused(value, [...at, "patterns", index, "value"]));
  }
  if (otherwise !== undefined) complaints.push(...refused(otherwise, [...at, "otherwise"]));
  return complaints;
}

function checkMap(
  rule: KeyRule,
  map: Readonly<Record<string, string>>,
  ignore_case: boolean,
  at: Path,
  refused: Refused,
): Complaint[] {
  const passes = valueCheck(rule);
  const complaints: Complaint[] = [];
  const seen = new Map<string, string>();
  if (Object.keys(map).length === 0) complaints.push({ at, message: "`fix.invalid.map` is empty" });
  for (const [from, to] of Object.entries(map)) {
    const place = { at: [...at, from], on: "key" } as const;
    const problem = valueProblem(from);
    const twin = ignore_case ? seen.get(from.toLowerCase()) : undefined;
    seen.set(from.toLowerCase(), from);
    if (problem) complaints.push({ ...place, message: `no tag has the value \`${from}\`: it ${problem}` });
    else if ((restricts(rule) || rule.required !== false) && passes(from, rule.required !== false) && !ignore_case)
      complaints.push({ ...place, message: `the rule allows ${quoted(from)}, so it is never mapped` });
    if (twin !== undefined && map[twin] !== to)
      complaints.push({
        ...place,
        message: `\`${twin}\` is the same value in another case, and maps to something else`,
      });
    complaints.push(...refused(to, [...at, from]));
  }
  return complaints;
}
