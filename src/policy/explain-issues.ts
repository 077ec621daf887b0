import { z } from "zod";
import { RESOURCE_TYPE_NAMES } from "../inventory/resource-types.ts";
import { didYouMean, type FileProblem, type ParsedFile, type Path } from "./parse.ts";
import { Policy, RULE_KINDS } from "./policy.ts";

type Issue = z.core.$ZodIssue;

/** A file, and the form that it should have. */
type FormedFile = ParsedFile & { readonly form: z.ZodType };

/** What a form, that of policies when none is given, says about a file, in words, each at its place. */
export function explainIssues(parsed: ParsedFile, form: z.ZodType = Policy): FileProblem[] {
  const result = form.safeParse(parsed.value);
  if (result.success) return [];
  const file = { ...parsed, form };
  return result.error.issues.flatMap((issue) => explain(issue, issue.path as Path, file));
}

function explain(issue: Issue, path: Path, file: FormedFile): FileProblem[] {
  const value = valueAt(file.value, path);
  const here = file.valueAt(path);
  const name = nameOf(path);
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => ({ ...file.keyAt([...path, key]), ...explainUnknown(key, path, file) }));
    case "invalid_union":
      return explainUnion(issue.errors, path, file);
    case "invalid_type":
      return value === undefined
        ? [{ ...here, message: `${name} is missing`, ...hinted(missingHint(path)) }]
        : [{ ...here, ...explainType(issue.expected, value, path, file) }];
    case "invalid_value":
      return [{ ...here, ...explainChoice(issue.values.map(String), value, path, file) }];
    case "too_small":
      if (Array.isArray(value))
        return [{ ...here, message: `${name} is an empty list`, hint: "Name something, or leave it out." }];
      return [{ ...here, message: value === "" ? `${name} is empty` : `${name} is less than ${issue.minimum}` }];
    case "too_big":
      if (Array.isArray(value)) return [{ ...here, message: `${name} has more than ${issue.maximum} items` }];
      return [
        { ...here, message: `${name} is ${typeof value === "string" ? "longer" : "more"} than ${issue.maximum}` },
      ];
    case "invalid_format":
      if (path[0] === "applies_to" && path[1] === "types") {
        return [{ ...here, ...explainChoice(RESOURCE_TYPE_NAMES, value, path, file) }];
      }
      return [{ ...here, message: `${name} ${issue.message}` }];
    case "custom":
      return [{ ...here, message: `${name} ${issue.message}` }];
    case "invalid_key":
    case "invalid_element":
    case "not_multiple_of":
      break;
  }
  return [{ ...here, message: `${name}: ${issue.message}` }];
}

/** Goes on with the one form that was meant: of a rule, by what it is about; of a field, by the type of its value. */
function explainUnion(forms: readonly (readonly Issue[])[], path: Path, file: FormedFile): FileProblem[] {
  const value = valueAt(file.value, path);
  if (isRulePath(path) && isMapping(value)) return explainRule(value, forms, path, file);
  const meant = isMapping(value) ? (forms.at(-1) ?? []) : (forms[0] ?? []);
  return meant.flatMap((issue) => explain(issue, [...path, ...(issue.path as Path)], file));
}

function explainRule(
  rule: Record<string, unknown>,
  forms: readonly (readonly Issue[])[],
  path: Path,
  file: FormedFile,
): FileProblem[] {
  const kinds = Object.keys(RULE_KINDS);
  const about = kinds.filter((kind) => Object.hasOwn(rule, kind));
  const [first, second] = about;
  if (second !== undefined) {
    const message = `a rule is about one thing, and this one has ${about.map((kind) => `\`${kind}\``).join(" and ")}`;
    return [{ ...file.keyAt([...path, second]), message, hint: "Make two rules of it." }];
  }
  if (first === undefined) {
    const known = new Set(Object.values(RULE_KINDS).flatMap((kind) => Object.keys(kind.shape)));
    const unknown = Object.keys(rule).filter((field) => !known.has(field));
    const problems = unknown.map((field) => ({
      ...file.keyAt([...path, field]),
      ...explainUnknown(field, path, file),
    }));
    const message = "a rule without `key`, `forbidden`, `max_tags` or `assert`";
    return [{ ...file.valueAt(path), message, hint: "Say what the rule is about." }, ...problems];
  }
  const meant = forms[kinds.indexOf(first)] ?? [];
  return meant.flatMap((issue) => explain(issue, [...path, ...(issue.path as Path)], file));
}

function explainUnknown(field: string, path: Path, file: FormedFile): { message: string; hint?: string } {
  const kinds = Object.entries(RULE_KINDS).flatMap(([kind, form]) => (Object.hasOwn(form.shape, field) ? [kind] : []));
  if (isRulePath(path) && kinds.length > 0) {
    return { message: `\`${field}\` is for rules with \`${kinds.join("` or `")}\`, which this one is not` };
  }
  return { message: `unknown field \`${field}\``, hint: didYouMean(field, fieldsAt(path, file)) };
}

