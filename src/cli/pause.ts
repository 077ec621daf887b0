import { Command } from "commander";
import { currentPause, type Pause, pauseRemediation, pauseText, resumeRemediation } from "../remediation/db/pauses.ts";
import { type Context, withContext } from "./context.ts";

/** Who asks to stop is not to wait for AWS to say who that is. Milliseconds. */
const PATIENCE_MS = 3000;

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
        if (json) return printJson({ changed, paused: true, pause });
        process.stdout.write(
          changed
            ? "Repairs are paused. What has begun is ended, nothing else begins. To let them go on: tagwarden resume\n"
            : `Nothing was changed: repairs are ${pauseText(pause)}\n`,
        );
      }),
    );
}

/** `tagwarden resume`: ends a pause. */
export function resumeCommand(): Command {
  return new Command("resume")
    .description("Let repairs go on after a pause. Plans that were stopped are applied again by whoever wants that.")
    .option("--json", "print {changed, paused, pause}")
    .addHelpText("after", "\nExample:\n  tagwarden resume")
    .action(({ json }: { json?: boolean }) =>
      withActor("resume", async ({ database, actor, now }) => {
        const { changed, pause } = await resumeRemediation(database, { actor, now });
        if (json) return printJson({ changed, paused: (await currentPause(database)) !== null, pause });
        process.stdout.write(changed && pause ? `Repairs may go on; they were ${pauseText(pause)}\n` : NOT_PAUSED);
      }),
    );
}

const NOT_PAUSED = "Nothing was changed: repairs are not paused.\n";

type Deps = { readonly database: Parameters<typeof currentPause>[0]; readonly actor: string; readonly now: Date };

function withActor(command: string, body: (deps: Deps) => Promise<void>): Promise<void> {
  return withContext(command, async (context: Context) => {
    const { database } = await context.database();
    await body({ database, actor: await context.actor(PATIENCE_MS), now: context.now() });
  });
}

function printJson(value: { changed: boolean; paused: boolean; pause: Pause | null }): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
