import { isDeepStrictEqual } from "node:util";
import { formerNames } from "./compile.ts";
import type { PolicyFile } from "./load.ts";
import { isLookupFile } from "./lookup.ts";
import { sourcesOf } from "./needs.ts";
import { parseFile } from "./parse.ts";
import { Policy, type Rule } from "./policy.ts";

/** Rules by name, `policy/rule`, that come, judge or repair differently, go, and have another name, each in order. Titles and owners do not count. */
export type SetComparison = {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
  readonly renamed: readonly { readonly from: string; readonly to: string }[];
};

/** Compares two sets rule by rule, by what they say with defaults filled in. A policy's scope is part of each of its rules. */
export function compareSets(
  current: { readonly files: readonly PolicyFile[] },
  next: { readonly files: readonly PolicyFile[] },
): SetComparison {
  const before = meaningOfRules(current.files);
  const after = meaningOfRules(next.files);
  const renamed = [...after].flatMap(([to, { formerly }]) => {
    const from = before.has(to) ? undefined : formerly.find((name) => before.has(name) && !after.has(name));
    return from === undefined ? [] : [{ from, to }];
  });
  const formerOf = new Map(renamed.map(({ from, to }) => [to, from]));
  const gone = new Set(formerOf.values());
  const ruleBefore = (name: string) => before.get(formerOf.get(name) ?? name)?.meaning;
  return {
    added: [...after.keys()].filter((name) => ruleBefore(name) === undefined),
    changed: [...after]
      .filter(([name, { meaning }]) => {
        const known = ruleBefore(name);
        return known !== undefined && !isDeepStrictEqual(meaning, known);
      })
      .map(([name]) => name),
    removed: [...before.keys()].filter((name) => !after.has(name) && !gone.has(name)),
    renamed,
  };
}

/** A field of a rule that says something else; absent on a side: it is not given there, and has no default. */
export type FieldChange = { readonly field: string; readonly before?: unknown; readonly after?: unknown };

/** What is different about each rule that `compareSets` calls changed, by its present name. Fields of the policy come first. */
export function changedFields(
  current: { readonly files: readonly PolicyFile[] },
  next: { readonly files: readonly PolicyFile[] },
): Record<string, FieldChange[]> {
  const { changed, renamed } = compareSets(current, next);
  const before = meaningOfRules(current.files);
  const after = meaningOfRules(next.files);
  const formerOf = new Map(renamed.map(({ from, to }) => [to, from]));
  return Object.fromEntries(
    changed.map((name) => {
      const one = flat(before.get(formerOf.get(name) ?? name)?.meaning);
      const other = flat(after.get(name)?.meaning);
      const fields = [...new Set([...one.keys(), ...other.keys()])];
      const differing = fields.filter((field) => !isDeepStrictEqual(one.get(field), other.get(field)));
      return [name, differing.map((field) => changeOf(field, one, other))];
    }),
  );
}

function changeOf(
  field: string,
  before: ReadonlyMap<string, unknown>,
  after: ReadonlyMap<string, unknown>,
): FieldChange {
  return {
    field,
    ...(before.has(field) && { before: before.get(field) }),
    ...(after.has(field) && { after: after.get(field) }),
  };
}

/** Every field of a meaning by its path, such as `fix.missing.value`; a list is one value. */
function flat(meaning: unknown, path: readonly string[] = []): Map<string, unknown> {
  if (typeof meaning !== "object" || meaning === null || Array.isArray(meaning)) {
    return meaning === undefined ? new Map() : new Map([[path.join("."), meaning]]);
  }
  // The rule's own fields are what people know by their bare names.
  return new Map(
    Object.entries(meaning).flatMap(([key, value]) => [...flat(value, key === "rule" ? path : [...path, key])]),
  );
}

/** What each rule says, without its name, and the names that it had. The tables that it looks up are part of what it says. */
function meaningOfRules(files: readonly PolicyFile[]): Map<string, { meaning: unknown; formerly: readonly string[] }> {
  const tables = new Map(files.filter(({ path }) => isLookupFile(path)).map(({ path, text }) => [path, text]));
  const policies = files
    .filter(({ path }) => !isLookupFile(path))
    .map(({ text }) => Policy.parse(parseFile(text).value));
  return new Map(
    policies.flatMap((policy) =>
      policy.rules.map((one) => {
        const { applies_to, remediation, managed } = policy;
        const { id: _, formerly: __, ...rule } = one;
        const looked_up = tablesOf(one).map((path) => tables.get(path));
        const meaning = { applies_to, remediation, managed, rule, looked_up };
        return [`${policy.id}/${one.id}`, { meaning, formerly: formerNames(policy, one) }] as const;
      }),
    ),
  );
}

function tablesOf(rule: Rule): string[] {
  if (!("key" in rule) || rule.fix.missing === "review") return [];
  return sourcesOf(rule.fix.missing).flatMap(({ lookup }) => lookup?.file ?? []);
}
