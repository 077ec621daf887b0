import { Command } from "commander";
import { scansPage } from "../reports/db/scans.ts";
import { cancelScan } from "../scan/stop.ts";
import { withContext } from "./context.ts";
import { EXIT } from "./exit.ts";
import { knownScan } from "./known-scan.ts";
import { explainPageToken, pageSizeOption } from "./page-options.ts";
import { spanText } from "./scan-text.ts";
import { heldCommands } from "./scans-held.ts";
import { showCommand } from "./scans-show.ts";
import { table } from "./table.ts";

/** `tagwarden scans`: what was scanned, how it went, and closures that wait for a person. */
export function scansCommand(): Command {
  const command = new Command("scans").description(
    "List and show scans, and decide about closures that a scan held back.",
  );
  command
    .command("list")
    .description("The scans of this database, newest first.")
    .option("--json", "print {items, next_page_token, total}")
    .option("--page-size <n>", "how many, 1 to 500", pageSizeOption, 20)
    .option("--page-token <token>", "next_page_token of the page before")
    .addHelpText("after", "\nExample:\n  tagwarden scans list --page-size 5")
    .action((options: { json?: boolean; pageSize: number; pageToken?: string }) =>
      withContext("scans", async (context) => {
        const { database } = await context.database();
        const request = { page_size: options.pageSize, page_token: options.pageToken };
        const page = await scansPage(database, {}, request).catch(explainPageToken);
        if (options.json) return printJson(page);
        if (page.items.length === 0) process.stdout.write("No scan yet. Begin one: tagwarden scan\n");
        else {
          process.stdout.write(
            table(
              ["SCAN", "STATE", "BEGUN", "TARGETS", "UNITS", "RESOURCES", "OPENED", "RESOLVED", "CALLS", "LEFT", "BY"],
              page.items.map((row) => [
                row.id,
                row.state,
                (row.started_at ?? row.created_at).toISOString(),
                `${row.targets_ended}/${row.targets}`,
                `${row.units_complete}/${row.units}`,
                String(row.resources),
                String(row.opened + row.reopened),
                String(row.resolved),
                String(row.api_calls["total"] ?? 0),
                row.seconds_left === null ? "" : spanText(row.seconds_left),
                row.requested_by,
              ]),
            ),
          );
          if (page.next_page_token)
            process.stdout.write(
              `More: tagwarden scans list --page-size ${options.pageSize} --page-token ${page.next_page_token}\n`,
            );
        }
      }),
    );
  command.addCommand(showCommand());
  for (const held of heldCommands()) command.addCommand(held);
  command
    .command("cancel")
    .argument("<scan>", "id of a scan that waits or runs")
    .description("End a scan before it is done. What it has read stands; nothing is taken for gone because of it.")
    .addHelpText("after", "\nExample:\n  tagwarden scans cancel 019aaf00-0000-7000-8000-000000000000")
    .action((id: string) =>
      withContext("scans", async (context) => {
        const { database } = await context.database();
        const { state } = await knownScan(database, id);
        if (await cancelScan(database, id, await context.actor(), context.now())) {
          process.stdout.write("It ends; whoever works on it stops within seconds.\n");
          return;
        }
        process.stdout.write(`The scan has ended as ${state}: there is nothing to cancel.\n`);
        process.exitCode = EXIT.no;
      }),
    );
  return command;
}

function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
