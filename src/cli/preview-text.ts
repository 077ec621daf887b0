import type { Compliance, Preview } from "../reports/preview.ts";
import { table } from "./table.ts";

/** Rows of a table on a terminal; the rest is counted in a line below it, and `--json` has all. */
const SHOWN = 15;

const STANDINGS: readonly Compliance[] = ["compliant", "noncompliant", "exempt", "unknown", "not_applicable"];

/** What a set of policies would change, in tables. `difference`: the rules that come, change and go, a line each. */
export function previewText(preview: Preview, difference: string): string {
  const { resources, findings } = preview;
  const { opens, changes, closes } = findings;
  return [
    `Against the active policies:\n${difference}\n`,
    `Among ${many(resources, "stored resource")}, ${many(opens, "finding")} would open, ${changes} change and ${closes} close.\n`,
    complianceTable(preview),
    ...rulesTable(preview),
    ...placesTable(
      "account",
      preview.by_account.map(({ account_id, ...counts }) => ({ name: account_id, ...counts })),
    ),
    ...ownersTable(preview),
    "Nothing was changed. To judge by these policies from now on: tagwarden policies activate\n",
  ].join("\n");
}

function complianceTable({ compliance, writes }: Preview): string {
  const row = (name: string, before: number, after: number) => [name, `${before}`, `${after}`, signed(after - before)];
  const ratio = (value: number | null) => (value === null ? "-" : `${(value * 100).toFixed(1)} %`);
  const { before, after } = compliance;
  return table(
    ["", "now", "then", "change"],
    [
      ...STANDINGS.map((name) => row(name.replace("_", " "), before[name], after[name])),
      ["ratio", ratio(before.ratio), ratio(after.ratio), ""],
      ["strict ratio", ratio(before.strict_ratio), ratio(after.strict_ratio), ""],
      row("resources that a plan writes", writes.before.resources, writes.after.resources),
      row("tags that it writes or removes", writes.before.changes, writes.after.changes),
      row("resources that it may not write", writes.before.blocked, writes.after.blocked),
      row("findings left to people", writes.before.review, writes.after.review),
    ],
  );
}

function rulesTable({ by_rule }: Preview): string[] {
  return section(
    ["rule", "opens", "changes", "closes", "writes now", "then"],
    by_rule.map(({ policy_id, rule_id, opens, changes, closes, writes }) => [
      `${policy_id}/${rule_id}`,
      ...[opens, changes, closes, writes.before, writes.after].map(String),
    ]),
    "rules",
  );
}

type Place = Preview["by_owner"][number];

function ownersTable({ by_owner, other_owners }: Preview): string[] {
  const rows = by_owner.map(({ owner, ...counts }) => ({ name: owner ?? "(nobody)", ...counts }));
  return placesTable("owner", other_owners ? [...rows, { name: "(all others)", ...other_owners }] : rows);
}

function placesTable(what: string, places: readonly (Omit<Place, "owner"> & { name: string })[]): string[] {
  return section(
    [what, "opens", "changes", "closes", "noncompliant now", "then", "writes now", "then"],
    places.map(({ name, opens, changes, closes, noncompliant, writes }) => [
      name,
      ...[opens, changes, closes, noncompliant.before, noncompliant.after, writes.before, writes.after].map(String),
    ]),
    `${what}s`,
  );
}

function section(header: readonly string[], rows: readonly string[][], what: string): string[] {
  if (rows.length === 0) return [];
  const more = rows.length - SHOWN;
  return [table(header, rows.slice(0, SHOWN)) + (more > 0 ? `… and ${more} more ${what}: --json has all\n` : "")];
}

function many(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function signed(difference: number): string {
  return difference > 0 ? `+${difference}` : `${difference}`;
}
