import type { Database } from "../db/client.ts";
import type { KnownPolicies } from "../exemptions/check.ts";
import { describeFileChanges } from "../exemptions/file-changes.ts";
import { loadExemptions, type LoadedExemptions } from "../exemptions/load.ts";
import { followFiles } from "../exemptions/store.ts";
import { log } from "../log.ts";
import { printedProblem } from "../policy/load.ts";

/**
 * Brings the exemptions of a folder into the database, and says what a person should know, a line each: what came, changed and
 * went, and what in the files does nothing. `dry_run`: only says what it would do. Throws PolicyError, and then nothing is done.
 */
export async function useExemptions(
  database: Database,
  loaded: LoadedExemptions,
  options: { readonly folder: string; readonly actor: string; readonly dry_run?: boolean },
): Promise<string[]> {
  const changes = describeFileChanges(await followFiles(database, loaded.entries, options));
  return [
    ...loaded.warnings.map((warning) => printedProblem(warning)),
    ...(changes === "" ? [] : [`Exemptions of the files: ${changes}.`]),
  ];
}

/**
 * The exemptions of a running service: the folder is looked at before every scan, and what was good last is kept. As with
 * policies, whoever came last has the word: a changed folder, or a person or another replica meanwhile.
 */
export type CurrentExemptions = {
  /** Looks at the folder again. What cannot be used is a problem, and what was recorded last stays. */
  refresh(policies: KnownPolicies): Promise<void>;
  /** Why the folder's exemptions are not used; null: they are. */
  problem(): string | null;
};

const OTHERS =
  "In this database other exemptions of files were recorded since this service recorded its own. Those in its own folder are not used until they change, or the service starts anew.";

/** Records the exemptions of a folder, for a service that starts. Throws PolicyError when they cannot be used. */
export async function openCurrentExemptions(
  database: Database,
  loaded: LoadedExemptions,
  settings: { readonly folder: string; readonly actor: string; readonly now: () => Date },
): Promise<CurrentExemptions> {
  let problem: string | null = null;
  let warned = "";
  /** What the folder said when it was recorded. */
  let settled: string | null = null;
  const use = async ({ entries, warnings }: LoadedExemptions) => {
    const said = JSON.stringify(entries);
    const changes = await followFiles(database, entries, { ...settings, dry_run: said === settled });
    problem = said === settled && changes.length > 0 ? OTHERS : null;
    if (said !== settled && changes.length > 0)
      log.info({ changes: describeFileChanges(changes) }, "exemptions recorded");
    settled = said;
    const lines = warnings.map((warning) => printedProblem(warning)).join("\n");
    if (lines !== "" && lines !== warned) log.warn({ warnings: lines }, "some exemptions do nothing");
    warned = lines;
  };
  await use(loaded);
  return {
    refresh: async (policies) => {
      try {
        await use(await loadExemptions(settings.folder, { policies, now: settings.now() }));
      } catch (error) {
        if (!(error instanceof Error) || error.name !== "PolicyError") throw error;
        problem = error.message;
        log.warn("the exemptions of the policies folder cannot be used; those recorded last stay");
      }
    },
    problem: () => problem,
  };
}
