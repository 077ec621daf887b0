import type { PolicyFile, PolicyProblem, PolicySet } from "../policy/load.ts";
import { didYouMean, type FileProblem, parseFile, type ParsedFile, type Path } from "../policy/parse.ts";
import { toEnd } from "./asked.ts";
import { explainIssues } from "./explain.ts";
import { type Asked, problemsOf, scopeOf } from "./exemption.ts";
import { Entry } from "./file.ts";
import { beginOf } from "./instants.ts";
import { presentNames } from "./present-names.ts";

/** An exemption of a file, ready to be recorded, and where it stands. */
export type FileExemption = Asked & {
  readonly id: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
};

/** What files of exemptions say. `warnings` hinder nothing: something does nothing, or is about nothing that is there. */
export type CheckedExemptions = {
  readonly entries: readonly FileExemption[];
  readonly problems: readonly PolicyProblem[];
  readonly warnings: readonly PolicyProblem[];
};

/** The rules that exemptions can be about. */
export type KnownPolicies = PolicySet["policies"];

type Complaint = { readonly at: Path; readonly message: string; readonly hint?: string };
type Placed = { readonly entry: Entry; readonly at: Path };
type Found = { entries: FileExemption[]; problems: FileProblem[]; warnings: FileProblem[] };

/** Of one file: who has more mends these first. */
const REPORTED_PROBLEMS = 100;

/**
 * Everything that is wrong with files of exemptions, alone and together, in the order of files and lines. Every file is read to
 * its end: a broken one does not hide what is wrong with the next. `policies`: null where they are not known.
 */
export function checkExemptions(
  files: readonly PolicyFile[],
  { policies, now }: { readonly policies: KnownPolicies | null; readonly now: Date },
): CheckedExemptions {
  const seen = new Map<string, string>();
  const checked = files.map(({ path, text }) => ({ path, ...checkFile(path, text, seen, policies, now) }));
  return {
    entries: checked.flatMap(({ entries }) => entries),
    problems: checked.flatMap(({ path, problems }) => placed(path, problems)),
    warnings: checked.flatMap(({ path, warnings }) => placed(path, warnings)),
  };
}

/** In the order of the file, as many as somebody reads. */
function placed(path: string, found: FileProblem[]): PolicyProblem[] {
  const sorted = found.toSorted((a, b) => a.line - b.line || a.column - b.column);
  const shown = sorted.slice(0, REPORTED_PROBLEMS).map((problem) => ({ path, ...problem }));
  const more = sorted.length - shown.length;
  return more > 0 ? [...shown, { path, line: 0, column: 0, message: `has ${more} more problems` }] : shown;
}

function checkFile(
  path: string,
  text: string,
  seen: Map<string, string>,
  policies: KnownPolicies | null,
  now: Date,
): Found {
  const file = parseFile(text, "list of exemptions");
  if (file.value === undefined) return { entries: [], problems: [...file.problems], warnings: [] };
  const entries = readableEntries(file.value);
  const complaints = entries.flatMap((one) => [
    ...checkId(one, file, path, seen),
    ...checkDecision(one, now),
    ...checkLists(one),
  ]);
  const warnings = entries.flatMap((one) => [...checkExpired(one, now), ...(policies ? checkRule(one, policies) : [])]);
  return {
    entries: entries.map(({ entry, at }) => ({
      ...presentNames(toAsked(entry), policies ?? []),
      id: entry.id,
      file: path,
      ...file.valueAt(at),
    })),
    problems: [...file.problems, ...explainIssues(file), ...complaints.map((one) => place(one, file))],
    warnings: warnings.map((one) => place(one, file)),
  };
}

function place({ at, message, hint }: Complaint, file: ParsedFile): FileProblem {
  return { ...file.valueAt(at), message, ...(hint === undefined ? {} : { hint }) };
}

/** The exemptions that have the right form, whatever is wrong around them. */
function readableEntries(value: unknown): Placed[] {
  const { exemptions } = (value ?? {}) as { exemptions?: unknown };
  if (!Array.isArray(exemptions)) return [];
  return exemptions.flatMap((item: unknown, index) => {
    const result = Entry.safeParse(item);
    return result.success ? [{ entry: result.data, at: ["exemptions", index] }] : [];
  });
}

