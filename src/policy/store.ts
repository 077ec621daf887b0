import { isDeepStrictEqual } from "node:util";
import { eq, sql } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import type { PolicyFile, PolicySet } from "./load.ts";
import { formerNames } from "./compile.ts";
import { isLookupFile } from "./lookup.ts";
import { sourcesOf } from "./needs.ts";
import { parseFile } from "./parse.ts";
import { Policy, type Rule } from "./policy.ts";
import { policy_rules, policy_sets } from "./schema.ts";

/** The set by which resources are judged now, as its files; null before the first activation. */
export async function activeSet(database: Database): Promise<{ id: string; files: PolicyFile[] } | null> {
  const [row] = await database
    .select({ id: policy_sets.id, files: policy_sets.files })
    .from(policy_sets)
    .where(eq(policy_sets.active, true));
  return row ?? null;
}

/** Makes everyone wait who records by a set or activates one, until the transaction ends. Reading goes on. */
export async function lockPolicySets(transaction: Database): Promise<void> {
  await transaction.execute(sql`lock table ${policy_sets} in exclusive mode`);
}

/** Keeps a set and its rules for ever; a set that is stored stays as it is. */
export async function storeSet(database: Database, set: PolicySet, now: Date): Promise<void> {
  const files = set.files.map(({ path, text }) => ({ path, text }));
  const stored = await database
    .insert(policy_sets)
    .values({ id: set.id, created_at: now, files, active: false })
    .onConflictDoNothing()
    .returning({ id: policy_sets.id });
  if (stored.length === 0) return;
  const rules = set.policies.flatMap(({ title, owner, rules }) =>
    rules.map(({ policy_id, rule_id, position, key, severity, sensitive }) => ({
      policy_set_id: set.id,
      policy_id,
      rule_id,
      position,
      title,
      owner,
      key,
      severity,
      sensitive,
    })),
  );
  if (rules.length > 0) await database.insert(policy_rules).values(rules);
}

/** Makes a stored set the one active set. `actor`: who did it. */
export async function markActive(database: Database, id: string, actor: string, now: Date): Promise<void> {
  await database.update(policy_sets).set({ active: false }).where(eq(policy_sets.active, true));
  await database
    .update(policy_sets)
    .set({ active: true, activated_at: now, activated_by: actor })
    .where(eq(policy_sets.id, id));
}

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
