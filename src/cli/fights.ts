import { Command } from "commander";
import { UsageError } from "../config.ts";
import { endFight, listFights } from "../findings/db/fights.ts";
import { withContext } from "./context.ts";
import { EXIT } from "./exit.ts";
import { table } from "./table.ts";

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
        const fights = await listFights(database);
        const out = (text: string): void => void process.stdout.write(text);
        if (options.json) return out(`${JSON.stringify(fights, null, 2)}\n`);
        if (fights.length === 0) return out("Nobody fights over a key.\n");
        return out(
          table(
            ["ARN", "KEY", "RULE", "REVERTS", "LAST", "BY"],
            fights.map(({ arn, key, fight }) => [
              arn,
              key,
              `${fight.policy_id}/${fight.rule_id}`,
              String(fight.reverts),
              fight.reverted_at,
              fight.by?.principal ?? "not known",
            ]),
          ),
        );
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
        if (reason.trim() === "") throw new UsageError("--reason is empty: say why.");
        const { database } = await context.database();
        const ended = await endFight(database, arn, key, { actor: await context.actor(), reason, now: context.now() });
        process.stdout.write(
          ended
            ? `Ended. Repairs may write to ${key} again.\n`
            : `There is no fight over ${key} of ${arn}. List them: tagwarden fights list\n`,
        );
        if (!ended) process.exitCode = EXIT.no;
      }),
    );
  return command;
}
