import { RESOURCE_TYPE_NAMES } from "../inventory/resource-types.ts";
import { MAX_USER_TAGS } from "../tags/limits.ts";
import { forbids, valueCheck } from "./compile.ts";
import { keyRulesOf, type LintWarning, type PlacedPolicy } from "./lint-warning.ts";
import { sourcesOf } from "./needs.ts";
import type { Path } from "./parse.ts";
import type { KeyRule } from "./policy.ts";
import { mayOverlap, typesIn } from "./scopes.ts";

type Placed = { readonly of: PlacedPolicy; readonly rule: KeyRule; readonly at: Path };

/** What policies say against each other on the same resources. Within one file such things are errors. */
export function lintTogether(all: readonly PlacedPolicy[]): LintWarning[] {
  const warnings: LintWarning[] = [];
  for (const [index, of] of all.entries()) {
    for (const other of all.slice(0, index)) {
      if (!mayOverlap(of.policy.applies_to, other.policy.applies_to)) continue;
      for (const one of placedRules(of))
        for (const two of placedRules(other)) warnings.push(...againstEachOther(one, two));
      warnings.push(...forbiddenAndWanted(of, other), ...forbiddenAndWanted(other, of));
    }
  }
  return [...warnings, ...tooManyRequired(all)];
}

function placedRules(of: PlacedPolicy): Placed[] {
  return keyRulesOf(of).map(({ rule, at }) => ({ of, rule, at }));
}

function nameOf({ of, rule }: Pick<Placed, "of" | "rule">): string {
  return `${of.policy.id}/${rule.id}`;
}

function againstEachOther(one: Placed, other: Placed): LintWarning[] {
  if (one.rule.key === other.rule.key)
    return [...refusedValues(one, other), ...refusedFixes(one, other), ...refusedFixes(other, one)];
  return [...shadowedAliases(one, other), ...shadowedAliases(other, one)];
}

/** Rules on one key of which each refuses what the other lists: no value passes both. */
function refusedValues(one: Placed, other: Placed): LintWarning[] {
  const listed = one.rule.values?.filter((value) => !value.includes("*"));
  const theirs = other.rule.values?.filter((value) => !value.includes("*"));
  const passes = valueCheck(one.rule);
  const theyPass = valueCheck(other.rule);
  const candidates = [...(listed ?? []), ...(theirs ?? [])];
  const closed =
    (listed && listed.length === one.rule.values?.length) || (theirs && theirs.length === other.rule.values?.length);
  if (!closed || candidates.some((value) => passes(value, false) && theyPass(value, false))) return [];
  const message = `no value of \`${one.rule.key}\` passes both this rule and ${nameOf(other)}, and both may be about the same resource`;
  return [{ of: one.of, at: [...one.at, "key"], message }];
}

/** A value that one rule would write and the other refuses: repairs that no plan makes. */
function refusedFixes(one: Placed, other: Placed): LintWarning[] {
  const passes = valueCheck(other.rule);
  const { missing, invalid } = one.rule.fix;
  const written: { value: string; at: Path }[] = [];
  if (missing !== "review") {
    for (const [index, { value }] of sourcesOf(missing).entries()) {
      const place =
        index === 0 ? ["value"] : typeof missing.otherwise === "string" ? ["otherwise"] : ["otherwise", "value"];
      if (value !== undefined) written.push({ value, at: [...one.at, "fix", "missing", ...place] });
    }
  }
  if (invalid !== "review") {
    for (const [from, value] of Object.entries(invalid.map ?? {}))
      written.push({ value, at: [...one.at, "fix", "invalid", "map", from] });
  }
  return written.flatMap(({ value, at }) =>
    passes(value, other.rule.required !== false)
      ? []
      : [{ of: one.of, at, message: `${nameOf(other)} refuses \`${value}\`, and may be about the same resource` }],
  );
}

/** An alias of one rule that is the key of another, or its alias: what one renames the other misses. */
function shadowedAliases(one: Placed, other: Placed): LintWarning[] {
  return (one.rule.aliases ?? []).flatMap((alias, index) => {
    const at = [...one.at, "aliases", index];
    if (alias === other.rule.key)
      return [
        {
          of: one.of,
          at,
          message: `\`${alias}\` is the key of ${nameOf(other)}, which may be about the same resource`,
        },
      ];
    if (other.rule.aliases?.includes(alias) && nameOf(one) > nameOf(other))
      return [
        { of: one.of, at, message: `\`${alias}\` is an alias of \`${other.rule.key}\` in ${nameOf(other)} as well` },
      ];
    return [];
  });
}

/** A key that one policy forbids and another is about. */
function forbiddenAndWanted(of: PlacedPolicy, other: PlacedPolicy): LintWarning[] {
  return of.policy.rules.flatMap((rule, index) => {
    if (!("forbidden" in rule)) return [];
    return rule.forbidden.flatMap((pattern, place) => {
      const matches = forbids({ forbidden: [pattern], any_case: rule.any_case });
      const hit = placedRules(other).find(({ rule: wanted }) => matches(wanted.key));
      if (!hit) return [];
      const message = `\`${pattern}\` forbids \`${hit.rule.key}\`, which ${nameOf(hit)} is about on the same resources`;
      return [{ of, at: ["rules", index, "forbidden", place], message }];
    });
  });
}

/** More keys required of one type, by all policies together, than a resource can hold. */
function tooManyRequired(all: readonly PlacedPolicy[]): LintWarning[] {
  for (const type of RESOURCE_TYPE_NAMES) {
    const keys = new Map<string, Placed>();
    for (const of of all) {
      if (!typesIn(of.policy.applies_to).includes(type)) continue;
      for (const placed of placedRules(of)) if (placed.rule.required === true) keys.set(placed.rule.key, placed);
    }
    const [over] = [...keys.values()].slice(MAX_USER_TAGS);
    if (!over) continue;
    const message = `a ${type} needs ${keys.size} keys by all policies together, and holds ${MAX_USER_TAGS} tags`;
    return [{ of: over.of, at: [...over.at, "key"], message }];
  }
  return [];
}
