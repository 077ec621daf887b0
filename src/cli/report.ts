import { Command } from "commander";
import { UsageError } from "../config.ts";
import type { Database } from "../db/client.ts";
import type { RemediationCounts } from "../remediation/counts.ts";
import { scanDetails, scanReport } from "../reports/scan-report.ts";
import { latestScan, scan } from "../reports/db/scans.ts";
import { formatScanReport } from "../reports/terminal.ts";
import { withContext } from "./context.ts";
import { colorFor, type Output } from "./findings.ts";

/** `tagwarden report`: the report of a scan again, with compliance and open findings as of now. */
export function reportCommand(): Command {
  return new Command("report")
    .description("Print the report of the latest scan, or of a given one, with compliance and open findings as of now.")
    .argument("[scan]", "id of a scan (default: the latest that ended)")
    .option("--json", "print the object that scan --json prints")
    .addHelpText("after", "\nExample:\n  tagwarden report --json")
    .action((id: string | undefined, options: { json?: boolean }) =>
      withContext("report", async (context) => {
        const { database } = await context.database();
        await printReport(database, id, options, process.stdout);
      }),
    );
}

/** The body of the command, and the end of `scan`, which knows what its repair counted. Throws UsageError when there is no such scan. */
export async function printReport(
  database: Database,
  id: string | undefined,
  options: { json?: boolean },
  output: Output,
  remediation: RemediationCounts | null = null,
): Promise<void> {
  const row = id === undefined ? await latestScan(database) : await scan(database, id);
  if (!row) {
    throw new UsageError(
      id === undefined
        ? "No scan has ended yet. Begin one: tagwarden scan"
        : `There is no scan ${JSON.stringify(id)}. List them: tagwarden scans list`,
    );
  }
  const report = await scanReport(database, row.id, remediation);
  if (options.json) output.write(`${JSON.stringify(report, null, 2)}\n`);
  else {
    const details = await scanDetails(database, row.id);
    output.write(formatScanReport({ report, details }, { color: colorFor(output), width: output.columns ?? 100 }));
  }
}
