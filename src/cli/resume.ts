import { Command } from "commander";
import { currentPause, pauseText, resumeRemediation } from "../remediation/db/pauses.ts";
import { printPause, withActor } from "./pausing.ts";

const NOT_PAUSED = "Nothing was changed: repairs are not paused.\n";

/** `tagwarden resume`: ends a pause. */
export function resumeCommand(): Command {
  return new Command("resume")
    .description("Let repairs go on after a pause. Plans that were stopped are applied again by whoever wants that.")
    .option("--json", "print {changed, paused, pause}")
    .addHelpText("after", "\nExample:\n  tagwarden resume")
    .action(({ json }: { json?: boolean }) =>
      withActor("resume", async ({ database, actor, now }) => {
        const { changed, pause } = await resumeRemediation(database, { actor, now });
        if (json) return printPause({ changed, paused: (await currentPause(database)) !== null, pause });
        process.stdout.write(changed && pause ? `Repairs may go on; they were ${pauseText(pause)}\n` : NOT_PAUSED);
      }),
    );
}