/** What a file says, in the words of the table. */
function toAsked(entry: Entry): Asked {
  const starts_at = entry.starts === undefined ? null : beginOf(entry.starts);
  const expires_at = toEnd(entry.expires);
  const { policy: policy_id, rule: rule_id, key, tags, reason, ticket = null, requested_by, approved_by } = entry;
  const scope = scopeOf({
    policy_id,
    rule_id,
    key,
    accounts: listOf(entry.accounts),
    regions: listOf(entry.regions),
    types: listOf(entry.types),
    names: listOf(entry.names),
    arns: listOf(entry.arns),
    tags,
  });
  return { ...scope, reason, ticket, requested_by, approved_by, starts_at, expires_at };
}

function listOf<T extends string>(given: T | readonly T[] | undefined): readonly T[] | undefined {
  return typeof given === "string" ? [given] : given;
}

function checkId({ entry, at }: Placed, file: ParsedFile, path: string, seen: Map<string, string>): Complaint[] {
  const other = seen.get(entry.id);
  if (other === undefined) {
    seen.set(entry.id, `${path}:${file.valueAt(at).line}`);
    return [];
  }
  const message = `the exemption id \`${entry.id}\` is taken by ${other}`;
  return [{ at: [...at, "id"], message, hint: "Give one of them another id." }];
}

function checkDecision({ entry, at }: Placed, now: Date): Complaint[] {
  const asked = toAsked(entry);
  return problemsOf(asked, now)
    .filter(({ field }) => field === "scope" || !isOver(asked, now))
    .map(({ field, message }) =>
      field === "scope"
        ? { at, message: `\`${entry.id}\` ${message}` }
        : { at: [...at, "expires"], message: `\`${entry.id}\` ${message}` },
    );
}

function checkExpired({ entry, at }: Placed, now: Date): Complaint[] {
  const asked = toAsked(entry);
  if (!isOver(asked, now)) return [];
  const message = `\`${entry.id}\` expired at ${asked.expires_at.toISOString()} and does nothing`;
  return [{ at: [...at, "expires"], message, hint: "Extend it, or take it out." }];
}

/** It had its time, and that has passed. */
function isOver({ starts_at, expires_at }: Asked, now: Date): boolean {
  return expires_at <= now && (starts_at === null || starts_at < expires_at);
}

/** Any list that names something twice. */
function checkLists({ entry, at }: Placed): Complaint[] {
  const { accounts, types, regions, names, arns } = entry;
  return Object.entries({ accounts, types, regions, names, arns }).flatMap(([field, items]) =>
    Array.isArray(items)
      ? items.flatMap((item: string, index) =>
          items.indexOf(item as never) === index
            ? []
            : [{ at: [...at, field, index], message: `\`${item}\` is listed twice` }],
        )
      : [],
  );
}

/** A policy or rule that is not there: perhaps misspelt, perhaps gone, perhaps still to come. */
function checkRule({ entry, at }: Placed, policies: KnownPolicies): Complaint[] {
  const { policy_id, rule_id } = presentNames(
    { policy_id: entry.policy ?? null, rule_id: entry.rule ?? null },
    policies,
  );
  const [policy, rule] = [policy_id ?? undefined, rule_id ?? undefined];
  const named = policies.find(({ id }) => id === policy);
  if (policy !== undefined && !named) {
    const hint = didYouMean(
      policy,
      policies.map(({ id }) => id),
    );
    return [{ at: [...at, "policy"], message: `no policy has the id \`${policy}\``, hint }];
  }
  const rules = (named ? [named] : policies).flatMap(({ rules }) => rules.map(({ rule_id }) => rule_id));
  if (rule === undefined || rules.includes(rule)) return [];
  const message = named ? `policy \`${named.id}\` has no rule \`${rule}\`` : `no policy has a rule \`${rule}\``;
  return [{ at: [...at, "rule"], message, hint: didYouMean(rule, [...new Set(rules)]) }];
}
