import { Command, Option } from "commander";
import { ASKED, toEnd } from "../exemptions/asked.ts";
import { EXEMPTION_STATUSES } from "../exemptions/exemption.ts";
import { exemptionsJsonSchema } from "../exemptions/file.ts";
import { changeExemption, exemptionHistory, revokeExemption } from "../exemptions/store.ts";
import { exemption, type ExemptionFilters, exemptionsPage } from "../reports/db/exemptions.ts";
import { withContext } from "./context.ts";
import { addCommand } from "./exemption-add.ts";
import { checkFiles } from "./exemption-files.ts";
import { checkedOptions, daysOption, listOption } from "./exemption-options.ts";
import { done, formatExemption, formatExemptions, found } from "./exemption-text.ts";
import { explainPageToken, pageSizeOption } from "./page-options.ts";

/** `tagwarden exemptions`: violations that are accepted for a time. A subcommand is a function and a line here. */
export function exemptionsCommand(): Command {
  return new Command("exemptions")
    .description(
      "Violations that are accepted for a time: list, show, add, revoke and extend them; check files of them.",
    )
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(addCommand(new Command("add")))
    .addCommand(extendCommand())
    .addCommand(revokeCommand())
    .addCommand(checkCommand())
    .addCommand(schemaCommand());
}

type ListOptions = {
  status?: NonNullable<ExemptionFilters["status"]>[number];
  expiringWithin?: number;
  unused?: boolean;
  policy?: string[];
  rule?: string[];
  accounts?: string[];
  pageSize: number;
  pageToken?: string;
  json?: boolean;
};

function listCommand(): Command {
  return new Command("list")
    .description(
      "Exemptions that are not over, the one that ends first first; unused ones and those that end within 14 days say so.",
    )
    .addOption(
      new Option("--status <status>", "only these (default: active and pending)").choices([
        ...EXEMPTION_STATUSES,
        "all",
      ]),
    )
    .option("--expiring-within <days>", "active ones that end within so many days", daysOption)
    .option("--unused", "active ones that cover no open finding")
    .option("--policy <a,b>", "those that name one of these policies", listOption)
    .option("--rule <a,b>", "those that name one of these rules", listOption)
    .option("--accounts <a,b>", "those that name one of these accounts", listOption)
    .option("--page-size <n>", "how many, 1 to 500", pageSizeOption, 50)
    .option("--page-token <token>", "next_page_token of the page before")
    .option("--json", "print {items, next_page_token, total}")
    .addHelpText(
      "after",
      `
Examples:
  tagwarden exemptions list
  tagwarden exemptions list --expiring-within 14
  tagwarden exemptions list --unused --json`,
    )
    .action((options: ListOptions) =>
      withContext("exemptions", async (context) => {
        const { database } = await context.database();
        const filters: ExemptionFilters = {
          status: options.status && [options.status],
          expiring_within_days: options.expiringWithin,
          unused: options.unused,
          policy_id: options.policy,
          rule_id: options.rule,
          account_id: options.accounts,
        };
        const request = { page_size: options.pageSize, page_token: options.pageToken };
        const page = await exemptionsPage(database, filters, request).catch(explainPageToken);
        if (options.json) return printJson(page);
        process.stdout.write(page.items.length === 0 ? "No exemption is like that.\n" : formatExemptions(page));
        if (page.next_page_token)
          process.stdout.write(`The next page: the same command with --page-token ${page.next_page_token}\n`);
      }),
    );
}

function showCommand(): Command {
  return new Command("show")
    .argument("<exemption>", "id of an exemption")
    .description("One exemption: what it covers now, and what was decided about it.")
    .option("--json", "print one object, its history in it")
    .addHelpText("after", "\nExample:\n  tagwarden exemptions show poc-campaigns")
    .action((id: string, options: { json?: boolean }) =>
      withContext("exemptions", async (context) => {
        const { database } = await context.database();
        const item = found(id, await exemption(database, id));
        const history = await exemptionHistory(database, id);
        if (options.json) printJson({ ...item, history });
        else process.stdout.write(formatExemption(item, history));
      }),
    );
}

