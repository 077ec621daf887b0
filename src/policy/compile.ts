import { RE2JS } from "re2js";
import type { Resource } from "../inventory/resource.ts";
import { slipsFrom } from "../tags/spelling.ts";
import { FORMATS } from "./formats.ts";
import type { ForbiddenRule, KeyRule, LimitRule, Policy, Rule } from "./policy.ts";
import type { Severity } from "./verdict.ts";
import { anyWildcard } from "./wildcard.ts";

/** What every rule of a compiled set has. */
type CompiledCommon = {
  readonly policy_id: string;
  readonly rule_id: string;
  /** Order among all rules of the set, from 0. */
  readonly position: number;
  readonly severity: Severity;
  readonly sensitive: boolean;
  readonly protected: boolean;
  /** The policy's own sentence; null: the usual one. */
  readonly message: string | null;
};

export type CompiledKeyRule = CompiledCommon & {
  readonly about: "key";
  readonly key: string;
  readonly aliases: readonly string[];
  readonly required: boolean;
  /** Whether the key may have this value. */
  readonly passes: (value: string) => boolean;
  /** What would pass, in words. */
  readonly expected: string;
  /** How many slips make another key out of this one; null: it is another word. A key that a rule names as its own is another word, unless it differs in case and separators alone. */
  readonly slipsTo: (key: string) => number | null;
  readonly fix: {
    readonly rename: boolean;
    readonly default: { readonly value: string; readonly despite_near_miss: boolean } | null;
    readonly map: ReadonlyMap<string, string>;
  };
};

export type CompiledForbiddenRule = CompiledCommon & {
  readonly about: "forbidden";
  readonly key: null;
  readonly forbids: (key: string) => boolean;
  readonly expected: string;
  readonly fix: { readonly remove: boolean };
};

export type CompiledLimitRule = CompiledCommon & {
  readonly about: "max_tags";
  readonly key: null;
  readonly max_tags: number;
};

export type CompiledRule = CompiledKeyRule | CompiledForbiddenRule | CompiledLimitRule;

/** A policy with its matchers prepared. */
export type CompiledPolicy = {
  readonly id: string;
  readonly title: string;
  /** Null when the policy does not say. */
  readonly owner: string | null;
  readonly remediation: "off" | "plan" | "auto";
  /** Whether the policy is about this resource: type, account, region and name. */
  readonly appliesTo: (resource: Resource) => boolean;
  readonly rules: readonly CompiledRule[];
};

/** Prepares the matchers of checked policies, in the order given. */
export function compileSet(policies: readonly Policy[]): CompiledPolicy[] {
  const knownKeys = new Set(
    policies.flatMap((policy) => policy.rules).flatMap((rule) => ("key" in rule ? [rule.key] : [])),
  );
  let position = 0;
  return policies.map((policy) => ({
    id: policy.id,
    title: policy.title ?? policy.id,
    owner: policy.owner ?? null,
    remediation: policy.remediation,
    appliesTo: compileScope(policy.applies_to),
    rules: policy.rules.map((rule) => compileRule(rule, { policy_id: policy.id, position: position++, knownKeys })),
  }));
}

function compileScope(scope: Policy["applies_to"]): (resource: Resource) => boolean {
  const prepared = (patterns: readonly string[] | undefined) => patterns && remembering(anyWildcard(patterns));
  const types = prepared(scope.types);
  const accounts = prepared(scope.accounts);
  const regions = prepared(scope.regions);
  // Names are as many as resources: nothing to remember.
  const names = scope.names && anyWildcard(scope.names);
  return (resource) =>
    (!types || types(resource.type)) &&
    (!accounts || accounts(resource.account_id)) &&
    (!regions || regions(resource.region)) &&
    (!names || names(resource.name));
}

type Place = { policy_id: string; position: number; knownKeys: ReadonlySet<string> };

function compileRule(rule: Rule, place: Place): CompiledRule {
  const common = {
    policy_id: place.policy_id,
    rule_id: rule.id,
    position: place.position,
    severity: rule.severity,
    message: rule.message ?? null,
  };
  if ("key" in rule) return { ...common, ...compileKeyRule(rule, place.knownKeys) };
  if ("forbidden" in rule) return { ...common, ...compileForbiddenRule(rule) };
  return { ...common, ...compileLimitRule(rule) };
}