function explainType(
  expected: string,
  value: unknown,
  path: Path,
  file: FormedFile,
): { message: string; hint?: string } {
  const source = file.sourceAt(path);
  const message = `${nameOf(path)} must be ${typeWords(expected)}, not ${typeof value === "number" && expected === "int" ? (source ?? value) : valueWords(value)}`;
  if (expected === "string" && source) return { message, hint: `Put it in quotes: '${source}'.` };
  if (expected === "array" && !isMapping(value) && source) return { message, hint: `Write [${source}].` };
  return { message };
}

function explainChoice(
  choices: readonly string[],
  value: unknown,
  path: Path,
  file: FormedFile,
): { message: string; hint?: string } {
  const name = nameOf(path);
  if (value === undefined) return { message: `${name} is missing`, ...hinted(missingHint(path)) };
  const parent = path.at(-2);
  const word = typeof value === "string" ? value : (file.sourceAt(path) ?? valueWords(value));
  const field = path.at(-1);
  if (parent === "fix" && (field === "missing" || field === "invalid")) {
    const form = field === "missing" ? "{value: …}" : "{map: {…}}";
    return {
      message: `${name} must be \`review\` or a mapping such as ${form}`,
      ...(typeof value === "string" ? { hint: `Write ${form.replace("…", value)}.` } : {}),
    };
  }
  if (field === "version") return { message: `${name} cannot be \`${word}\``, ...hinted(missingHint(path)) };
  const message =
    typeof value === "string" || typeof value === "number"
      ? `${name} cannot be \`${word}\``
      : `${name} cannot be ${word}`;
  return { message, hint: didYouMean(word, choices) };
}

function missingHint(path: Path): string | undefined {
  return path.at(-1) === "version" ? "This is version 1: write `version: 1`." : undefined;
}

function hinted(hint: string | undefined): { hint?: string } {
  return hint === undefined ? {} : { hint };
}

function isRulePath(path: Path): boolean {
  return path.length === 2 && path[0] === "rules";
}

/** The fields that the format knows at a place; inside a rule, those of the kind of rule that it is. */
function fieldsAt(path: Path, file: FormedFile): string[] {
  const rule = valueAt(file.value, path.slice(0, 2));
  const kinds = Object.entries(RULE_KINDS).filter(([kind]) => isMapping(rule) && Object.hasOwn(rule, kind));
  const inRule = path[0] === "rules" && kinds.length > 0;
  let forms: readonly unknown[] = inRule ? kinds.map(([, form]) => form) : [file.form];
  for (const step of inRule ? path.slice(2) : path) forms = forms.flatMap((form) => inside(form, step));
  return [
    ...new Set(
      forms.flatMap(unwrapped).flatMap((form) => (form instanceof z.ZodObject ? Object.keys(form.shape) : [])),
    ),
  ];
}

function inside(form: unknown, step: string | number): unknown[] {
  return unwrapped(form).flatMap((form) => {
    if (form instanceof z.ZodObject) return Object.hasOwn(form.shape, step) ? [form.shape[step]] : [];
    return form instanceof z.ZodArray ? [form.element] : [];
  });
}

function unwrapped(form: unknown): unknown[] {
  if (form instanceof z.ZodOptional || form instanceof z.ZodDefault || form instanceof z.ZodPrefault)
    return unwrapped(form.unwrap());
  return form instanceof z.ZodUnion ? form.options.flatMap(unwrapped) : [form];
}

/** What stands at a place of the data; undefined: nothing does. */
export function valueAt(value: unknown, path: Path): unknown {
  let found = value;
  for (const step of path)
    found = Array.isArray(found) || isMapping(found) ? (found as Record<string | number, unknown>)[step] : undefined;
  return found;
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `values[1]`, `fix.missing.value`: the end of a path, from the last rule or the root on. */
function nameOf(path: Path): string {
  const steps = path[0] === "rules" && path.length > 2 ? path.slice(2) : path;
  if (steps.length === 0) return "the file";
  const words = steps.map((step) => (typeof step === "number" ? `[${step + 1}]` : `.${step}`)).join("");
  return `\`${words.replace(/^\./, "")}\``;
}

/** A type as zod names it, as people do. */
export function typeWords(expected: string): string {
  const words: Record<string, string> = {
    string: "a string",
    boolean: "true or false",
    array: "a list",
    object: "a mapping",
    record: "a mapping",
    int: "a whole number",
    number: "a whole number",
  };
  return words[expected] ?? expected;
}

/** What a value is, as people say it. */
export function valueWords(value: unknown): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "a mapping" : `a ${typeof value}`;
}
