import type { Database } from "../db/client.ts";
import { compilePolicies, type PolicySet } from "../policy/load.ts";
import { activeSet } from "../policy/store.ts";

/** Reads the active set of policies, compiled once as long as it stays the same; null before the first activation. */
export function activeSetReader(database: Database): () => Promise<PolicySet | null> {
  let last: PolicySet | null = null;
  return async () => {
    const active = await activeSet(database);
    if (active === null) return null;
    if (last?.id !== active.id) last = compilePolicies(active.files);
    return last;
  };
}
