import { UsageError } from "../config.ts";
import { MADE } from "../exemptions/exemption.ts";
import type { Decided, ExemptionEventRow, Refusal } from "../exemptions/store.ts";
import type { ExemptionItem } from "../reports/db/exemptions.ts";
import type { Page } from "../reports/page.ts";
import { printable } from "../terminal/text.ts";
import { table } from "./table.ts";

/** An exemption that ends within so many days is marked. */
const SOON_DAYS = 14;

/** Exemptions as a table; those that cover nothing and those that end soon say so. */
export function formatExemptions({ items }: Pick<Page<ExemptionItem>, "items">): string {
  const rows = items.map((item) => [
    item.id,
    item.status,
    item.expires_at.toISOString(),
    item.status === "active" ? String(item.covered_findings) : "",
    marks(item).join(", "),
    scopeWords(item).join("; "),
    [item.ticket, item.reason].filter((text) => text !== null).join(": "),
  ]);
  return table(["EXEMPTION", "STATUS", "EXPIRES", "COVERS", "", "SCOPE", "WHY"], rows);
}

/** What somebody should look at. */
function marks({ status, unused, expires_in_days }: ExemptionItem): string[] {
  const soon = status === "active" && expires_in_days !== null && expires_in_days < SOON_DAYS;
  return [...(unused ? ["unused"] : []), ...(soon ? [`ends in ${days(expires_in_days)}`] : [])];
}

function days(count: number): string {
  if (count === 0) return "less than a day";
  return `${count} ${count === 1 ? "day" : "days"}`;
}

/** The parts of the scope that are named. */
function scopeWords(item: ExemptionItem): string[] {
  const { policy_id, rule_id, key, accounts, regions, types, names, arns, tags } = item;
  const tagged = tags && Object.entries(tags).map(([name, pattern]) => `${name}=${pattern}`);
  const parts = { policy: policy_id, rule: rule_id, key, accounts, regions, types, names, arns, tags: tagged };
  return Object.entries(parts).flatMap(([name, value]) =>
    value === null ? [] : [`${name} ${Array.isArray(value) ? value.join(", ") : value}`],
  );
}

/** One exemption with what was decided about it. */
export function formatExemption(item: ExemptionItem, history: readonly ExemptionEventRow[]): string {
  const where = item.file === null ? `made ${MADE[item.source]}` : `said by ${item.file}`;
  const lines = [
    `Exemption ${item.id}: ${[item.status, ...marks(item)].join(", ")}; ${where}`,
    `Covers      ${item.covered_findings} open ${item.covered_findings === 1 ? "finding" : "findings"} now`,
    ...scopeWords(item).map((part, index) => (index === 0 ? "Scope" : "").padEnd(12) + part),
    `Why         ${[item.reason, item.ticket && `(${item.ticket})`].filter(Boolean).join(" ")}`,
    `Who         requested by ${item.requested_by}, approved by ${item.approved_by}`,
    `When        ${item.starts_at.toISOString()} to ${item.expires_at.toISOString()}`,
    ...history.map(
      ({ at, event, actor, after, note }) =>
        `  ${at.toISOString()}  ${[event, ...(event === "changed" && after ? [Object.keys(after).join(", ")] : [])].join(" ")} by ${actor}${note ? `: ${note}` : ""}`,
    ),
  ];
  return lines.map((line) => `${printable(line)}\n`).join("");
}

/** The exemption that was looked for. Throws UsageError when there is none. */
export function found(id: string, item: ExemptionItem | null): ExemptionItem {
  if (item) return item;
  throw new UsageError(explainRefusal({ outcome: "not_found" }, id));
}

/** The id of what was done. Throws UsageError that says why it was not, and what to do. */
export function done(id: string, decided: Decided): string {
  if (decided.outcome === "done") return decided.exemption.id;
  throw new UsageError(explainRefusal(decided, id));
}

function explainRefusal(refusal: Refusal, id: string): string {
  switch (refusal.outcome) {
    case "not_found":
      return `There is no exemption ${JSON.stringify(id)} in this database. List them: tagwarden exemptions list --status all`;
    case "of_file":
      return `Exemption ${id} is said by ${refusal.file} of the policies folder: change it there, and scan or activate.`;
    case "revoked":
      return `Exemption ${id} was revoked at ${refusal.at.toISOString()}. Make a new one: tagwarden exemptions add`;
    case "expired":
      return `Exemption ${id} expired at ${refusal.at.toISOString()}: there is nothing to revoke.`;
    case "stale":
      return `Exemption ${id} was changed meanwhile: it has version ${refusal.version} now. Look at it: tagwarden exemptions show ${id}`;
    case "unapproved":
      return "It is to end later: say who accepts that, with --approved-by.";
    case "invalid":
      return refusal.problems.map(({ field, message }) => `${OPTIONS[field]} ${message}.`).join("\n");
    default:
      return refusal satisfies never;
  }
}

const OPTIONS = {
  scope: "The exemption",
  starts_at: "--starts: it",
  expires_at: "--expires: it",
  approved_by: "--approved-by",
} as const;
