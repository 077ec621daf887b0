import type { z } from "zod";
import { typeWords, valueAt, valueWords } from "../policy/explain-issues.ts";
import { didYouMean, type FileProblem, type ParsedFile, type Path } from "../policy/parse.ts";
import { Entry, ExemptionsFile } from "./file.ts";

type Issue = z.core.$ZodIssue;
type Words = { readonly message: string; readonly hint?: string };

/** What the format says about a file, in words, each at its place. */
export function explainIssues(file: ParsedFile): FileProblem[] {
  const result = ExemptionsFile.safeParse(file.value);
  if (result.success) return [];
  return result.error.issues.flatMap((issue) => explain(issue, issue.path as Path, file));
}

function explain(issue: Issue, path: Path, file: ParsedFile): FileProblem[] {
  const value = valueAt(file.value, path);
  const here = file.valueAt(path);
  const name = nameOf(path);
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => ({
        ...file.keyAt([...path, key]),
        message: `unknown field \`${key}\``,
        hint: didYouMean(key, Object.keys(path.length === 0 ? ExemptionsFile.shape : Entry.shape)),
      }));
    case "invalid_union": {
      // One value or a list of them: what is no list is meant as the value.
      const meant = issue.errors[Array.isArray(value) ? 1 : 0] ?? [];
      return meant.flatMap((inner) => explain(inner, [...path, ...(inner.path as Path)], file));
    }
    case "invalid_type":
      return [{ ...here, ...explainType(issue.expected, value, path, file) }];
    case "invalid_value":
      return [{ ...here, ...explainChoice(issue.values.map(String), value, path, file) }];
    case "invalid_key":
      return issue.issues.map(({ message }) => ({ ...file.keyAt(path), message: `${name}: the key ${message}` }));
    case "too_small":
      if (Array.isArray(value))
        return [{ ...here, message: `${name} is an empty list`, hint: "Name something, or leave it out." }];
      return [{ ...here, message: `${name} is empty` }];
    case "too_big":
      return [
        { ...here, message: `${name} ${Array.isArray(value) ? "has more than" : "is longer than"} ${issue.maximum}` },
      ];
    case "custom":
    case "invalid_format":
    case "invalid_element":
    case "not_multiple_of":
      break;
  }
  return [{ ...here, message: `${name} ${issue.message}` }];
}

function explainType(expected: string, value: unknown, path: Path, file: ParsedFile): Words {
  const name = nameOf(path);
  if (value === undefined) return { message: `${name} is missing`, ...versionHint(path) };
  const source = file.sourceAt(path);
  const message = `${name} must be ${typeWords(expected)}, not ${valueWords(value)}`;
  return expected === "string" && source ? { message, hint: `Put it in quotes: '${source}'.` } : { message };
}

function explainChoice(choices: readonly string[], value: unknown, path: Path, file: ParsedFile): Words {
  const name = nameOf(path);
  if (value === undefined) return { message: `${name} is missing`, ...versionHint(path) };
  const word = typeof value === "string" ? value : (file.sourceAt(path) ?? valueWords(value));
  const hint = path.at(-1) === "version" ? versionHint(path) : { hint: didYouMean(word, choices) };
  return { message: `${name} cannot be \`${word}\``, ...hint };
}

function versionHint(path: Path): { hint?: string } {
  return path.at(-1) === "version" ? { hint: "This is version 1: write `version: 1`." } : {};
}

/** `accounts[2]`, `tags.Stage`: the end of a path, inside its exemption. */
function nameOf(path: Path): string {
  const steps = path[0] === "exemptions" && path.length > 2 ? path.slice(2) : path;
  if (steps.length === 0) return "the file";
  const words = steps.map((step) => (typeof step === "number" ? `[${step + 1}]` : `.${step}`)).join("");
  return `\`${words.replace(/^\./, "")}\``;
}
