import { Command } from "commander";
import { confirmHeld, type Decided, rejectHeld } from "../findings/db/decide-held.ts";
import { withContext } from "./context.ts";
import { EXIT } from "./exit.ts";
import { knownScan } from "./known-scan.ts";

/** `tagwarden scans confirm` and `reject`: what a person makes of closures that wait. */
export function heldCommands(): Command[] {
  return [
    deciding(
      new Command("confirm").description(
        "Close what a scan held back because it would have closed too many findings at once.",
      ),
      confirmHeld,
      ({ closures }) => `Closed ${closures} findings.`,
    ),
    deciding(
      new Command("reject").description(
        "Let go of what a scan held back: those findings stay open, and the next scan that sees the same asks again.",
      ),
      rejectHeld,
      ({ closures, units }) => `${closures} findings in ${units} units stay open.`,
    ),
  ];
}

function deciding(command: Command, decide: typeof confirmHeld, say: (decided: Decided) => string): Command {
  return command
    .argument("<scan>", "id of the scan that held closures back")
    .option("--reason <text>", "why, for those who look later")
    .addHelpText("after", `\nExample:\n  tagwarden scans ${command.name()} 019aaf00-0000-7000-8000-000000000000`)
    .action((id: string, { reason }: { reason?: string }) =>
      withContext("scans", async (context) => {
        const { database } = await context.database();
        await knownScan(database, id);
        const by = { actor: await context.actor(), at: context.now(), ...(reason !== undefined && { reason }) };
        const decided = await decide(database, id, by);
        process.stdout.write(decided.units === 0 ? "Nothing is held back by this scan.\n" : `${say(decided)}\n`);
        if (decided.units === 0) process.exitCode = EXIT.no;
      }),
    );
}
