import { UsageError } from "../config.ts";
import type { Database } from "../db/client.ts";
import { activateSet, type ActivationPreview, previewActivation } from "../findings/activate.ts";
import { compilePolicies, type PolicySet } from "../policy/load.ts";
import { compareSets } from "../policy/compare.ts";
import { activeSet } from "../policy/store.ts";

/** How an activation is to be treated that would close more findings at once than the mass-close guard allows. */
type Guard = { readonly share: number; readonly count: number };

/** What became of a set of policies that someone wants to scan by. `kept`: the active one stays, because the new one would close too much. */
export type Activation =
  | { readonly outcome: "unchanged" }
  | { readonly outcome: "activated"; readonly text: string }
  | { readonly outcome: "kept"; readonly text: string; readonly active: PolicySet };

/**
 * Makes `set` the active one if that is allowed. The first set of a database is activated; one that differs only when `activate`
 * says so, and beyond the mass-close guard only when `confirm` does. Throws UsageError that shows the difference when it is not to be activated.
 */
export async function useSet(
  database: Database,
  set: PolicySet,
  options: { activate: boolean; confirm: boolean; guard: Guard; actor: string; now: Date },
): Promise<Activation> {
  const active = await activeSet(database);
  if (active?.id === set.id) return { outcome: "unchanged" };
  if (!active) {
    await activateSet(database, set, options.actor, options.now);
    return { outcome: "activated", text: `Activated the first set of policies: ${countRules(set)}.` };
  }
  const current = compilePolicies(active.files);
  const difference = describeDifference(current, set);
  if (!options.activate) {
    throw new UsageError(
      `The policies differ from the active ones in this database:\n${difference}\n` +
        "Scan with --activate to use them from now on, or see what they would change first: tagwarden policies activate --dry-run",
    );
  }
  const preview = await previewActivation(database, set, options.guard, options.now);
  if (preview.exceeds_guard && !options.confirm) {
    const text = `${difference}\n${describePreview(preview)}\nThat is more than the guard against mass closing allows; if it is right: tagwarden policies activate --confirm`;
    return { outcome: "kept", text, active: current };
  }
  await activateSet(database, set, options.actor, options.now);
  return { outcome: "activated", text: `Activated changed policies:\n${difference}\n${describePreview(preview)}` };
}

/** Which rules come, change and go, a line each. */
export function describeDifference(current: PolicySet, next: PolicySet): string {
  const { added, changed, removed, renamed } = compareSets(current, next);
  const lines = [
    ...renamed.map(({ from, to }) => `  ${from} → ${to}`),
    ...added.map((name) => `  + ${name}`),
    ...changed.map((name) => `  ~ ${name}`),
    ...removed.map((name) => `  - ${name}`),
  ];
  return lines.length > 0 ? lines.join("\n") : "  (titles, owners or files only)";
}

/** What activation would open and close among the stored resources, in one line. */
export function describePreview(preview: ActivationPreview): string {
  return `  It ${preview.opens === 0 ? "opens no finding" : `opens ${preview.opens}`} and ${preview.closes === 0 ? "closes none" : `closes ${preview.closes}`} among ${preview.resources} stored resources.`;
}

function countRules(set: PolicySet): string {
  const rules = set.policies.reduce((sum, policy) => sum + policy.rules.length, 0);
  return `${rules} ${rules === 1 ? "rule" : "rules"} in ${set.policies.length} ${set.policies.length === 1 ? "policy" : "policies"}`;
}
