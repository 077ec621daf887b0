import { policyFromConfigRule } from "./config-rule.ts";
import { type JsonNode, memberOf, readJson } from "./json-text.ts";
import type { Require } from "./tag-policy/judge.ts";
import { mergeTagPolicies } from "./tag-policy/merge.ts";
import { parseTagPolicy } from "./tag-policy/parse.ts";
import { parseEffectivePolicy } from "./tag-policy/parse-effective.ts";
import type { EffectiveTagPolicy } from "./tag-policy/tag-policy.ts";
import { policyFrom } from "./tag-policy/to-policy.ts";

/** What a policy can be made of: documents of tag policies, what is in effect of them in an account, or a rule of AWS Config. */
export const IMPORT_FORMATS = ["tag-policy", "effective-tag-policy", "config-rule"] as const;
export type ImportFormat = (typeof IMPORT_FORMATS)[number];

/** A document, what to call it in messages, and what it is attached to. */
export type SourceDocument = { readonly name: string; readonly target: string; readonly text: string };

/** Something about what was read or made. Null, and 0 for lines and columns, where it does not apply. */
type Remark = {
  readonly code: string;
  readonly file: string | null;
  readonly line: number;
  readonly column: number;
  /** Names from the root of the document. */
  readonly path: string | null;
  readonly message: string;
};
/** What to know: a policy was made all the same. */
export type ImportNote = Remark & { readonly key: string | null };
/** What is wrong: no policy was made. */
export type ImportProblem = Remark & { readonly hint?: string };

/** A policy file and what to know about it, or what is wrong. */
export type Import = {
  readonly policy: string | null;
  readonly notes: readonly ImportNote[];
  readonly problems: readonly ImportProblem[];
};

/** What the policy is called, and lines that say where it comes from. */
export type ImportAs = { readonly id: string; readonly require: Require; readonly source: readonly string[] };

/** The format of a document by what it holds; null: none of these. A text that is no JSON is left to the reader of tag policies. */
export function formatOf(text: string): ImportFormat | null {
  const json = readJson(text);
  if ("problem" in json) return "tag-policy";
  const { node } = json;
  const tags = memberOf(node, "tags");
  if (tags) return isBare(tags) ? "effective-tag-policy" : "tag-policy";
  if (node.kind !== "object") return null;
  const isRule = node.members.some(({ key }) => /^(tag\dKey|InputParameters|ConfigRules|ConfigRuleName)$/.test(key));
  return isRule ? "config-rule" : null;
}

/** Values without operators: what AWS shows as effective. */
function isBare(tags: JsonNode): boolean {
  if (tags.kind !== "object") return false;
  const settings = tags.members.flatMap(({ value }) => (value.kind === "object" ? value.members : []));
  return settings.length > 0 && settings.every(({ key, value }) => !key.startsWith("@@") && value.kind !== "object");
}

/** Makes one policy of tag policies, in the order of their inheritance: the root's first. */
export function importTagPolicies(documents: readonly SourceDocument[], as: ImportAs): Import {
  const parsed = documents.map((document) => ({ document, ...parseTagPolicy(document.text) }));
  const problems: ImportProblem[] = parsed.flatMap(({ document: { name }, ...found }) => problemsIn(name, found));
  const notes: ImportNote[] = parsed.flatMap(({ document: { name }, warnings }) =>
    warnings.map((one) => ({ file: name, ...one, key: null })),
  );
  if (problems.length > 0) return { policy: null, notes, problems };
  const attached = parsed.flatMap(({ document: { target }, policy }) => (policy ? [{ target, policy }] : []));
  const merged = mergeTagPolicies(attached);
  const nowhere = { line: 0, column: 0 };
  for (const { target, ...warning } of merged.warnings)
    notes.push({ file: placeOf(target, documents), ...nowhere, ...warning, key: null });
  const together = merged.problems.map(({ code, path, message }) => ({ file: null, ...nowhere, code, path, message }));
  return together.length > 0 ? { policy: null, notes, problems: together } : made(merged.effective, as, notes);
}

/** Makes a policy of what is in effect in an account. */
export function importEffectivePolicy({ name, text }: SourceDocument, as: ImportAs): Import {
  const parsed = parseEffectivePolicy(text);
  const notes = parsed.warnings.map((one) => ({ file: name, ...one, key: null }));
  if (parsed.effective) return made(parsed.effective, as, notes);
  return { policy: null, notes, problems: problemsIn(name, parsed) };
}

/** Makes a policy of a `required-tags` rule of AWS Config. */
export function importConfigRule({ name, text }: SourceDocument, as: Omit<ImportAs, "require">): Import {
  const imported = policyFromConfigRule(text, as);
  const notes = imported.notes.map((note) => ({ file: name, line: 0, column: 0, path: null, ...note }));
  return { policy: imported.text, notes, problems: imported.problems.map((one) => ({ file: name, ...one })) };
}

/** A document by its name, where it is alone on what it is attached to; else what they are attached to. */
function placeOf(target: string, documents: readonly SourceDocument[]): string {
  const [document, other] = documents.filter((one) => one.target === target);
  return document && !other ? document.name : target;
}

function made(effective: EffectiveTagPolicy, as: ImportAs, notes: readonly ImportNote[]): Import {
  const imported = policyFrom(effective, as);
  const nowhere = { file: null, line: 0, column: 0, path: null };
  const all = [...notes, ...imported.notes.map((note) => ({ ...nowhere, ...note }))];
  if (imported.text !== null) return { policy: imported.text, notes: all, problems: [] };
  const message = `what is in effect ${imported.problem}`;
  return { policy: null, notes: all, problems: [{ ...nowhere, code: "no_policy", message }] };
}

function problemsIn(
  file: string,
  { problems, more_problems }: Pick<ReturnType<typeof parseTagPolicy>, "problems" | "more_problems">,
): ImportProblem[] {
  const here: ImportProblem[] = problems.map((problem) => ({ file, ...problem }));
  if (more_problems === 0) return here;
  const message = `has ${more_problems} more problems`;
  return [...here, { code: "more_problems", file, line: 0, column: 0, path: null, message }];
}
