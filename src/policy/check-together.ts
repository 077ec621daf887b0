import { MAX_USER_TAGS } from "../tags/limits.ts";
import { forbids } from "./compile.ts";
import type { Complaint, PlacedRule } from "./complaint.ts";
import type { Path } from "./parse.ts";
import type { KeyRule } from "./policy.ts";

type PlacedKeyRule = { readonly rule: KeyRule; readonly at: Path };

/** What the rules of one policy say against each other: its scope is the same for all of them. */
export function checkTogether(rules: readonly PlacedRule[]): Complaint[] {
  const complaints: Complaint[] = [];
  const ids = new Set<string>();
  const keys = rules.flatMap(({ rule, at }) => ("key" in rule ? [{ rule, at }] : []));
  for (const { rule, at } of rules) {
    if (ids.has(rule.id))
      complaints.push({ at: [...at, "id"], message: `the rule id \`${rule.id}\` is taken in this file` });
    ids.add(rule.id);
  }
  return [...complaints, ...checkSpellings(keys), ...checkForbidden(rules, keys), ...checkRoom(rules, keys)];
}

/** Keys and aliases that two rules are about; with `any_case` a key stands for all its cases. */
function checkSpellings(keys: readonly PlacedKeyRule[]): Complaint[] {
  const complaints: Complaint[] = [];
  const exact = new Map<string, string>();
  const folded = new Map(
    keys.flatMap(({ rule }) => (rule.any_case ? [[rule.key.toLowerCase(), rule.id] as const] : [])),
  );
  const claim = (spelling: string, rule: KeyRule, at: Path) => {
    const other = exact.get(spelling) ?? folded.get(spelling.toLowerCase());
    if (other !== undefined && other !== rule.id) {
      const hint = "One rule says everything about one key.";
      complaints.push({ at, message: `rule \`${other}\` is about \`${spelling}\` already`, hint });
    } else exact.set(spelling, rule.id);
  };
  for (const { rule, at } of keys) claim(rule.key, rule, [...at, "key"]);
  for (const { rule, at } of keys) {
    for (const [index, alias] of (rule.aliases ?? []).entries()) claim(alias, rule, [...at, "aliases", index]);
  }
  return complaints;
}

function checkForbidden(rules: readonly PlacedRule[], keys: readonly PlacedKeyRule[]): Complaint[] {
  const spellings = keys.flatMap(({ rule }) =>
    [rule.key, ...(rule.aliases ?? [])].map((key) => ({ key, id: rule.id })),
  );
  return rules.flatMap(({ rule, at }) => {
    if (!("forbidden" in rule)) return [];
    return rule.forbidden.flatMap((pattern, index) => {
      const matches = forbids({ forbidden: [pattern], any_case: rule.any_case });
      const hit = spellings.find(({ key }) => matches(key));
      if (!hit) return [];
      const message = `\`${pattern}\` forbids \`${hit.key}\`, which rule \`${hit.id}\` is about`;
      return [{ at: [...at, "forbidden", index], message }];
    });
  });
}

function checkRoom(rules: readonly PlacedRule[], keys: readonly PlacedKeyRule[]): Complaint[] {
  const required = keys.filter(({ rule }) => rule.required === true);
  const complaints: Complaint[] = [];
  const over = required[MAX_USER_TAGS];
  if (over) {
    const message = `${required.length} required keys, and a resource holds ${MAX_USER_TAGS} tags`;
    complaints.push({ at: [...over.at, "key"], message });
  }
  for (const { rule, at } of rules) {
    if ("max_tags" in rule && rule.max_tags < required.length) {
      const message = `\`max_tags\` leaves no room for the ${required.length} required keys of this file`;
      complaints.push({ at: [...at, "max_tags"], message });
    }
  }
  return complaints;
}
