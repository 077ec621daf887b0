import { readFile } from "node:fs/promises";
import { Command } from "commander";
import { z } from "zod";
import { AUDIT_ACTIONS, type AuditAction, type AuditDetail } from "../audit-log/entry.ts";
import type { Head } from "../audit-log/chain.ts";
import { auditHead, verifyAudit } from "../audit-log/store.ts";
import type { Verification } from "../audit-log/verify-chain.ts";
import { UsageError } from "../config.ts";
import { auditPage, type AuditRow } from "../reports/db/audit-log.ts";
import { nearestWord } from "../tags/spelling.ts";
import { withContext } from "./context.ts";
import { EXIT } from "./exit.ts";
import { listOption } from "./list-option.ts";
import { explainPageToken, pageSizeOption } from "./page-options.ts";
import { table } from "./table.ts";

type ListOptions = {
  limit: number;
  pageToken?: string;
  actor?: string[];
  action?: AuditAction[];
  subject?: string[];
  json?: boolean;
};

/** `tagwarden audit`: who did what, and whether the log of it is whole. */
export function auditCommand(): Command {
  return new Command("audit")
    .description("Who did what: list the audit log, and check that nobody has tampered with it.")
    .addCommand(listCommand())
    .addCommand(verifyCommand())
    .addCommand(headCommand());
}

function listCommand(): Command {
  return new Command("list")
    .description("What was done, by whom and when, the newest first.")
    .option("--limit <n>", "how many, 1 to 500", pageSizeOption, 50)
    .option("--page-token <token>", "next_page_token of the page before")
    .option("--actor <a,b>", "by these", listOption)
    .option("--action <a,b>", `of these: ${AUDIT_ACTIONS.join(", ")}`, actionsOption)
    .option("--subject <a,b>", "about these: ids or ARNs", listOption)
    .option("--json", "print {items, next_page_token, total}")
    .addHelpText("after", "\nExample:\n  tagwarden audit list --action plan.approved,plan.rejected --limit 20")
    .action(({ limit, pageToken, actor, action, subject, json }: ListOptions) =>
      withContext("audit", async (context) => {
        const { database } = await context.database();
        const request = { page_size: limit, page_token: pageToken };
        const page = await auditPage(database, { actor, action, subject }, request).catch(explainPageToken);
        if (json) return printJson(page);
        process.stdout.write(
          page.items.length === 0 ? "Nothing of that is in the audit log.\n" : formatRows(page.items),
        );
        if (page.next_page_token)
          process.stdout.write(`The next page: the same command with --page-token ${page.next_page_token}\n`);
      }),
    );
}

function verifyCommand(): Command {
  return new Command("verify")
    .description("Check every row of the audit log, and name the first bad one.")
    .option("--head <head>", "POSITION:HASH, or a file that `audit head` wrote: what the log must still hold")
    .option("--json", "print {ok, rows, head: {position, hash, at}, fault: null or {position, fault, message}}")
    .addHelpText(
      "after",
      `
Without a head that was kept elsewhere it cannot be seen that rows at the end are gone, or that all of it was written anew.

Exit codes: 0 the log holds; 1 it does not.

Example:
  tagwarden audit verify --head head.txt`,
    )
    .action(({ head, json }: { head?: string; json?: boolean }) =>
      withContext("audit", async (context) => {
        const known = head === undefined ? null : await readHead(head);
        const { database } = await context.database();
        const verification = await verifyAudit(database, known);
        if (json) printJson({ ok: verification.fault === null, ...verification });
        else process.stdout.write(formatVerification(verification));
        if (verification.fault !== null) process.exitCode = EXIT.no;
      }),
    );
}

function headCommand(): Command {
  return new Command("head")
    .description("The last row of the audit log, to be kept where nobody can write who can write to the database.")
    .option("--json", "print {position, hash, at}")
    .addHelpText("after", "\nExample:\n  tagwarden audit head > head.txt")
    .action(({ json }: { json?: boolean }) =>
      withContext("audit", async (context) => {
        const { database } = await context.database();
        const head = await auditHead(database);
        if (json) printJson(head);
        else process.stdout.write(`${nameOf(head)}${head.at === null ? "" : ` ${head.at.toISOString()}`}\n`);
      }),
    );
}

const HeadFile = z.object({ position: z.int().min(0), hash: z.string().regex(/^[0-9a-f]{64}$/) });

/** Reads `--head`. */
async function readHead(text: string): Promise<Pick<Head, "position" | "hash">> {
  const given = headIn(text);
  if (given !== null) return given;
  const content = await readFile(text, "utf8").catch((cause: unknown) => {
    throw new UsageError(`--head ${JSON.stringify(text)} is neither POSITION:HASH nor a file that can be read.`, {
      cause,
    });
  });
  const read = headIn(content);
  if (read === null) throw new UsageError(`${text}: there is no head in it. Write one: tagwarden audit head > FILE`);
  return read;
}

/** A head as `audit head` prints it, with or without `--json`; null: it is none. */
function headIn(text: string): Pick<Head, "position" | "hash"> | null {
  const [, position, hash] = /^\s*(\d{1,15}):([0-9a-f]{64})(\s|$)/.exec(text) ?? [];
  if (position !== undefined && hash !== undefined) return { position: Number(position), hash };
  try {
    return HeadFile.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

function actionsOption(text: string): AuditAction[] {
  return listOption(text).map((word) => {
    const action = AUDIT_ACTIONS.find((one) => one === word);
    if (action) return action;
    const near = nearestWord(word, AUDIT_ACTIONS);
    const help = near === null ? `They are ${AUDIT_ACTIONS.join(", ")}.` : `Did you mean ${near}?`;
    throw new UsageError(`--action ${JSON.stringify(word)}: the audit log has no such action. ${help}`);
  });
}

function formatRows(rows: readonly AuditRow[]): string {
  return table(
    ["POSITION", "AT", "ACTOR", "ACTION", "SUBJECT", "DETAIL"],
    rows.map(({ position, at, actor, action, subject, detail }) => [
      String(position),
      at.toISOString(),
      actor,
      action,
      subject,
      formatDetail(detail),
    ]),
  );
}

/** The longest detail that a row of a table shows. */
const MOST_CHARACTERS = 120;

function formatDetail(detail: AuditDetail): string {
  const words = Object.entries(detail).flatMap(([name, value]) =>
    value === null ? [] : `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  const text = words.join(", ");
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS - 1)}…` : text;
}

function formatVerification({ rows, head, fault }: Verification): string {
  if (fault === null) return `The audit log holds: ${rows} ${rows === 1 ? "row" : "rows"}. Head: ${nameOf(head)}\n`;
  const held = rows === 0 ? "No row before it holds." : `Rows 1 to ${rows} hold.`;
  return `The audit log does not hold. Row ${fault.position}: ${fault.fault.replaceAll("_", " ")}: ${fault.message}.\n${held}\n`;
}

function nameOf({ position, hash }: Pick<Head, "position" | "hash">): string {
  return `${position}:${hash}`;
}

function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
