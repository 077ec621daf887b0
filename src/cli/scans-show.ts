import { Command } from "commander";
import type { Database } from "../db/client.ts";
import { pause } from "../inventory/aws/pause.ts";
import {
  eachScanUnitsPage,
  INCOMPLETE_STATES,
  scanUnitsPage,
  unitsByState,
  workersOf,
} from "../reports/db/scan-lists.ts";
import type { ScanRow } from "../reports/db/scans.ts";
import { printable } from "../terminal/text.ts";
import { withContext } from "./context.ts";
import { EXIT } from "./exit.ts";
import { knownScan } from "./known-scan.ts";
import { writtenOver } from "./progress.ts";
import { scanHeading, scanLine, scanLines, type ScanView, unitsTable } from "./scan-text.ts";

type Options = { json?: boolean; follow?: boolean; allUnits?: boolean };

/** How often a scan that is followed is looked at. Milliseconds. */
const LOOK_EVERY_MS = 2000;
/** So many units that are not complete are shown unless all are asked for. */
const UNITS_SHOWN = 50;

/** `tagwarden scans show`: one scan, once or until it ends. */
export function showCommand(): Command {
  return new Command("show")
    .argument("<scan>", "id of a scan")
    .description("One scan: how far it is, what came of it, and the units that are not complete.")
    .option("--follow", "tell every two seconds until it ends; Ctrl-C leaves the scan alone")
    .option("--all-units", "all units, not the first 50 that are not complete")
    .option("--json", "print one object, its units in it; with --follow one object a line, without them")
    .addHelpText(
      "after",
      `
Exit codes with --follow: 0 it succeeded; 3 it ended otherwise, or was not followed to its end.

Examples:
  tagwarden scans show 019aaf00-0000-7000-8000-000000000000
  tagwarden scans show 019aaf00-0000-7000-8000-000000000000 --follow`,
    )
    .action((id: string, options: Options) =>
      withContext("scans", async (context) => {
        const { database } = await context.database();
        if (options.follow) {
          const ended = await follow(database, id, options.json === true, context.signal);
          process.exitCode = ended?.state === "succeeded" ? EXIT.done : EXIT.incomplete;
          if (ended === null || options.json) return;
        }
        const scan = await knownScan(database, id);
        if (options.json) await printJson(database, scan);
        else await print(database, await lookAt(database, scan), options.allUnits === true);
      }),
    );
}

async function lookAt(database: Database, scan: ScanRow): Promise<ScanView> {
  return {
    scan,
    units_by_state: await unitsByState(database, scan.id),
    workers: await workersOf(database, scan.id),
  };
}

/** Tells of a scan until it ends; null: whoever watched had enough. */
async function follow(database: Database, id: string, json: boolean, signal: AbortSignal): Promise<ScanRow | null> {
  const block = writtenOver(process.stdout);
  let said = "";
  try {
    for (;;) {
      const view = await lookAt(database, await knownScan(database, id));
      const { scan } = view;
      const ended = scan.finished_at !== null;
      const line = json
        ? JSON.stringify({ ...scan, units_by_state: view.units_by_state, workers: view.workers })
        : scanLine(view);
      if (process.stdout.isTTY && !json) block.update([scanHeading(scan), ...scanLines(view)]);
      else if (line !== said) process.stdout.write(`${line}\n`);
      said = line;
      if (ended) return scan;
      await pause(LOOK_EVERY_MS, signal);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    process.stderr.write("The scan goes on.\n");
    return null;
  } finally {
    block.end();
  }
}

async function print(database: Database, view: ScanView, all_units: boolean): Promise<void> {
  const { scan } = view;
  const { error, warnings } = scan;
  const notes = error === null ? warnings : [error, ...warnings];
  const lines = [scanHeading(scan), ...scanLines(view), ...notes.map((note) => `  ${printable(note)}`)];
  process.stdout.write(`${lines.join("\n")}\n`);
  if (all_units) {
    await eachScanUnitsPage(database, scan.id, {}, (units) => void process.stdout.write(`\n${unitsTable(units)}`));
    return;
  }
  const page = await scanUnitsPage(database, scan.id, { state: INCOMPLETE_STATES }, { page_size: UNITS_SHOWN });
  if (page.items.length === 0) return;
  process.stdout.write(`\nNot complete:\n${unitsTable(page.items)}`);
  const more = page.total.count - page.items.length;
  if (more > 0) {
    const least = page.total.type === "AT_LEAST" ? "at least " : "";
    process.stdout.write(`And ${least}${more} more: tagwarden scans show ${scan.id} --all-units\n`);
  }
}

/** One object, a unit a line: an organization has more units than fit into one text. */
async function printJson(database: Database, scan: ScanRow): Promise<void> {
  process.stdout.write(`${JSON.stringify(scan, null, 2).slice(0, -2)},\n  "units": [`);
  let separator = "\n";
  await eachScanUnitsPage(database, scan.id, {}, (units) => {
    for (const unit of units) {
      process.stdout.write(`${separator}    ${JSON.stringify(unit)}`);
      separator = ",\n";
    }
  });
  process.stdout.write("\n  ]\n}\n");
}
