import { tagValue } from "../tags/tags.ts";
import { valueProblem } from "../tags/limits.ts";
import { Facts, type Look } from "./facts.ts";
import type { MissingFix, Source } from "./fix-format.ts";
import { type LookupTable, lookUp } from "./lookup.ts";
import { NOT_LOOKED_UP } from "../inventory/surroundings.ts";
import type { Subject } from "./subject.ts";
import { compileTemplate } from "./template.ts";

/**
 * The value for a missing key, and where it comes from, in words without values, null where the policy names it outright; or why there is none. `unknown`: something
 * that would decide could not be read, so that no other source may take its place.
 */
type Derived =
  | { readonly kind: "value"; readonly value: string; readonly from: string | null }
  | { readonly kind: "none"; readonly reason: string }
  | { readonly kind: "unknown"; readonly reason: string };

/** Derives the value for a subject. `look`: hears of every tag on which the value, or that there is none, rests. Pure but for that. */
export type Derive = (subject: Subject, look: Look) => Derived;

/** What a derivation is prepared with: the rule's key, what it lets pass, and the lookup files by path. */
type Rule = {
  readonly key: string;
  readonly passes: (value: string) => boolean;
  readonly tables: ReadonlyMap<string, LookupTable>;
};

/** Prepares the sources of a fix: the first, and `otherwise` for where that has no value which the rule lets pass. */
export function compileMissingFix(fix: MissingFix, rule: Rule): Derive {
  const first = compileSource(fix, rule);
  if (fix.otherwise === undefined) return first;
  const second = compileSource(typeof fix.otherwise === "string" ? { value: fix.otherwise } : fix.otherwise, rule);
  return (subject, look) => {
    const derived = first(subject, look);
    return derived.kind === "none" ? second(subject, look) : derived;
  };
}

function compileSource(source: Source, rule: Rule): Derive {
  if (source.value !== undefined) {
    const { value } = source;
    return () => ({ kind: "value", value, from: null });
  }
  if (source.inherit) return inherited(rule);
  if (source.account_tag !== undefined) return fromAccount(source.account_tag, rule);
  if (source.lookup) return fromTable(source.lookup, rule);
  return fromTemplate(source.template ?? "", rule);
}

/** From the nearest ancestor whose value passes. One on the way there whose tags are not known could have had it. */
function inherited({ key, passes }: Rule): Derive {
  return ({ around = NOT_LOOKED_UP }, look) => {
    const { lineage } = around;
    for (const { arn, type, name, tags, unread } of lineage.ancestors) {
      if (tags === null) return { kind: "unknown", reason: `the tags of ${type} ${name} are not known: ${unread}` };
      look(arn, key);
      const value = tagValue(tags, key) ?? "";
      if (value !== "" && passes(value)) return { kind: "value", value, from: `${type} ${name}` };
    }
    if (!lineage.known) return { kind: "unknown", reason: lineage.reason };
    const reason =
      lineage.ancestors.length === 0 ? "it has no parent" : `no resource above it has a ${key} that the rule lets pass`;
    return { kind: "none", reason };
  };
}

function fromAccount(tag: string, rule: Rule): Derive {
  return ({ around = NOT_LOOKED_UP }) => {
    const { account } = around;
    if (!account.known) return { kind: "unknown", reason: account.reason };
    const value = tagValue(account.tags, tag);
    if (value === undefined) return { kind: "none", reason: `the account has no tag ${tag}` };
    return checked(value, `the account's tag ${tag}`, rule);
  };
}

function fromTable({ file, by, column }: NonNullable<Source["lookup"]>, rule: Rule): Derive {
  const table = rule.tables.get(file);
  if (!table) throw new Error(`${file} was not loaded`);
  const names = typeof by === "string" ? [by] : by;
  const find = lookUp(table, names, column);
  const keys = names.filter((name) => name.startsWith("tags.")).map((name) => name.slice("tags.".length));
  return (subject, look) => {
    const { account } = subject.around ?? NOT_LOOKED_UP;
    if (names.includes("account_name") && !account.known) return { kind: "unknown", reason: account.reason };
    for (const key of keys) look(null, key);
    const value = find(subject);
    if (value === null) return { kind: "none", reason: `${file} has no row for it` };
    return checked(value, file, rule);
  };
}

function fromTemplate(text: string, rule: Rule): Derive {
  const { needs, render } = compileTemplate(text);
  return (subject, look) => {
    const { lineage, account } = subject.around ?? NOT_LOOKED_UP;
    if (needs.account && !account.known) return { kind: "unknown", reason: account.reason };
    if (needs.lineage) {
      if (!lineage.known) return { kind: "unknown", reason: lineage.reason };
      const unread = lineage.ancestors.find(({ tags }) => tags === null);
      if (unread) return { kind: "unknown", reason: `the tags of ${unread.type} ${unread.name} are not known` };
    }
    const answer = render(new Facts(subject, look));
    if ("error" in answer) return { kind: "unknown", reason: answer.error };
    if (answer.value === null) return { kind: "none", reason: "something in the template is absent" };
    return checked(answer.value, "the template", rule);
  };
}

function checked(value: string, from: string, { passes }: Rule): Derived {
  if (valueProblem(value) === null && passes(value)) return { kind: "value", value, from };
  return { kind: "none", reason: `${from} gives a value that the rule refuses` };
}
