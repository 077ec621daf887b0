import { desc, eq, sql } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import type { PolicyFile, PolicySet } from "./load.ts";
import { policy_activations, policy_rules, policy_sets } from "./schema.ts";

/** The set by which resources are judged now, as its files; null before the first activation. */
export async function activeSet(
  database: Database,
): Promise<{ id: string; version: number; files: PolicyFile[] } | null> {
  const [row] = await database
    .select({ id: policy_sets.id, version: policy_sets.version, files: policy_sets.files })
    .from(policy_sets)
    .where(eq(policy_sets.active, true));
  return row ?? null;
}

/** The files of a stored set; null: there is none with this id. */
export async function filesOfSet(database: Database, id: string): Promise<PolicyFile[] | null> {
  const [row] = await database.select({ files: policy_sets.files }).from(policy_sets).where(eq(policy_sets.id, id));
  return row?.files ?? null;
}

/** Makes everyone wait who records by a set or activates one, until the transaction ends. Reading goes on. */
export async function lockPolicySets(transaction: Database): Promise<void> {
  await transaction.execute(sql`lock table ${policy_sets} in exclusive mode`);
}

/** Keeps a set and its rules for ever; a set that is stored stays as it is. The caller holds the lock. */
export async function storeSet(database: Database, set: PolicySet, now: Date): Promise<void> {
  const stored = await database.select({ id: policy_sets.id }).from(policy_sets).where(eq(policy_sets.id, set.id));
  if (stored.length > 0) return;
  const files = set.files.map(({ path, text }) => ({ path, text }));
  await database.insert(policy_sets).values({ id: set.id, created_at: now, files, active: false });
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

/** What the activation of a set did. */
export type Activated = Omit<typeof policy_activations.$inferInsert, "id">;

/** Notes an activation for ever. */
export async function recordActivation(database: Database, activated: Activated): Promise<void> {
  await database.insert(policy_activations).values(activated);
}

/** A stored set of policies, and how often it was activated. */
export type PolicyVersion = {
  readonly version: number;
  readonly policy_set_id: string;
  readonly active: boolean;
  readonly created_at: Date;
  /** Newest first. */
  readonly activations: readonly (typeof policy_activations.$inferSelect)[];
};

/** All stored sets, the newest first. */
export async function policyVersions(database: Database): Promise<PolicyVersion[]> {
  const { version, id, active, created_at } = policy_sets;
  const sets = await database
    .select({ version, policy_set_id: id, active, created_at })
    .from(policy_sets)
    .orderBy(desc(version));
  const activations = await database.select().from(policy_activations).orderBy(desc(policy_activations.id));
  const bySet = Map.groupBy(activations, ({ policy_set_id }) => policy_set_id);
  return sets.map((set) => ({ ...set, activations: bySet.get(set.policy_set_id) ?? [] }));
}

/** The files of a version; null: there is none with this number. */
export async function filesOfVersion(database: Database, version: number): Promise<PolicyFile[] | null> {
  const [row] = await database
    .select({ files: policy_sets.files })
    .from(policy_sets)
    .where(eq(policy_sets.version, version));
  return row?.files ?? null;
}

/** Makes a stored set the one active set. `actor`: who did it. */
export async function markActive(database: Database, id: string, actor: string, now: Date): Promise<void> {
  await database.update(policy_sets).set({ active: false }).where(eq(policy_sets.active, true));
  await database
    .update(policy_sets)
    .set({ active: true, activated_at: now, activated_by: actor })
    .where(eq(policy_sets.id, id));
}
