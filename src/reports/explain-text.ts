import type { Resource } from "../inventory/resource.ts";
import type { ExplainedRule, ExplainedViolation } from "../policy/explain.ts";
import type { Shown } from "./explain-mask.ts";
import type { Tags } from "../tags/tags.ts";
import { painter, type Tone } from "../terminal/paint.ts";
import { printable, wrap } from "../terminal/text.ts";

/** How text is made for one reader. */
type TextOptions = {
  readonly color: boolean;
  readonly width: number;
};

/** Each rule with what it saw, what it expected, why, and what would be done; those that are not about the resource at the end, a line each. */
export function formatExplanation(resource: Resource, { tags, rules }: Shown, options: TextOptions): string {
  const paint = painter(options.color);
  const { arn, type, name, account_id, region, status } = resource;
  const lines = [
    `${paint("bold", printable(`${type} ${name}`))}  ${account_id} ${region}  ${printable(status)}`,
    paint("dim", printable(arn)),
    `tags: ${tagsText(tags)}`,
    "",
  ];
  const about = rules.filter(({ verdict }) => verdict !== "not_applicable");
  for (const rule of about) lines.push(...formatRule(rule, options), "");
  const others = rules.filter(({ verdict }) => verdict === "not_applicable");
  if (others.length > 0) lines.push("Not about this resource:");
  for (const { policy_id, rule_id, why } of others) lines.push(`  ${policy_id}/${rule_id}: ${printable(why)}`);
  return lines.map((line) => `${line}\n`).join("");
}

const TONES: Record<ExplainedRule["verdict"], Tone> = {
  pass: "green",
  violation: "red",
  unknown: "yellow",
  not_applicable: "dim",
};

function formatRule(rule: ExplainedRule, options: TextOptions): string[] {
  const paint = painter(options.color);
  const { policy_id, rule_id, verdict, severity, saw, expected, why, violations } = rule;
  const words = verdict === "violation" ? violations.map(({ kind }) => kind).join(", ") : verdict;
  const head = `${paint("bold", `${policy_id}/${rule_id}`)}  ${paint(TONES[verdict], words)}  ${paint("dim", severity)}`;
  const rows: [string, string][] = [
    ["saw", tagsText(saw)],
    ["expected", expected],
    ["why", why],
    ...violations.flatMap(rowsOf),
  ];
  return [head, ...rows.flatMap(([name, text]) => formatRow(name, text, options))];
}

function rowsOf({ near_miss, fix, blocked }: ExplainedViolation): [string, string][] {
  const rows: [string, string][] = [];
  if (near_miss !== null) rows.push(["meant", `${near_miss.found} → ${near_miss.meant}`]);
  if (fix.kind === "off") rows.push(["fix", "the policy only reports"]);
  if (fix.kind === "review") rows.push(["fix", `a person: ${fix.reason}`]);
  if (fix.kind !== "change") return rows;
  for (const { key: changed, after } of fix.changes) {
    const from = after === null || fix.from === null ? "" : ` (from ${fix.from})`;
    rows.push(["fix", after === null ? `remove ${changed}` : `write ${changed}=${after}${from}`]);
  }
  if (blocked !== null) rows.push(["blocked", blocked]);
  return rows;
}

function formatRow(name: string, text: string, { width }: TextOptions): string[] {
  const indent = 12;
  return wrap(printable(text), Math.max(30, width - indent)).map(
    (line, index) => `  ${(index === 0 ? name : "").padEnd(indent - 2)}${line}`,
  );
}

function tagsText(tags: Tags): string {
  const pairs = Object.entries(tags).map(([key, value]) => `${key}=${value}`);
  return pairs.length === 0 ? "(none)" : printable(pairs.join(", "));
}
