import { Command } from "commander";
import { UsageError } from "../config.ts";
import type { Database } from "../db/client.ts";
import { endFight, listFights } from "../findings/db/fights.ts";
import { lookupText } from "../findings/fights.ts";
import { withContext } from "./context.ts";
import { EXIT } from "./exit.ts";
import { table } from "./table.ts";

/** What the bodies of these commands work with. */
type Deps = { readonly database: Database; readonly out: (text: string) => void };

const print = (text: string): void => void process.stdout.write(text);

/** `tagwarden fights`: keys that we repaired and others reverted, twice within 7 days. */
export function fightsCommand(): Command {
  const command = new Command("fights").description("Keys that others fight us over: list them, end one.");
  command
    .command("list")
    .description("The fights that go on, the oldest first. No repair writes to their keys.")
    .option("--json", "print a list of fights")
    .addHelpText("after", "\nExample:\n  tagwarden fights list")
    .action((options: { json?: boolean }) =>
      withContext("fights", async (context) => {
        const { database } = await context.database();
        await listOpen({ database, out: print }, options);
      }),
    );
  command
    .command("end")
    .argument("<arn>", "the resource")
    .argument("<key>", "the tag key")
    .requiredOption("--reason <text>", "why repairs may write to it again, for those who look later")
    .description("End a fight: repairs may write to the key again, and reverts are counted anew.")
    .addHelpText(
      "after",
      `\nExample:\n  tagwarden fights end arn:aws:personalize:us-east-1:111122223333:dataset-group/shop Environment --reason "the pipeline is fixed"`,
    )
    .action((arn: string, key: string, { reason }: { reason: string }) =>
      withContext("fights", async (context) => {
        const { database } = await context.database();
        const by = { actor: await context.actor(), now: context.now(), reason };
        process.exitCode = await endOne({ database, out: print }, arn, key, by);
      }),
    );
  return command;
}

/** Prints the fights that go on. */
export async function listOpen({ database, out }: Deps, options: { json?: boolean }): Promise<void> {
  const fights = await listFights(database);
  if (options.json) return out(`${JSON.stringify(fights, null, 2)}\n`);
  if (fights.length === 0) return out("Nobody fights over a key.\n");
  out(
    table(
      ["ARN", "KEY", "RULE", "REVERTS", "LAST", "BY"],
      fights.map(({ arn, key, fight }) => [
        arn,
        key,
        `${fight.policy_id}/${fight.rule_id}`,
        String(fight.reverts),
        fight.reverted_at,
        fight.by?.principal ?? (fight.lookup ? lookupText(fight.lookup) : "not known"),
      ]),
    ),
  );
}

/** Ends a fight, and returns the exit code: 1 where there is none. Throws UsageError without a reason. */
export async function endOne(
  { database, out }: Deps,
  arn: string,
  key: string,
  by: { readonly actor: string; readonly reason: string; readonly now: Date },
): Promise<number> {
  if (by.reason.trim() === "") throw new UsageError("--reason is empty: say why.");
  if (await endFight(database, arn, key, by)) {
    out(`Ended. Repairs may write to ${key} again.\n`);
    return EXIT.done;
  }
  out(`There is no fight over ${key} of ${arn}. List them: tagwarden fights list\n`);
  return EXIT.no;
}
