import { type Command, InvalidArgumentError } from "commander";
import { z } from "zod";
import { UsageError } from "../config.ts";
import type { Database } from "../db/client.ts";
import { ASKED, toAsked } from "../exemptions/asked.ts";
import { createExemption, type Decided } from "../exemptions/store.ts";
import { exemption } from "../reports/db/exemptions.ts";
import { withContext } from "./context.ts";
import { explainExemptionRefusal, formatExemption } from "./exemption-text.ts";

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
    .option("--accounts <a,b>", "in these accounts", list)
    .option("--regions <a,b>", "in these regions", list)
    .option("--types <a,b>", "of these resource types", list)
    .option("--names <a,b>", "of resources with these names", list)
    .option("--arns <a,b>", "of resources with these ARNs", list)
    .option("--tags <k=v,k=v>", "of resources that have all these tags", list)
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
        const words = checked({
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
        const item = await known(database, id);
        if (json) return printJson(item);
        print(formatExemption(item, []));
        if (item.unused) print("It covers no open finding now: look whether its scope is what was meant.\n");
      }),
    );
}

/** Fields whose option has another name. */
const OPTION_NAMES: Record<string, string> = {
  policy_id: "policy",
  rule_id: "rule",
  starts_at: "starts",
  expires_at: "expires",
};

function checked(words: Record<string, unknown>): z.infer<z.ZodObject<typeof ASKED>> {
  const given = Object.fromEntries(Object.entries(words).filter(([, value]) => value !== undefined));
  const result = z.strictObject(ASKED).safeParse(given);
  if (result.success) return result.data;
  const lines = result.error.issues.map(({ path: [field = "", ...rest], message }) => {
    const option = `--${(OPTION_NAMES[String(field)] ?? String(field)).replaceAll("_", "-")}`;
    return `${[option, ...rest.map(String)].join(" ")}: ${message}.`;
  });
  throw new UsageError(lines.join("\n"));
}

function keyAndValue(text: string): [string, string] {
  const equals = text.indexOf("=");
  if (equals < 1) throw new UsageError(`--tags: ${JSON.stringify(text)} has no \`=\`: write key=value.`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}

/** The exemption of this id. Throws UsageError when there is none. */
export async function known(database: Database, id: string) {
  const item = await exemption(database, id);
  if (!item) throw new UsageError(explainExemptionRefusal({ outcome: "not_found" }, id));
  return item;
}

/** The id of what was done. Throws UsageError that says why it was not. */
export function done(id: string, decided: Decided): string {
  if (decided.outcome === "done") return decided.exemption.id;
  throw new UsageError(explainExemptionRefusal(decided, id));
}

/** Reads a list of an option. */
export function list(text: string): string[] {
  const items = text.split(",").map((item) => item.trim());
  if (items.includes("")) throw new InvalidArgumentError("Give a list like a,b.");
  return items;
}

export function print(text: string): void {
  process.stdout.write(text);
}

export function printJson(value: unknown): void {
  print(`${JSON.stringify(value, null, 2)}\n`);
}
