import { tagValue } from "../tags/tags.ts";
import { valueProblem } from "../tags/limits.ts";
import { Facts } from "./facts.ts";
import type { MissingFix, Source } from "./fix-format.ts";
import { type LookupTable, lookUp } from "./lookup.ts";
import { NOT_LOOKED_UP } from "../inventory/surroundings.ts";
import type { Subject } from "./subject.ts";
import { compileTemplate } from "./template.ts";

/** Tags of another resource on which a value rests: read anew before the value is written. */
export type ReadFrom = { readonly arn: string; readonly key: string; readonly value: string | null };

/**
 * The value for a missing key, and where it comes from, in words without values, null where the policy names it outright; or why there is none. `unknown`: something
 * that would decide could not be read, so that no other source may take its place.
 */
type Derived =
  | {
      readonly kind: "value";
      readonly value: string;
      readonly from: string | null;
      readonly reads: readonly ReadFrom[];
    }
  | { readonly kind: "none"; readonly reason: string; readonly reads: readonly ReadFrom[] }
  | { readonly kind: "unknown"; readonly reason: string };

/** Derives the value for a subject. Pure. */
export type Derive = (subject: Subject) => Derived;

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
  return (subject) => {
    const derived = first(subject);
    if (derived.kind !== "none") return derived;
    const other = second(subject);
    if (other.kind === "unknown") return other;
    return { ...other, reads: [...derived.reads, ...other.reads] };
  };
}

function compileSource(source: Source, rule: Rule): Derive {
  if (source.value !== undefined) {
    const { value } = source;
    return () => ({ kind: "value", value, from: null, reads: [] });
  }
  if (source.inherit) return inherited(rule);
  if (source.account_tag !== undefined) return fromAccount(source.account_tag, rule);
  if (source.lookup) return fromTable(source.lookup, rule);
  return fromTemplate(source.template ?? "", rule);
}

/** From the nearest ancestor whose value passes. One on the way there whose tags are not known could have had it. */
function inherited({ key, passes }: Rule): Derive {
  return ({ around = NOT_LOOKED_UP }) => {
    const { lineage } = around;
    const reads: ReadFrom[] = [];
    for (const { arn, type, name, tags, unread } of lineage.ancestors) {
      if (tags === null) return { kind: "unknown", reason: `the tags of ${type} ${name} are not known: ${unread}` };
      const value = tagValue(tags, key) ?? null;
      reads.push({ arn, key, value });
      if (value !== null && value !== "" && passes(value))
        return { kind: "value", value, from: `${type} ${name}`, reads };
    }
    if (!lineage.known) return { kind: "unknown", reason: lineage.reason };
    const reason =
      reads.length === 0 ? "it has no parent" : `no resource above it has a ${key} that the rule lets pass`;
    return { kind: "none", reason, reads };
  };
}

function fromAccount(tag: string, rule: Rule): Derive {
  return ({ around = NOT_LOOKED_UP }) => {
    const { account } = around;
    if (!account.known) return { kind: "unknown", reason: account.reason };
    const value = tagValue(account.tags, tag);
    if (value === undefined) return { kind: "none", reason: `the account has no tag ${tag}`, reads: [] };
    return checked(value, `the account's tag ${tag}`, rule);
  };
}

function fromTable({ file, by, column }: NonNullable<Source["lookup"]>, rule: Rule): Derive {
  const table = rule.tables.get(file);
  if (!table) throw new Error(`${file} was not loaded`);
  const names = typeof by === "string" ? [by] : by;
  const find = lookUp(table, names, column);
  return (subject) => {
    const { account } = subject.around ?? NOT_LOOKED_UP;
    if (names.includes("account_name") && !account.known) return { kind: "unknown", reason: account.reason };
    const value = find(subject);
    if (value === null) return { kind: "none", reason: `${file} has no row for it`, reads: [] };
    return checked(value, file, rule);
  };
}

function fromTemplate(text: string, rule: Rule): Derive {
  const { needs, render } = compileTemplate(text);
  return (subject) => {
    const { lineage, account } = subject.around ?? NOT_LOOKED_UP;
    if (needs.account && !account.known) return { kind: "unknown", reason: account.reason };
    if (needs.lineage) {
      if (!lineage.known) return { kind: "unknown", reason: lineage.reason };
      const unread = lineage.ancestors.find(({ tags }) => tags === null);
      if (unread) return { kind: "unknown", reason: `the tags of ${unread.type} ${unread.name} are not known` };
    }
    const answer = render(new Facts(subject));
    if ("error" in answer) return { kind: "unknown", reason: answer.error };
    if (answer.value === null) return { kind: "none", reason: "something in the template is absent", reads: [] };
    return checked(answer.value, "the template", rule);
  };
}

function checked(value: string, from: string, { passes }: Rule): Derived {
  if (valueProblem(value) === null && passes(value)) return { kind: "value", value, from, reads: [] };
  return { kind: "none", reason: `${from} gives a value that the rule refuses`, reads: [] };
}