type ExtendOptions = { expires: string; approvedBy?: string; reason?: string; ticket?: string; json?: boolean };

function extendCommand(): Command {
  return new Command("extend")
    .argument("<exemption>", "id of an exemption that no file says")
    .description("Let an exemption end at another time: later, from now on and at most 180 days, or earlier.")
    .requiredOption("--expires <when>", "a day, to its end in UTC, or an RFC 3339 instant")
    .option("--approved-by <who>", "who accepts it; needed when it is to end later")
    .option("--reason <text>", "why, in place of the reason before")
    .option("--ticket <text>", "where it was decided, in place of the ticket before")
    .option("--json", "print the exemption")
    .addHelpText(
      "after",
      "\nExample:\n  tagwarden exemptions extend 019aaf00-0000-7000-8000-000000000000 --expires 2027-06-30 --approved-by finops@example.com",
    )
    .action((id: string, { expires, approvedBy, reason, ticket, json }: ExtendOptions) =>
      withContext("exemptions", async (context) => {
        const { expires_at, ...words } = checkedOptions(
          {
            expires_at: ASKED.expires_at,
            approved_by: ASKED.approved_by.optional(),
            reason: ASKED.reason.optional(),
            ticket: ASKED.ticket,
          },
          { expires_at: expires, approved_by: approvedBy, reason, ticket },
        );
        const { database } = await context.database();
        const change = { ...words, expires_at: toEnd(expires_at) };
        done(id, await changeExemption(database, id, change, { version: null, actor: await context.actor() }));
        const item = found(id, await exemption(database, id));
        if (json) printJson(item);
        else process.stdout.write(formatExemption(item, []));
      }),
    );
}

function revokeCommand(): Command {
  return new Command("revoke")
    .argument("<exemption>", "id of an exemption that no file says")
    .description("End an exemption at once.")
    .option("--reason <text>", "why")
    .option("--json", "print the exemption")
    .addHelpText(
      "after",
      "\nExample:\n  tagwarden exemptions revoke 019aaf00-0000-7000-8000-000000000000 --reason 'tagged by now'",
    )
    .action((id: string, options: { reason?: string; json?: boolean }) =>
      withContext("exemptions", async (context) => {
        const { reason = null } = checkedOptions({ reason: ASKED.reason.optional() }, { reason: options.reason });
        const { database } = await context.database();
        done(id, await revokeExemption(database, id, { actor: await context.actor(), note: reason }));
        if (options.json) printJson(found(id, await exemption(database, id)));
        else process.stdout.write(`Exemption ${id} is revoked: what it covered counts again.\n`);
      }),
    );
}

function checkCommand(): Command {
  return new Command("check")
    .description(
      "Read the files of exemptions in a folder of policies and say all that is wrong with any of them. Exit code 2 if anything is.",
    )
    .argument("[folder]", "folder of policy files (default: TAGWARDEN_POLICIES, else policies)")
    .option("--fail-on-expiring <days>", "exit 1 when one ends within so many days", daysOption)
    .option("--json", "print {valid, exemptions, expiring, problems, warnings}")
    .addHelpText("after", "\nExample:\n  tagwarden exemptions check --fail-on-expiring 14")
    .action(async (folder: string | undefined, options: { json?: boolean; failOnExpiring?: number }) => {
      process.exitCode = await checkFiles(
        folder ?? (process.env["TAGWARDEN_POLICIES"] || "policies"),
        options,
        new Date(),
      );
    });
}

function schemaCommand(): Command {
  return new Command("schema")
    .description("Print the JSON Schema of a file of exemptions, for editors.")
    .addHelpText("after", "\nExample:\n  tagwarden exemptions schema > policies/exemptions.schema.json")
    .action(() => printJson(exemptionsJsonSchema()));
}

function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
