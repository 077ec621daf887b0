import { Command } from "commander";
import { pauseRemediation, pauseText } from "../remediation/db/pauses.ts";
import { printPause, withActor } from "./pausing.ts";

/** `tagwarden pause`: the kill switch. */
export function pauseCommand(): Command {
  return new Command("pause")
    .description("Stop all repairs: no write begins any more, in any process, until they are resumed.")
    .option("--reason <text>", "why, for those whose repairs stop")
    .option("--json", "print {changed, paused, pause}")
    .addHelpText(
      "after",
      `
What has begun is ended: no change is left half made. Runs stop and can be applied again after \`tagwarden resume\`.
With the embedded database ask the service that uses it: POST /api/v1/remediation/pause.

Example:
  tagwarden pause --reason 'INC-1742: wrong owner in policies'`,
    )
    .action(({ reason = null, json }: { reason?: string | null; json?: boolean }) =>
      withActor("pause", async ({ database, actor, now }) => {
        const { changed, pause } = await pauseRemediation(database, { actor, reason, now });
        if (json) return printPause({ changed, paused: true, pause });
        process.stdout.write(
          changed
            ? "Repairs are paused. What has begun is ended, nothing else begins. To let them go on: tagwarden resume\n"
            : `Nothing was changed: repairs are ${pauseText(pause)}\n`,
        );
      }),
    );
}
