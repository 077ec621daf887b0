import type { Command } from "commander";
import { UsageError } from "../config.ts";
import { ASKED, toAsked } from "../exemptions/asked.ts";
import { createExemption } from "../exemptions/store.ts";
import { exemption } from "../reports/db/exemptions.ts";
import { withContext } from "./context.ts";
import { checkedOptions, listOption } from "./exemption-options.ts";
import { done, formatExemption, found } from "./exemption-text.ts";

type AddOptions = {
  policy?: string;
  rule?: string;
  key?: string;
  accounts?: string[];
  regions?: string[];
  types?: string[];
  names?: string[];
  arns?: string[];
  tags?: string[];
  reason: string;
  ticket?: string;
  requestedBy?: string;
  approvedBy: string;
  starts?: string;
  expires: string;
  json?: boolean;
};

/** `tagwarden exemptions add`, on the command of that name. */
export function addCommand(command: Command): Command {
  return command
    .description(
      "Accept violations for a time, at most 180 days. Name at least one part of the scope; * is a wildcard in names, ARNs and values of tags.",
    )
    .option("--policy <id>", "findings of this policy")
    .option("--rule <id>", "findings of this rule")
    .option("--key <key>", "findings about this tag key, exact case")
    .option("--accounts <a,b>", "in these accounts", listOption)
    .option("--regions <a,b>", "in these regions", listOption)
    .option("--types <a,b>", "of these resource types", listOption)
    .option("--names <a,b>", "of resources with these names", listOption)
    .option("--arns <a,b>", "of resources with these ARNs", listOption)
    .option("--tags <k=v,k=v>", "of resources that have all these tags", listOption)
    .requiredOption("--reason <text>", "why")
    .option("--ticket <text>", "where it was decided")
    .option("--requested-by <who>", "who asked for it (default: the AWS caller, else the system user)")
    .requiredOption("--approved-by <who>", "who accepts it")
    .option("--starts <when>", "a day or an RFC 3339 instant, UTC (default: at once)")
    .requiredOption("--expires <when>", "a day, to its end in UTC, or an RFC 3339 instant")
    .option("--json", "print the exemption")
    .addHelpText(
      "after",
      `
Example:
  tagwarden exemptions add --policy cost-allocation --rule cost-center --names 'poc-*' --reason 'proofs of concept' \\
    --ticket GOV-12 --approved-by finops@example.com --expires 2027-03-31`,
    )
    .action((options: AddOptions) =>
      withContext("exemptions", async (context) => {
        const { policy, rule, starts, expires, approvedBy, requestedBy, tags, json, ...rest } = options;
        const actor = await context.actor();
        const words = checkedOptions(ASKED, {
          ...rest,
          policy_id: policy,
          rule_id: rule,
          tags: tags && Object.fromEntries(tags.map(keyAndValue)),
          requested_by: requestedBy ?? actor,
          approved_by: approvedBy,
          starts_at: starts,
          expires_at: expires,
        });
        const { database } = await context.database();
        const id = done("", await createExemption(database, toAsked(words), { source: "cli", actor }));
        const item = found(id, await exemption(database, id));
        const text = json ? `${JSON.stringify(item, null, 2)}\n` : formatExemption(item, []);
        process.stdout.write(text);
        if (item.unused && !json)
          process.stdout.write("It covers no open finding now: look whether its scope is what was meant.\n");
      }),
    );
}

function keyAndValue(text: string): [string, string] {
  const equals = text.indexOf("=");
  if (equals < 1) throw new UsageError(`--tags: ${JSON.stringify(text)} has no \`=\`: write key=value.`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}
