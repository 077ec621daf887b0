import { isDeepStrictEqual } from "node:util";
import { eq, sql } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import type { PolicyFile, PolicySet } from "./load.ts";
import { parseFile } from "./parse.ts";
import { Policy } from "./policy.ts";
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

/** Rules by name, `policy/rule`, that come, judge or repair differently, and go, each in order. Titles and owners do not count. */
export type SetComparison = {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
};

/** Compares two sets rule by rule, by what they say with defaults filled in. A policy's scope is part of each of its rules. */
export function compareSets(
  current: { readonly files: readonly PolicyFile[] },
  next: { readonly files: readonly PolicyFile[] },
): SetComparison {
  const before = meaningOfRules(current.files);
  const after = meaningOfRules(next.files);
  return {
    added: [...after.keys()].filter((name) => !before.has(name)),
    changed: [...after]
      .filter(([name, rule]) => before.has(name) && !isDeepStrictEqual(rule, before.get(name)))
      .map(([name]) => name),
    removed: [...before.keys()].filter((name) => !after.has(name)),
  };
}

function meaningOfRules(files: readonly PolicyFile[]): Map<string, unknown> {
  const policies = files.map(({ text }) => Policy.parse(parseFile(text).value));
  return new Map(
    policies.flatMap(({ id, applies_to, remediation, rules }) =>
      rules.map((rule) => [`${id}/${rule.id}`, { applies_to, remediation, rule }] as const),
    ),
  );
}
