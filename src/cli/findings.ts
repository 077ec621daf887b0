import { Command, Option } from "commander";
import { UsageError } from "../config.ts";
import type { Database } from "../db/client.ts";
import { RESOURCE_TYPE_NAMES, type ResourceType } from "../inventory/resource-types.ts";
import { FINDING_KINDS, type FindingKind, SEVERITIES, type Severity } from "../policy/verdict.ts";
import { csvLines, type CsvValue } from "../reports/csv.ts";
import type { FindingFilters } from "../reports/db/conditions.ts";
import { scan } from "../reports/db/scans.ts";
import { eachFindingsPage, FINDING_SORTS, type FindingRow, type FindingSort, findingsPage } from "../reports/store.ts";
import type { PolicySet } from "../policy/load.ts";
import type { PlanFilters } from "../remediation/filters.ts";
import { formatFindings } from "../reports/terminal.ts";
import { withContext } from "./context.ts";
import { writeFillIn } from "./fill-in.ts";
import { spelledToo } from "./list-option.ts";
import { explainPageToken, pageSizeOption } from "./page-options.ts";
import { planFilters } from "./plan-filters.ts";

export type FindingsOptions = {
  status?: "open" | "exempt" | "resolved" | "all";
  severity?: Severity[];
  kind?: FindingKind[];
  policy?: string[];
  rule?: string[];
  key?: string[];
  accounts?: string[];
  regions?: string[];
  types?: ResourceType[];
  arn?: string[];
  owner?: string[];
  scan?: string;
  search?: string;
  sort?: FindingSort;
  pageSize?: number;
  pageToken?: string;
  json?: boolean;
  csv?: boolean;
  fillIn?: string;
};

/** Options that say nothing about the sheet to fill in. */
const NOT_OF_SHEET: (keyof FindingsOptions)[] = [
  ...(["status", "severity", "kind", "policy", "key", "scan", "search", "sort"] as const),
  ...(["pageSize", "pageToken", "json", "csv"] as const),
];

/** The filters of the sheet. A rule may be named without its policy, as in the list. */
function sheetFilters(set: PolicySet, options: FindingsOptions): PlanFilters {
  const names = set.policies.flatMap((policy) => policy.rules.map((rule) => `${policy.id}/${rule.rule_id}`));
  const rule = options.rule?.flatMap((text) => {
    const found = names.filter((name) => name === text || name.split("/")[1] === text);
    return found.length > 0 ? found : [text];
  });
  const { accounts: account, regions: region, types: type, owner, arn } = options;
  return planFilters(set, {
    ...(rule && { rule }),
    ...(account && { account }),
    ...(region && { region }),
    ...(type && { type }),
    ...(owner && { owner }),
    ...(arn && { arn }),
  });
}

/** Where a command writes: `columns` and `isTTY` as a terminal has them. */
export type Output = {
  /** Calls `done` when the reader took it, or with why it did not. */
  write(text: string, done?: (error?: Error | null) => void): unknown;
  readonly columns?: number | undefined;
  readonly isTTY?: boolean | undefined;
};

/** `tagwarden findings`: what is wrong, filtered, as a table, JSON or CSV. */
export function findingsCommand(): Command {
  return new Command("findings")
    .description("Findings: by default those that are open and not exempt, the most severe first.")
    .addOption(
      new Option("--status <status>", "which findings").choices(["open", "exempt", "resolved", "all"]).default("open"),
    )
    .option("--severity <a,b>", SEVERITIES.join(", "), oneOf(SEVERITIES))
    .option("--kind <a,b>", FINDING_KINDS.join(", "), oneOf(FINDING_KINDS))
    .option("--policy <a,b>", "ids of policies", list)
    .option("--rule <a,b>", "rules, as rule or policy/rule", list)
    .option("--key <a,b>", "tag keys, exact case", list)
    .option("--accounts <a,b>", "accounts", list)
    .option("--regions <a,b>", "regions", list)
    .option("--types <a,b>", "resource types", oneOf(RESOURCE_TYPE_NAMES))
    .addOption(spelledToo("--account <a,b>", "accounts", list))
    .addOption(spelledToo("--region <a,b>", "regions", list))
    .addOption(spelledToo("--type <a,b>", "types", oneOf(RESOURCE_TYPE_NAMES)))
    .option("--arn <a,b>", "resources", list)
    .option("--owner <a,b>", "owners of resources, as their Owner tag says", list)
    .option("--scan <id>", "only in the units of this scan")
    .option("--search <text>", "part of the ARN or of the name, in any case")
    .addOption(new Option("--sort <field>", "- in front: descending (write --sort=-opened_at)").choices(FINDING_SORTS))
    .option("--page-size <n>", "how many, 1 to 500 (default: 50); --csv prints all", pageSizeOption)
    .option("--page-token <token>", "next_page_token of the page before")
    .addOption(new Option("--json", "print {items, next_page_token, total}").conflicts("csv"))
    .option("--csv", "print every finding as CSV (RFC 4180)")
    .addOption(
      new Option("--fill-in <file>", "write a sheet of what only a person knows, for `plan --from`").conflicts(
        NOT_OF_SHEET,
      ),
    )
    .addHelpText(
      "after",
      `
Examples:
  tagwarden findings --severity high,critical --types campaign
  tagwarden findings --rule cost-allocation/owner --csv > findings.csv
  tagwarden findings --fill-in values.csv --accounts 111122223333`,
    )
    .action((options: FindingsOptions) =>
      withContext("findings", async (context) => {
        const { database } = await context.database();
        if (options.fillIn !== undefined) {
          const set = await context.activePolicies();
          const out = (text: string) => process.stdout.write(text);
          return writeFillIn({ database, set, now: context.now(), out }, options.fillIn, sheetFilters(set, options));
        }
        await printFindings(database, options, process.stdout);
      }),
    );
}

