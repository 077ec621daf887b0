import { Command } from "commander";
import { UsageError } from "../config.ts";
import { previewActivation } from "../findings/activate.ts";
import { compilePolicies, loadPolicies } from "../policy/load.ts";
import { activeSet } from "../policy/store.ts";
import { describeDifference, describePreview, useSet } from "../scan/policies.ts";
import { withContext } from "./context.ts";

type Options = { confirm?: boolean; dryRun?: boolean };

/** `tagwarden policies activate`: makes a folder of policies the set that everything is judged by, and judges the stored inventory anew. */
export function activateCommand(): Command {
  return new Command("activate")
    .description(
      "Judge by these policies from now on: the stored inventory is judged anew at once, without asking AWS.",
    )
    .argument("[folder]", "folder of policy files (default: TAGWARDEN_POLICIES, else policies)")
    .option("--dry-run", "only show which rules come, change and go, and what would open and close")
    .option("--confirm", "also when more findings close at once than the guard against mass closing allows")
    .addHelpText(
      "after",
      `
Examples:
  tagwarden policies activate --dry-run
  tagwarden policies activate ./policies`,
    )
    .action((folder: string | undefined, options: Options) =>
      withContext("policies activate", async (context) => {
        const set = await loadPolicies(folder ?? context.config.policies);
        const { database } = await context.database();
        const guard = context.config.mass_close;
        const say = (line: string) => process.stdout.write(`${line}\n`);
        if (options.dryRun) {
          const active = await activeSet(database);
          if (active?.id === set.id) say("These policies are the active ones.");
          else if (!active) say("No policies are active yet: all of these would come.");
          else {
            say(describeDifference(compilePolicies(active.files), set));
            say(describePreview(await previewActivation(database, set, guard, context.now())));
          }
          return;
        }
        const actor = await context.actor();
        const wish = { activate: true, confirm: options.confirm === true, guard, actor, now: context.now() };
        const activation = await useSet(database, set, wish);
        if (activation.outcome === "kept") throw new UsageError(activation.text);
        say(activation.outcome === "unchanged" ? "These policies are the active ones already." : activation.text);
      }),
    );
}
