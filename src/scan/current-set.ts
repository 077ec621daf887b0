import type { Database } from "../db/client.ts";
import { log } from "../log.ts";
import { compilePolicies, loadPolicies, type PolicySet } from "../policy/load.ts";
import { loadExemptions } from "../exemptions/load.ts";
import { activeSet } from "../policy/store.ts";
import { openCurrentExemptions, useExemptions } from "./exemptions.ts";
import { useSet } from "./policies.ts";

/** What a service says about its policies: the set it judges by, and why a newer state of the folder, its exemptions included, is not used. */
type PolicyStatus = { readonly set_id: string; readonly problem: string | null };

/**
 * The policies and exemptions of a running service: the folder is looked at before every scan, and what was good last is kept.
 * Whoever activated last has the word: a changed folder, or a person or another replica meanwhile.
 */
export type CurrentSet = {
  /** The set to scan by now. */
  refresh(): Promise<PolicySet>;
  status(): PolicyStatus;
};

const OTHERS =
  "In this database other policies were activated since this service used its own, and it scans by those. The policies in its own folder are not used until they change, or the service starts anew.";

/** Loads and activates a folder of policies and its exemptions. Throws PolicyError when the folder cannot be used at the start. */
export async function openCurrentSet(
  database: Database,
  folder: string,
  settings: { readonly guard: { share: number; count: number }; readonly actor: string; readonly now: () => Date },
): Promise<CurrentSet> {
  const { actor, now } = settings;
  let set = await loadPolicies(folder);
  const loaded = await loadExemptions(folder, { policies: set.policies, now: now() });
  let problem: string | null = null;
  /** The state of the folder that needs nothing more: it was activated, or was active. */
  let settled: string | null = null;
  const use = async (next: PolicySet) => {
    const options = {
      activate: true,
      confirm: false,
      guard: settings.guard,
      actor,
      now: now(),
    };
    const activation = await useSet(database, next, options);
    problem = activation.outcome === "kept" ? activation.text : null;
    if (activation.outcome === "activated") log.info({ policy_set_id: next.id }, "policies activated");
    if (activation.outcome === "kept")
      log.warn(
        { policy_set_id: activation.active.id },
        "changed policies are not used: they would close too many findings at once",
      );
    set = activation.outcome === "kept" ? activation.active : next;
    settled = activation.outcome === "kept" ? null : next.id;
  };
  /** Goes by what someone else has activated since: a scan by any other set would be discarded. */
  const follow = async () => {
    const active = await activeSet(database);
    if (active && active.id !== set.id) set = compilePolicies(active.files);
  };
  // What cannot be recorded is said before anything is done.
  await useExemptions(database, loaded, { folder, actor, dry_run: true });
  await use(set);
  const exemptions = await openCurrentExemptions(database, loaded, { folder, actor, now });
  return {
    refresh: async () => {
      try {
        const next = await loadPolicies(folder);
        if (next.id === settled) {
          await follow();
          problem = set.id === next.id ? null : OTHERS;
        } else {
          await use(next);
        }
      } catch (error) {
        if (!(error instanceof Error) || error.name !== "PolicyError") throw error;
        problem = error.message;
        log.warn({ policy_set_id: set.id }, "the policies cannot be loaded; the last good set is used");
        await follow();
      }
      await exemptions.refresh(set.policies);
      return set;
    },
    status: () => {
      const problems = [problem, exemptions.problem()].filter((one) => one !== null);
      return { set_id: set.id, problem: problems.length > 0 ? problems.join("\n") : null };
    },
  };
}
