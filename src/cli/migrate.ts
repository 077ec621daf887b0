import { Command } from "commander";
import { runRetention } from "../scan/retention.ts";
import { withContext } from "./context.ts";

/** `tagwarden migrate`: what every start does, and the daily work of a service, alone. */
export function migrateCommand(): Command {
  return new Command("migrate")
    .description(
      "Bring the database's tables up to date, which every other command does too, and remove what is older than it has to be kept.",
    )
    .addHelpText("after", "\nExample:\n  DATABASE_URL=postgres://tagwarden@localhost/tagwarden tagwarden migrate")
    .action(async () => {
      const { kind, report } = await withContext("migrate", async (context) => {
        const { database, kind } = await context.database();
        return { kind, report: await runRetention(database, context.config.retention, context.now()) };
      });
      process.stdout.write(`The ${kind === "postgres" ? "PostgreSQL" : "embedded"} database is up to date.\n`);
      const { dropped, postponed, scan_units, scans, rollups, drift } = report;
      if (dropped.length > 0) process.stdout.write(`Dropped of the history: ${dropped.join(", ")}.\n`);
      if (postponed.length > 0) process.stdout.write(`In use, to be dropped another time: ${postponed.join(", ")}.\n`);
      if (scan_units + scans + rollups > 0)
        process.stdout.write(`Deleted ${scans} scans, ${scan_units} units of scans and ${rollups} daily numbers.\n`);
      if (drift > 0) process.stdout.write(`Put right ${drift} daily numbers that differed from a recount.\n`);
    });
}
