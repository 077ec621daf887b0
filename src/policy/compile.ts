import type { Resource } from "../inventory/resource.ts";
import { slipsFrom } from "../tags/spelling.ts";
import type { Tags } from "../tags/tags.ts";
import { compileCondition, type Expression } from "./condition.ts";
import { compileMissingFix, type Derive } from "./derive.ts";
import { FORMATS } from "./formats.ts";
import type { LookupTable } from "./lookup.ts";
import { compilePattern, remembering } from "./pattern.ts";
import type { AssertRule, ForbiddenRule, KeyRule, LimitRule, Policy, Rule } from "./policy.ts";
import { compileInvalidFix } from "./repair-value.ts";
import type { Severity } from "./verdict.ts";
import { anyWildcard } from "./wildcard.ts";

/** What every rule of a compiled set has. */
type CompiledCommon = {
  readonly policy_id: string;
  readonly rule_id: string;
  /** Names, `policy/rule`, that it had before. */
  readonly formerly: readonly string[];
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
  /** Declared aliases; with `any_case` the key in any other case is one as well. */
  readonly aliases: readonly string[];
  readonly any_case: boolean;
  readonly required: boolean | Expression<boolean>;
  /** The allowed values that are listed, wildcards left out; to name the one that was meant. */
  readonly values: readonly string[];
  /** Whether the key may have this value; `required`: whether it must be there, so that an empty value is none. */
  readonly passes: (value: string, required: boolean) => boolean;
  /** What would pass, in words. */
  readonly expected: string;
  /** The value has to be that of the nearest ancestor that has one which passes. */
  readonly agrees_with_parent: boolean;
  /** How many slips make another key out of this one; null: it is another word. A key that a rule names as its own is another word, unless it differs in case and separators alone. */
  readonly slipsTo: (key: string) => number | null;
  readonly fix: {
    readonly rename: boolean;
    readonly missing: { readonly derive: Derive; readonly despite_near_miss: boolean } | null;
    /** The value to write in place of one that is not allowed; null: a person decides. */
    readonly invalid: (value: string) => string | null;
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

export type CompiledAssertRule = CompiledCommon & {
  readonly about: "assert";
  readonly key: null;
  readonly condition: Expression<boolean>;
};

export type CompiledRule = CompiledKeyRule | CompiledForbiddenRule | CompiledLimitRule | CompiledAssertRule;

/** A policy with its matchers prepared. */
export type CompiledPolicy = {
  readonly id: string;
  readonly title: string;
  /** Null when the policy does not say. */
  readonly owner: string | null;
  readonly remediation: "off" | "plan" | "auto";
  /** What the file says of types, accounts, regions and names. */
  readonly scope: Policy["applies_to"];
  /** Whether the policy is about this resource by type, account, region and name. */
  readonly appliesTo: (resource: Resource) => boolean;
  /** A further condition on the resource; null: none. */
  readonly where: Expression<boolean> | null;
  /** Resources for which it is true are managed elsewhere and not repaired; null: none. */
  readonly managed: Expression<boolean> | null;
  readonly rules: readonly CompiledRule[];
};

/** Prepares the matchers of checked policies, in the order given. `tables`: the lookup files beside them, by path. */
export function compileSet(
  policies: readonly Policy[],
  tables: ReadonlyMap<string, LookupTable>,
): readonly CompiledPolicy[] {
  const knownKeys = new Set(
    policies.flatMap((policy) => policy.rules).flatMap((rule) => ("key" in rule ? [rule.key] : [])),
  );
  let position = 0;
  return policies.map((policy) => ({
    id: policy.id,
    title: policy.title ?? policy.id,
    owner: policy.owner ?? null,
    remediation: policy.remediation,
    scope: policy.applies_to,
    appliesTo: compileScope(policy.applies_to),
    where: policy.applies_to.where === undefined ? null : compileCondition(policy.applies_to.where),
    managed: policy.managed === undefined ? null : compileCondition(policy.managed),
    rules: policy.rules.map((rule) => compileRule(rule, { policy, position: position++, knownKeys, tables })),
  }));
}

/** Matchers of each field of a scope; undefined where it is not narrowed. */
export function scopeMatchers(scope: Policy["applies_to"]) {
  const prepared = (patterns: readonly string[] | undefined) => patterns && remembering(anyWildcard(patterns));
  return {
    types: prepared(scope.types),
    accounts: prepared(scope.accounts),
    regions: prepared(scope.regions),
    // Names are as many as resources: nothing to remember.
    names: scope.names && anyWildcard(scope.names),
  };
}

function compileScope(scope: Policy["applies_to"]): (resource: Resource) => boolean {
  const { types, accounts, regions, names } = scopeMatchers(scope);
  return (resource) =>
    (!types || types(resource.type)) &&
    (!accounts || accounts(resource.account_id)) &&
    (!regions || regions(resource.region)) &&
    (!names || names(resource.name));
}

type Place = {
  readonly policy: Policy;
  readonly position: number;
  readonly knownKeys: ReadonlySet<string>;
  readonly tables: ReadonlyMap<string, LookupTable>;
};

function compileRule(rule: Rule, place: Place): CompiledRule {
  const common = {
    policy_id: place.policy.id,
    rule_id: rule.id,
    formerly: formerNames(place.policy, rule),
    position: place.position,
    severity: rule.severity,
    message: rule.message ?? null,
  };
  if ("key" in rule) return { ...common, ...compileKeyRule(rule, place) };
  if ("forbidden" in rule) return { ...common, ...compileForbiddenRule(rule) };
  if ("assert" in rule) return { ...common, ...compileAssertRule(rule) };
  return { ...common, ...compileLimitRule(rule) };
}

/** Every `policy/rule` that a rule may have been called by, under the names that both had. */
export function formerNames(policy: Pick<Policy, "id" | "formerly">, rule: Pick<Rule, "id" | "formerly">): string[] {
  const policies = [policy.id, ...(policy.formerly ?? [])];
  const rules = [rule.id, ...(rule.formerly ?? [])];
  return policies.flatMap((one) => rules.map((other) => `${one}/${other}`)).slice(1);
}

function compileKeyRule(rule: KeyRule, { knownKeys, tables }: Place) {
  const slips = slipsFrom(rule.key);
  const { missing, invalid } = rule.fix;
  const passes = valueCheck(rule);
  return {
    about: "key",
    key: rule.key,
    aliases: rule.aliases ?? [],
    any_case: rule.any_case,
    required: typeof rule.required === "string" ? compileCondition(rule.required) : rule.required,
    values: (rule.values ?? []).filter((value) => !value.includes("*")),
    sensitive: rule.sensitive,
    protected: rule.protected,
    passes,
    expected: expectedWords(rule),
    agrees_with_parent: rule.agrees_with === "parent",
    slipsTo: remembering((key: string) => {
      const distance = slips(key);
      return distance === 0 || !knownKeys.has(key) ? distance : null;
    }),
    fix: {
      rename: rule.fix.variant === "rename",
      missing:
        missing === "review"
          ? null
          : {
              derive: compileMissingFix(missing, { key: rule.key, passes: (value) => passes(value, true), tables }),
              despite_near_miss: missing.despite_near_miss,
            },
      invalid: invalid === "review" ? () => null : compileInvalidFix(invalid, (value) => passes(value, true)),
    },
  } as const;
}

function compileForbiddenRule(rule: ForbiddenRule) {
  return {
    about: "forbidden",
    key: null,
    sensitive: rule.sensitive,
    protected: rule.protected,
    forbids: remembering(forbids(rule)),
    expected: `no key like ${listed(rule.forbidden)}`,
    fix: { remove: rule.fix.forbidden === "remove" },
  } as const;
}

/** Whether a rule forbids a key. */
export function forbids({
  forbidden,
  any_case,
}: Pick<ForbiddenRule, "forbidden" | "any_case">): (key: string) => boolean {
  if (!any_case) return anyWildcard(forbidden);
  const matches = anyWildcard(forbidden.map((pattern) => pattern.toLowerCase()));
  return (key) => matches(key.toLowerCase());
}

function compileLimitRule(rule: LimitRule) {
  return { about: "max_tags", key: null, sensitive: false, protected: false, max_tags: rule.max_tags } as const;
}

function compileAssertRule(rule: AssertRule) {
  return {
    about: "assert",
    key: null,
    sensitive: rule.sensitive,
    protected: false,
    condition: compileCondition(rule.assert),
  } as const;
}

/** What a rule says about a value: `values`, `pattern` and `format` all hold, and an empty value only where it may. */
export function valueCheck(
  rule: Pick<KeyRule, "values" | "pattern" | "format" | "allow_empty">,
): (value: string, required: boolean) => boolean {
  const values = rule.values && anyWildcard(rule.values);
  const lists_empty = rule.values?.includes("") ?? false;
  const pattern = rule.pattern === undefined ? undefined : compilePattern(rule.pattern);
  const format = rule.format && remembering(FORMATS[rule.format].matches);
  return (value, required) => {
    if (value === "") {
      if (rule.allow_empty) return true;
      if (required && !lists_empty) return false;
    }
    return (!values || values(value)) && (!pattern || pattern(value)) && (!format || format(value));
  };
}

/** The aliases of a rule that are there: declared ones in the order of the rule, then other cases of the key in that of the tags. */
export function aliasesSeen(
  rule: Pick<CompiledKeyRule, "key" | "aliases" | "any_case">,
  tags: Tags,
): readonly string[] {
  const declared = rule.aliases.filter((alias) => Object.hasOwn(tags, alias));
  if (!rule.any_case) return declared;
  const folded = rule.key.toLowerCase();
  const others = Object.keys(tags).filter(
    (key) => key.toLowerCase() === folded && key !== rule.key && !rule.aliases.includes(key),
  );
  return [...declared, ...others.sort()];
}

function expectedWords(rule: KeyRule): string {
  const parts = [
    rule.values && (rule.values.length === 1 ? shown(rule.values[0] ?? "") : `one of ${listed(rule.values)}`),
    rule.pattern && `a value that matches ${rule.pattern}`,
    rule.format && FORMATS[rule.format].words,
  ].filter((part) => part !== undefined);
  if (parts.length === 0)
    return rule.required !== false && !rule.allow_empty ? "a value that is not empty" : "any value";
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