/** The body of the command. Throws UsageError for a page token that cannot be used, and what `write` told when the reader went away. */
export async function printFindings(database: Database, options: FindingsOptions, output: Output): Promise<void> {
  const filters: FindingFilters = {
    effective_status: options.status,
    severity: options.severity,
    kind: options.kind,
    policy_id: options.policy,
    rule: options.rule,
    key: options.key,
    account_id: options.accounts,
    region: options.regions,
    type: options.types,
    arn: options.arn,
    owner: options.owner,
    scan_id: options.scan,
    q: options.search,
  };
  if (options.scan !== undefined && !(await scan(database, options.scan))) {
    throw new UsageError(`There is no scan ${JSON.stringify(options.scan)}. List them: tagwarden scans list`);
  }
  if (options.csv) {
    output.write(csvLines([CSV_COLUMNS]));
    await eachFindingsPage(database, filters, options.sort, async (rows) => {
      // A slow reader slows the reading, so that a million findings need no more memory than a page.
      await new Promise<void>((resolve, reject) =>
        output.write(csvLines(rows.map(csvRow)), (error) => (error ? reject(error) : resolve())),
      );
    });
    return;
  }
  const request = { page_size: options.pageSize, page_token: options.pageToken, sort: options.sort };
  const page = await findingsPage(database, filters, request).catch(explainPageToken);
  if (options.json) {
    output.write(`${JSON.stringify(page, null, 2)}\n`);
    return;
  }
  output.write(formatFindings(page, { color: colorFor(output), width: output.columns ?? 120 }));
  if (page.next_page_token) output.write(`The next page: the same command with --page-token ${page.next_page_token}\n`);
}

/** Colour only on a terminal, and not when NO_COLOR is set (no-color.org). */
export function colorFor(output: Output): boolean {
  return output.isTTY === true && !process.env["NO_COLOR"];
}

const CSV_COLUMNS = [
  "id",
  "effective_status",
  "severity",
  "kind",
  "policy_id",
  "rule_id",
  "key",
  "message",
  "observed",
  "expected",
  "account_id",
  "region",
  "type",
  "name",
  "arn",
  "owner",
  "opened_at",
  "first_opened_at",
  "resolved_at",
  "resolution",
  "reopen_count",
  "exempt_until",
];

function csvRow(row: FindingRow): CsvValue[] {
  const flat: Record<string, unknown> = {
    ...row,
    message: row.detail.message,
    observed: JSON.stringify(row.detail.observed),
    expected: row.detail.expected,
  };
  return CSV_COLUMNS.map((column) => flat[column] as CsvValue);
}

function list(text: string): string[] {
  const items = text.split(",").map((item) => item.trim());
  if (items.some((item) => item === ""))
    throw new UsageError(`${JSON.stringify(text)} has an empty item: give a list like a,b.`);
  return items;
}

function oneOf<T extends string>(known: readonly T[]): (text: string) => T[] {
  return (text) =>
    list(text).map((item) => {
      const found = known.find((candidate) => candidate === item);
      if (found === undefined) throw new UsageError(`${JSON.stringify(item)} is none of ${known.join(", ")}.`);
      return found;
    });
}
