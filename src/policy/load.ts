import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { parseCases, type ParsedCases } from "./cases.ts";
import { checkPolicies, type CheckedFiles } from "./check.ts";
import { compileSet, type CompiledPolicy } from "./compile.ts";
import { isLookupFile } from "./lookup.ts";
import { type NeedsOfSet, needsOf } from "./needs.ts";
import { MAX_FILE_BYTES } from "./parse.ts";
import type { Policy } from "./policy.ts";
import { printable } from "../terminal/text.ts";

/** A policy, or a table that policies look up, as written; `path` is relative to the policies folder. */
export type PolicyFile = { readonly path: string; readonly text: string };

/** Policies that were checked together, ready to judge with. */
export type PolicySet = {
  /** SHA-256, hex, of what the policies say and of the evaluator's version; not of comments, white space, or file names. */
  readonly id: string;
  /** Sorted by path. */
  readonly files: readonly PolicyFile[];
  /** In the order of the files. */
  readonly policies: readonly CompiledPolicy[];
  /** What its rules and fixes need to know of what stands around a resource. */
  readonly needs: NeedsOfSet;
};

/** Something wrong with a policy file. */
export type PolicyProblem = {
  readonly path: string;
  /** From 1; 0 where it is about the file or folder as a whole. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
  /** What to do about it, as a sentence. */
  readonly hint?: string;
};

/** Every problem of every file at once. The message is printable, a line each: `file:line:column: what. Hint` */
export class PolicyError extends Error {
  override readonly name = "PolicyError";
  readonly problems: readonly PolicyProblem[];

  constructor(problems: readonly PolicyProblem[]) {
    super(problems.map((problem) => printedProblem(problem)).join("\n"));
    this.problems = problems;
  }
}

/** Changes whenever the same policy would judge differently, so that findings know which judgement they come from. */
const EVALUATOR_VERSION = 1;
const FILE_NAME = /\.ya?ml$|\.csv$/;
/** Cases that test policies. */
const CASES = /\.test\.ya?ml$/;
/** Exemptions stand beside the policies, in files of their own: `exemptions.yaml`, `poc.exemptions.yaml`. */
const EXEMPTIONS = /(^|[/.])exemptions\.ya?ml$/;

/**
 * Reads the policies of a folder and its subfolders, and the tables that they look up: `.yaml`, `.yml` and `.csv` files. Names
 * that begin with a dot are left out, and so are tests (`*.test.yaml`) and exemptions (`exemptions.yaml`, `*.exemptions.yaml`).
 * @throws {PolicyError} with paths as given on the command line, when anything is wrong, or there is no policy.
 */
export async function loadPolicies(folder: string): Promise<PolicySet> {
  const { files, problems } = await readFolder(
    folder,
    (name) => FILE_NAME.test(name) && !CASES.test(name) && !EXEMPTIONS.test(name),
  );
  if (problems.length === 0 && files.every(({ path }) => isLookupFile(path))) throw noPolicies(folder);
  const checked = checkPolicies(files);
  problems.push(...checked.problems.map((problem) => ({ ...problem, path: path.join(folder, problem.path) })));
  if (problems.length > 0) throw new PolicyError(problems.sort((a, b) => compare(a.path, b.path)));
  return policySet(files, checked);
}

/**
 * Reads the cases beside policies: every `*.test.yaml` of a folder and its subfolders, by path.
 * @throws {PolicyError} naming everything that is wrong with any of them.
 */
export async function loadCases(folder: string): Promise<ParsedCases[]> {
  const names = await listFiles(folder, (name) => CASES.test(name));
  const cases: ParsedCases[] = [];
  const problems: PolicyProblem[] = [];
  for (const name of names) {
    const read = await readPolicyFile(folder, name);
    if (!("text" in read)) {
      problems.push(read);
      continue;
    }
    const { parsed, problems: found } = parseCases(name, read.text);
    if (parsed) cases.push(parsed);
    problems.push(...found.map((problem) => ({ ...problem, path: path.join(folder, problem.path) })));
  }
  if (problems.length > 0) throw new PolicyError(problems);
  return cases;
}

/**
 * Checks and prepares policy files. Pure: the same files, in any order, give the same set.
 * @throws {PolicyError} naming everything that is wrong with any of them; an empty list is wrong too.
 */
