import { Command } from "commander";
import { UsageError } from "../config.ts";
import { compilePolicies, loadPolicies } from "../policy/load.ts";
import { withContext } from "./context.ts";
import { writtenOver } from "./progress.ts";

const HELP = `
Reads the database and asks nothing of AWS: every stored resource is judged by its tags as they were last read, planned by
the edited policies, and compared with what is stored. Exemptions count, those in files of the folder, too.

Examples:
  tagwarden policies preview
  tagwarden policies preview ./policies --json | jq '.by_owner[] | select(.opens > 0) | .owner'`;

/** `policies preview`: what an edited set would change, before anyone activates it. */
export function previewCommand(): Command {
  return new Command("preview")
    .description(
      "Show what these policies would change: findings, compliance and planned writes, by rule, account and owner.",
    )
    .argument("[folder]", "folder of policy files (default: TAGWARDEN_POLICIES, else policies)")
    .option("--json", "print all of it for a program, see docs/policies.md")
    .addHelpText("after", HELP)
    .action((folder: string | undefined, options: { json?: boolean }) =>
      withContext("policies preview", async (context) => {
        const [
          { preview },
          { activeSet },
          { compareSets },
          { describeDifference },
          { loadExemptions },
          { previewText },
        ] = await Promise.all([
          import("../reports/db/preview.ts"),
          import("../policy/store.ts"),
          import("../policy/compare.ts"),
          import("../scan/policies.ts"),
          import("../exemptions/load.ts"),
          import("./preview-text.ts"),
        ]);
        const given = folder ?? context.config.policies;
        const set = await loadPolicies(given);
        const { entries } = await loadExemptions(given, { policies: set.policies, now: context.now() });
        const { database } = await context.database();
        const active = await activeSet(database);
        const line = writtenOver(process.stderr);
        const made = await preview(database, { set, exemptions: entries }, context.now(), (done, total) =>
          line.update(`Judging: ${done} of ${total} resources`),
        ).finally(line.end);
        if (made.resources === 0)
          throw new UsageError("The database holds no resources yet: run `tagwarden scan` first.");
        if (options.json) {
          const comparison = compareSets(active ?? { files: [] }, set);
          const sets = { active_set_id: active?.id ?? null, set_id: set.id };
          process.stdout.write(`${JSON.stringify({ ...sets, ...comparison, ...made }, null, 2)}\n`);
          return;
        }
        const difference = active
          ? describeDifference(compilePolicies(active.files), set)
          : "  (none is active: all is new)";
        process.stdout.write(previewText(made, difference));
      }),
    );
}