function compileKeyRule(rule: KeyRule, knownKeys: ReadonlySet<string>) {
  const slips = slipsFrom(rule.key);
  const { missing, invalid } = rule.fix;
  return {
    about: "key",
    key: rule.key,
    aliases: rule.aliases ?? [],
    required: rule.required,
    sensitive: rule.sensitive,
    protected: rule.protected,
    passes: valueCheck(rule),
    expected: expectedWords(rule),
    slipsTo: remembering((key: string) => {
      const distance = slips(key);
      return distance === 0 || !knownKeys.has(key) ? distance : null;
    }),
    fix: {
      rename: rule.fix.variant === "rename",
      default: missing === "review" ? null : missing,
      map: new Map(invalid === "review" ? [] : Object.entries(invalid.map)),
    },
  } as const;
}

function compileForbiddenRule(rule: ForbiddenRule) {
  return {
    about: "forbidden",
    key: null,
    sensitive: rule.sensitive,
    protected: rule.protected,
    forbids: remembering(anyWildcard(rule.forbidden)),
    expected: `no key like ${listed(rule.forbidden)}`,
    fix: { remove: rule.fix.forbidden === "remove" },
  } as const;
}

function compileLimitRule(rule: LimitRule) {
  return { about: "max_tags", key: null, sensitive: false, protected: false, max_tags: rule.max_tags } as const;
}

/** What a rule says about a value: `values`, `pattern` and `format` all hold, and an empty value only where it may. */
export function valueCheck(rule: KeyRule): (value: string) => boolean {
  const values = rule.values && new Set(rule.values);
  const pattern = rule.pattern === undefined ? undefined : compilePattern(rule.pattern);
  const format = rule.format && remembering(FORMATS[rule.format].matches);
  return (value) => {
    if (value === "") {
      if (rule.allow_empty) return true;
      if (rule.required && !values?.has("")) return false;
    }
    return (!values || values.has(value)) && (!pattern || pattern(value)) && (!format || format(value));
  };
}

/** Size of a compiled expression, in instructions: 256 characters are matched in milliseconds at this size. */
const MAX_PATTERN_SIZE = 2_000;
/** Answers remembered for each question: resources share few keys and values. */
const REMEMBERED = 10_000;

/**
 * Prepares an RE2 expression that must match the whole value, in time linear in the value.
 * @throws {Error} with a printable message when it is not one, or too large.
 */
export function compilePattern(pattern: string): (value: string) => boolean {
  const expression = RE2JS.compile(pattern);
  if (expression.programSize() > MAX_PATTERN_SIZE) throw new Error("too large once its repetitions are written out");
  return remembering((value) => expression.testExact(value));
}

/** Remembers the answers of a pure question, so many at most. */
function remembering<Answer extends boolean | number | null>(ask: (text: string) => Answer): (text: string) => Answer {
  const answers = new Map<string, Answer>();
  return (text) => {
    const known = answers.get(text);
    if (known !== undefined) return known;
    const answer = ask(text);
    if (answers.size >= REMEMBERED) answers.clear();
    answers.set(text, answer);
    return answer;
  };
}

function expectedWords(rule: KeyRule): string {
  const parts = [
    rule.values && (rule.values.length === 1 ? shown(rule.values[0] ?? "") : `one of ${listed(rule.values)}`),
    rule.pattern && `a value that matches ${rule.pattern}`,
    rule.format && FORMATS[rule.format].words,
  ].filter((part) => part !== undefined);
  if (parts.length === 0) return rule.required && !rule.allow_empty ? "a value that is not empty" : "any value";
  if (rule.allow_empty) parts[parts.length - 1] += ", or an empty value";
  return parts.join(" and ");
}

/** Items named in a sentence before it says how many more there are. */
const LISTED_ITEMS = 20;

function listed(items: readonly string[]): string {
  const words = items.slice(0, LISTED_ITEMS).map(shown).join(", ");
  return items.length > LISTED_ITEMS ? `${words} and ${items.length - LISTED_ITEMS} more` : words;
}

function shown(value: string): string {
  return value === "" ? '""' : value;
}
