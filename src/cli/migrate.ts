import { Command } from "commander";
import { withContext } from "./context.ts";

/** `tagwarden migrate`: what every start does, alone. */
export function migrateCommand(): Command {
  return new Command("migrate")
    .description("Bring the database's tables up to date. Every other command does so too; alone it serves roll-outs.")
    .addHelpText("after", "\nExample:\n  DATABASE_URL=postgres://tagwarden@localhost/tagwarden tagwarden migrate")
    .action(async () => {
      const kind = await withContext("migrate", async (context) => (await context.database()).kind);
      process.stdout.write(`The ${kind === "postgres" ? "PostgreSQL" : "embedded"} database is up to date.\n`);
    });
}