export function compilePolicies(files: readonly PolicyFile[]): PolicySet {
  if (files.every(({ path }) => isLookupFile(path))) throw noPolicies(".");
  const sorted = [...files].sort((a, b) => compare(a.path, b.path));
  const checked = checkPolicies(sorted);
  if (checked.problems.length > 0) throw new PolicyError(checked.problems);
  return policySet(sorted, checked);
}

function policySet(files: readonly PolicyFile[], { policies, tables }: CheckedFiles): PolicySet {
  const compiled = compileSet(policies, tables);
  return { id: setId(policies, tables), files, policies: compiled, needs: needsOf(compiled, policies) };
}

/** Defaults are filled in before hashing, so that saying a default aloud is no change. The order of rules is part of what is said. */
function setId(policies: readonly Policy[], tables: CheckedFiles["tables"]): string {
  const sorted = [...policies].sort((a, b) => compare(a.id, b.id));
  const said = { evaluator: EVALUATOR_VERSION, policies: sorted, tables: Object.fromEntries(tables) };
  const canonical = JSON.stringify(said, (_, value: unknown) => sortedKeys(value));
  return createHash("sha256").update(canonical).digest("hex");
}

function sortedKeys(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => compare(a, b)));
}

/**
 * The files of exemptions in a folder of policies, sorted by path, with what is wrong with those that cannot be read.
 * @throws {PolicyError} when the folder itself cannot be read.
 */
export function readExemptionFiles(folder: string): Promise<{ files: PolicyFile[]; problems: PolicyProblem[] }> {
  return readFolder(folder, (name) => EXEMPTIONS.test(name));
}

async function readFolder(
  folder: string,
  isWanted: (name: string) => boolean,
): Promise<{ files: PolicyFile[]; problems: PolicyProblem[] }> {
  const files: PolicyFile[] = [];
  const problems: PolicyProblem[] = [];
  for (const name of await listFiles(folder, isWanted)) {
    const read = await readPolicyFile(folder, name);
    if ("text" in read) files.push(read);
    else problems.push(read);
  }
  return { files, problems };
}

/** Files by path. A link counts as what it points to: a mounted configuration is made of links. Linked folders are not entered. */
async function listFiles(folder: string, wanted: (name: string) => boolean, below = ""): Promise<string[]> {
  const names: string[] = [];
  try {
    for (const entry of await readdir(path.join(folder, below), { withFileTypes: true })) {
      if (entry.name.startsWith(".")) continue;
      const name = path.posix.join(below, entry.name);
      if (entry.isDirectory()) names.push(...(await listFiles(folder, wanted, name)));
      else if (wanted(entry.name)) names.push(name);
    }
  } catch (error) {
    if (error instanceof PolicyError) throw error;
    throw new PolicyError([wholeFile(path.join(folder, below), `cannot be read: ${reason(error)}`)]);
  }
  return names.sort(compare);
}

async function readPolicyFile(folder: string, name: string): Promise<PolicyFile | PolicyProblem> {
  const file = path.join(folder, name);
  try {
    const found = await stat(file);
    if (!found.isFile()) return wholeFile(file, "is no file");
    if (found.size > MAX_FILE_BYTES) return wholeFile(file, `is larger than ${MAX_FILE_BYTES / 1024} KiB`);
    const bytes = await readFile(file);
    return { path: name, text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch (error) {
    return wholeFile(file, error instanceof TypeError ? "is not UTF-8 text" : `cannot be read: ${reason(error)}`);
  }
}

function wholeFile(file: string, message: string): PolicyProblem {
  return { path: file, line: 0, column: 0, message };
}

function noPolicies(folder: string): PolicyError {
  const hint = "Put a policy there, such as those that come with Tagwarden; see docs/policies.md.";
  return new PolicyError([{ ...wholeFile(folder, "holds no policy: no file ends in .yaml or .yml"), hint }]);
}

/** A problem as one printable line: `file:line:column: what. What to do`. `kind` comes before what it is. */
export function printedProblem({ path, line, column, message, hint }: PolicyProblem, kind = ""): string {
  const place = line === 0 ? path : `${path}:${line}:${column}`;
  return printable(`${place}: ${kind}${message}${hint === undefined ? "" : `. ${hint}`}`);
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** By code unit, the same on every machine. */
function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
