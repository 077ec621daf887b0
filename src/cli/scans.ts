import { Command } from "commander";
import { type ScanRow, scansPage, unitsOf } from "../reports/store.ts";
import { cancelScan } from "../scan/stop.ts";
import { withContext } from "./context.ts";
import { EXIT } from "./exit.ts";
import { knownScan } from "./known-scan.ts";
import { explainPageToken, pageSizeOption } from "./page-options.ts";
import { heldCommands } from "./scans-held.ts";
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
              ["SCAN", "STATE", "BEGUN", "UNITS", "RESOURCES", "OPENED", "RESOLVED", "BY"],
              page.items.map((row) => [
                row.id,
                row.state,
                (row.started_at ?? row.created_at).toISOString(),
                `${row.units_complete}/${row.units}`,
                String(row.resources),
                String(row.opened + row.reopened),
                String(row.resolved),
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
  command
    .command("show")
    .argument("<scan>", "id of a scan")
    .description("One scan and its units.")
    .option("--json", "print one object, its units in it")
    .addHelpText("after", "\nExample:\n  tagwarden scans show 019aaf00-0000-7000-8000-000000000000")
    .action((id: string, options: { json?: boolean }) =>
      withContext("scans", async (context) => {
        const { database } = await context.database();
        const row = await knownScan(database, id);
        const units = await unitsOf(database, id);
        if (options.json) return printJson({ ...row, units });
        const { state, requested_by, created_at, error, warnings } = row;
        process.stdout.write(`Scan ${id}: ${state}, asked for by ${requested_by} at ${created_at.toISOString()}\n`);
        process.stdout.write(`  ${readingsText(row)}\n`);
        for (const line of error ? [error, ...warnings] : warnings) process.stdout.write(`  ${line}\n`);
        process.stdout.write(
          table(
            ["ACCOUNT", "REGION", "TYPE", "STATE", "RESOURCES", "UNREAD", "OPENED", "RESOLVED", "HELD", "ERROR"],
            units.map((unit) => [
              unit.account_id,
              unit.region,
              unit.type,
              unit.state,
              String(unit.resources),
              String(unit.unread),
              String(unit.opened + unit.reopened),
              String(unit.resolved),
              String(unit.held),
              unit.error ? `${unit.error.operation}: ${unit.error.name}` : "",
            ]),
          ),
        );
      }),
    );
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

/** Where the tags of a scan came from, and how often the index was found wrong. */
function readingsText(row: ScanRow): string {
  const { readings_index, readings_service, readings_stored, readings_sampled, readings_mismatched } = row;
  const checked =
    readings_sampled === 0 ? "" : `; of ${readings_sampled} answers of the index checked, ${readings_mismatched} wrong`;
  return `Tags: ${readings_index} from the index, ${readings_service} from the service, ${readings_stored} stored${checked}`;
}

function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
