import type { Severity } from "../policy/verdict.ts";
import type { Page } from "./page.ts";
import type { ScanDetails, ScanReport } from "./scan-report.ts";
import type { FindingRow } from "./store.ts";
import { displayWidth, fit, printable, wrap } from "../terminal/text.ts";

/** How a text is laid out. `width`: columns of the terminal, 40 at least. */
export type Layout = { readonly color: boolean; readonly width: number };

/** What the report for a person is made of. `account_names`: names by account id, where they are known. */
export type ScanReportData = {
  readonly report: ScanReport;
  readonly details: ScanDetails;
  readonly account_names?: Readonly<Record<string, string>>;
};

type Style = "bold" | "dim" | "red" | "yellow" | "green" | "blue" | "magenta";
const SGR: Record<Style, string> = {
  bold: "1",
  dim: "2",
  red: "31",
  green: "32",
  yellow: "33",
  blue: "34",
  magenta: "35",
};
const SEVERITY_STYLE: Record<Severity, Style> = { critical: "magenta", high: "red", medium: "yellow", low: "blue" };
/** Rows of a section; what is left out is counted in a line below. */
const ROWS = 10;

/** The report of a scan: what is wrong, where, what could not be read, what changed, what to do next. */
export function formatScanReport(data: ScanReportData, layout: Layout): string {
  const pen = penOf({ ...layout, width: Math.max(40, Math.floor(layout.width)) });
  const sections = [
    heading(data, pen),
    score(data, pen),
    whatIsWrong(data, pen),
    where(data, pen),
    worst(data, pen),
    unread(data, pen),
    changes(data, pen),
    repairs(data, pen),
    next(data, pen),
  ];
  const lines = sections.filter((section) => section.length > 0).flatMap((section) => [...section, ""]);
  return `${lines.slice(0, -1).join("\n")}\n`;
}

/** With fewer columns left than this, a resource gets a line of its own: its rule and key are never cut for it. */
const RESOURCE_COLUMNS = 40;

/** Findings as a table. Says how many there are beyond the page. */
export function formatFindings(page: Page<FindingRow>, layout: Layout): string {
  const pen = penOf({ ...layout, width: Math.max(40, Math.floor(layout.width)) });
  if (page.items.length === 0) return "No finding.\n";
  const wide = pen.width >= 100;
  const lines = [
    pen.style(
      "dim",
      `${fit("SEVERITY", 8)}  ${fit("KIND", 9)}  ${wide ? `${fit("ACCOUNT", 12)}  ${fit("REGION", 14)}  ` : ""}RULE · KEY · RESOURCE`,
    ),
  ];
  for (const row of page.items) {
    const status = row.effective_status === "open" ? "" : ` (${row.effective_status})`;
    const place = wide ? `${fit(printable(row.account_id), 12)}  ${fit(printable(row.region), 14)}  ` : "";
    const what = printable([row.rule_id, row.key].filter((part) => part !== "").join(" · "));
    const resource = printable(`${row.type}/${row.name ?? row.arn}${status}`);
    const begin = `${severity(pen, row.severity)}  ${fit(row.kind, 9)}  ${place}`;
    const left = 21 + displayWidth(place);
    const room = pen.width - left - displayWidth(what) - 3;
    if (displayWidth(resource) <= room || room >= RESOURCE_COLUMNS) {
      lines.push(`${begin}${what} · ${fit(resource, room, { cut: "middle" }).trimEnd()}`);
    } else {
      const below = " ".repeat(10);
      lines.push(`${begin}${fit(what, pen.width - left).trimEnd()}`);
      lines.push(`${below}${fit(resource, pen.width - below.length, { cut: "middle" }).trimEnd()}`);
    }
  }
  const { count, type } = page.total;
  lines.push(
    "",
    `${page.items.length === count ? "" : `${number(page.items.length)} of `}${type === "AT_LEAST" ? "at least " : ""}${plural(count, "finding")}`,
  );
  return `${lines.join("\n")}\n`;
}

type Pen = { readonly width: number; style(style: Style, text: string): string };

function penOf({ color, width }: Layout): Pen {
  return { width, style: (style, text) => (color ? `\u001b[${SGR[style]}m${text}\u001b[0m` : text) };
}

function heading({ report }: ScanReportData, pen: Pen): string[] {
  const state = pen.style(
    report.state === "succeeded" ? "green" : report.state === "failed" ? "red" : "yellow",
    report.state,
  );
  const seconds =
    report.started_at && report.finished_at
      ? (report.finished_at.getTime() - report.started_at.getTime()) / 1000
      : null;
  const lines = [`${pen.style("bold", "Scan")} ${report.scan_id}  ${state}`];
  const calls = report.api_calls["total"] ?? 0;
  const throttled = report.api_calls["throttled"] ?? 0;
  const facts = [
    ...(seconds === null ? [] : [seconds < 120 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds / 60)} min`]),
    `${plural(
      sumOf(report.units, (unit) => unit.resources),
      "resource",
    )} in ${plural(report.units.length, "unit")}`,
    `${plural(calls, "API call")}${throttled > 0 ? `, ${number(throttled)} throttled` : ""}`,
  ];
  lines.push(...wrap(facts.join(" · "), pen.width).map((line) => pen.style("dim", line)));
  const { policies } = report;
  if (policies) {
    const names = policies.items.map((item) => item.policy_id).join(", ");
    const rules = sumOf(policies.items, (item) => item.rules);
    lines.push(
      ...wrap(printable(`Policies ${policies.set_id.slice(0, 8)}: ${names} (${plural(rules, "rule")})`), pen.width),
    );
  }
  for (const warning of report.warnings) {
    lines.push(...wrap(printable(`! ${warning}`), pen.width).map((line) => pen.style("yellow", line)));
  }
  return lines;
}

function score({ report }: ScanReportData, pen: Pen): string[] {
  const { compliant, noncompliant, exempt, unknown, not_applicable, ratio, strict_ratio, coverage } = report.compliance;
  const applicable = compliant + noncompliant + exempt + unknown;
  const lines: string[] = [];
  if (ratio === null) {
    const why =
      applicable === 0
        ? not_applicable === 0
          ? "no resource was found"
          : `no rule applies to the ${plural(not_applicable, "resource")} found`
        : exempt > 0
          ? "every resource that could be judged is exempt"
          : `none of the ${plural(applicable, "resource")} could be judged`;
    lines.push(...wrap(`Compliance is not known: ${why}.`, pen.width).map((line) => pen.style("bold", line)));
  } else {
    const more = [
      ...(strict_ratio === null || strict_ratio === ratio ? [] : [`strict ${percent(strict_ratio)}`]),
      ...(coverage === null || coverage === 1 ? [] : [`coverage ${percent(coverage)}`]),
    ];
    const headline = `${percent(ratio)} compliant`;
    const beside = more.join(" · ");
    const fits = headline.length + 3 + beside.length <= pen.width;
    lines.push(`${pen.style("bold", headline)}${fits && beside !== "" ? `   ${beside}` : ""}`);
    if (!fits) lines.push(beside);
  }
  if (applicable > 0) {
    const parts = [
      ["green", "█", compliant],
      ["red", "▓", noncompliant],
      ["yellow", "▒", exempt],
      ["dim", "░", unknown],
    ] as const;
    const cells = shares(
      parts.map(([, , count]) => count),
      Math.min(60, pen.width),
    );
    lines.push(
      parts
        .map(([style, sign], i) => ((cells[i] ?? 0) > 0 ? pen.style(style, sign.repeat(cells[i] ?? 0)) : ""))
        .join(""),
    );
  }
  const counts = [
    `█ ${number(compliant)} compliant`,
    `▓ ${number(noncompliant)} noncompliant`,
    ...(exempt > 0 ? [`▒ ${number(exempt)} exempt`] : []),
    ...(unknown > 0 ? [`░ ${number(unknown)} unknown`] : []),
    ...(not_applicable > 0 ? [`${number(not_applicable)} not applicable`] : []),
  ];
  if (applicable + not_applicable > 0) lines.push(...wrap(counts.join(" · "), pen.width));
  if (report.compliance.units_never_read > 0) {
    lines.push(
      ...wrap(
        `Coverage is not known: ${plural(report.compliance.units_never_read, "unit")} never read.`,
        pen.width,
      ).map((line) => pen.style("yellow", line)),
    );
  }
  return lines;
}

function whatIsWrong({ report, details }: ScanReportData, pen: Pen): string[] {
  const { open, exempt } = report.findings;
  const { unknown, ratio } = report.compliance;
  if (open === 0) {
    if (ratio === null && exempt === 0) return [];
    const rest = exempt > 0 ? ` ${plural(exempt, "finding")} exempt.` : "";
    return wrap(
      unknown > 0 ? `Nothing is wrong with what could be read.${rest}` : `No open finding.${rest}`,
      pen.width,
    );
  }
  const rules = details.rules.filter((rule) => rule.open > 0);
  const most = Math.max(...rules.map((rule) => rule.open));
  const digits = number(most).length;
  const bar = pen.width >= 70 ? 12 : 0;
  const lines = [
    title(pen, "What is wrong", `${plural(open, "open finding")}${exempt > 0 ? `, ${number(exempt)} exempt` : ""}`),
  ];
  for (const rule of rules.slice(0, ROWS)) {
    const kinds = Object.entries(rule.kinds).map(([kind, count]) =>
      Object.keys(rule.kinds).length === 1 ? kind : `${number(count)} ${kind}`,
    );
    const left = 2 + 8 + 2 + digits + 2 + (bar > 0 ? bar + 2 : 0);
    const text = `${rule.policy_id}/${rule.rule_id}: ${kinds.join(", ").replaceAll("_", " ")}`;
    const cells =
      bar > 0 ? `${pen.style("dim", fit("━".repeat(Math.max(1, Math.round((rule.open / most) * bar))), bar))}  ` : "";
    lines.push(
      `  ${severity(pen, rule.severity)}  ${fit(number(rule.open), digits, { align: "right" })}  ${cells}${fit(printable(text), pen.width - left).trimEnd()}`,
    );
  }
  return [...lines, ...leftOut(pen, rules.length - ROWS, "more rule")];
}

function where({ details, account_names = {} }: ScanReportData, pen: Pen): string[] {
  if (details.places.length === 0) return [];
  const lines = [title(pen, "Where", "noncompliant of all in scope")];
  const counts = details.places.map((place) => `${number(place.noncompliant)} of ${number(place.in_scope)}`);
  const widest = Math.max(...counts.map((count) => count.length));
  for (const [i, place] of details.places.entries()) {
    const text = `${accountOf(place.account_id, account_names)} · ${place.region} · ${place.type}`;
    lines.push(
      `  ${fit(counts[i] ?? "", widest, { align: "right" })}  ${fit(printable(text), pen.width - widest - 4, { cut: "middle" }).trimEnd()}`,
    );
  }
  return [...lines, ...leftOut(pen, details.places_total - details.places.length, "more place")];
}

function worst({ details, account_names = {} }: ScanReportData, pen: Pen): string[] {
  if (details.worst.length === 0) return [];
  const lines = [title(pen, "Worst resources", "")];
  for (const row of details.worst) {
    const resource = `${row.type}/${row.name ?? row.arn}`;
    const about = `${accountOf(row.account_id, account_names)} · ${row.region} · ${row.keys.length > 0 ? row.keys.join(", ") : plural(row.open, "finding")}`;
    lines.push(
      `  ${severity(pen, row.severity)}  ${fit(printable(resource), pen.width - 12, { cut: "middle" }).trimEnd()}`,
    );
    lines.push(pen.style("dim", `${" ".repeat(12)}${fit(printable(about), pen.width - 12).trimEnd()}`));
  }
  return lines;
}

function unread({ report, details, account_names = {} }: ScanReportData, pen: Pen): string[] {
  const incomplete = report.units.filter(
    (unit) => !["complete", "held", "rejected", "superseded"].includes(unit.state),
  );
  if (incomplete.length === 0 && details.unknowns.length === 0) return [];
  const lines = [title(pen, "Not known", "could not be read or judged: never counted as a pass")];
  for (const unit of incomplete.slice(0, ROWS)) {
    const why = unit.error ? `: ${unit.error.operation} ${unit.error.name}: ${unit.error.message}` : "";
    const text = printable(
      `${accountOf(unit.account_id, account_names)} · ${unit.region} · ${unit.type} ${unit.state}${why}`,
    );
    const [first = "", ...rest] = wrap(text, pen.width - 2);
    lines.push(
      ...[`  ${first}`, ...rest.map((line) => `    ${line}`)].slice(0, 3).map((line) => fit(line, pen.width).trimEnd()),
    );
  }
  lines.push(...leftOut(pen, incomplete.length - ROWS, "more unit"));
  for (const { reason, resources } of details.unknowns) {
    lines.push(fit(`  ${plural(resources, "resource")}: ${printable(reason)}`, pen.width).trimEnd());
  }
  return lines;
}

const CAUSES: Record<string, string> = {
  observed: "seen for the first time",
  regressed: "fixed before",
  returned: "resource came back",
  rule_restored: "rule came back",
  rule_changed: "rule changed",
  reverted: "someone reverted our repair",
  undone: "our repair was undone",
  fixed_observed: "fixed",
  fixed_by_remediation: "repaired",
  resource_gone: "resource gone",
  rule_removed: "rule removed",
  out_of_scope: "out of scope",
  ended: "ended by a person",
};

function changes({ report, details }: ScanReportData, pen: Pen): string[] {
  const { opened, reopened, resolved, unchanged } = report.findings;
  const lines = [title(pen, "Since last time", "")];
  const rows = [
    [opened, "opened", details.changes.opened],
    [reopened, "reopened", details.changes.reopened],
    [resolved, "resolved", details.changes.resolved],
  ] as const;
  for (const [count, word, causes] of rows) {
    if (count === 0) continue;
    const why = Object.entries(causes).map(
      ([cause, n]) => `${Object.keys(causes).length === 1 ? "" : `${number(n)} `}${CAUSES[cause] ?? cause}`,
    );
    lines.push(...indented(`${number(count)} ${word} (${why.join(", ")})`, pen));
  }
  lines.push(
    opened + reopened + resolved === 0
      ? `  Nothing changed${unchanged > 0 ? `: ${plural(unchanged, "finding")} as before` : ""}.`
      : `  ${number(unchanged)} unchanged`,
  );
  if (details.held > 0) {
    const held = `${plural(details.held, "closure")} held back, too many at once to be believed.`;
    lines.push(...indented(held, pen).map((line) => pen.style("yellow", line)));
  }
  return lines;
}

function repairs({ report }: ScanReportData, pen: Pen): string[] {
  const { planned, ...ends } = report.remediation;
  if (planned === 0) return [];
  const parts = Object.entries(ends).filter(([, count]) => count > 0);
  return wrap(
    `${plural(planned, "repair")}: ${parts.map(([end, count]) => `${number(count)} ${end}`).join(", ")}.`,
    pen.width,
  );
}

function next({ report, details }: ScanReportData, pen: Pen): string[] {
  const steps: [command: string, why: string][] = [];
  const [rule] = details.rules.filter((candidate) => candidate.open > 0);
  if (rule) {
    steps.push([printable(`tagwarden findings --rule ${rule.policy_id}/${rule.rule_id}`), "the worst, one by one"]);
    steps.push(["tagwarden plan", "propose the repairs; nothing is changed yet"]);
  }
  if (details.held > 0) steps.push([`tagwarden scans confirm ${report.scan_id}`, "close what was held back"]);
  if (report.state !== "succeeded")
    steps.push([`tagwarden scans show ${report.scan_id}`, "what could not be read, unit by unit"]);
  if (steps.length === 0) return [];
  const widest = Math.max(...steps.map(([command]) => command.length));
  const aligned = steps.every(([, why]) => 2 + widest + 3 + why.length <= pen.width);
  const lines = steps.flatMap(([command, why]) => {
    const line = aligned ? command.padEnd(widest) : command;
    if (2 + line.length + 3 + why.length <= pen.width) return [`  ${line}   ${pen.style("dim", why)}`];
    return [`  ${line}`, ...wrap(why, pen.width - 4).map((part) => pen.style("dim", `    ${part}`))];
  });
  return [title(pen, "Next", ""), ...lines];
}

function title(pen: Pen, text: string, about: string): string {
  const fits = text.length + 3 + about.length <= pen.width;
  return `${pen.style("bold", text)}${about === "" || !fits ? "" : pen.style("dim", `   ${about}`)}`;
}

/** Lines of a section, indented by two. */
function indented(text: string, pen: Pen): string[] {
  return wrap(text, pen.width - 2).map((line) => `  ${line}`);
}

function leftOut(pen: Pen, count: number, what: string): string[] {
  return count > 0 ? [pen.style("dim", `  and ${plural(count, what)}`)] : [];
}

function severity(pen: Pen, value: Severity): string {
  return pen.style(SEVERITY_STYLE[value], fit(value, 8));
}

function accountOf(account_id: string, names: Readonly<Record<string, string>>): string {
  const name = names[account_id];
  return name === undefined ? account_id : `${name} (${account_id})`;
}

/** Rounded down, so that 100 % means all. */
function percent(ratio: number): string {
  return `${(Math.floor(Math.round(ratio * 1000)) / 10).toFixed(1)} %`;
}

function number(value: number): string {
  return value.toLocaleString("en-US");
}

function plural(count: number, noun: string): string {
  return `${number(count)} ${noun}${count === 1 ? "" : "s"}`;
}

function sumOf<T>(items: readonly T[], of: (item: T) => number): number {
  let total = 0;
  for (const item of items) total += of(item);
  return total;
}

/** Cells for each count, in proportion; whatever is not zero gets one at least. */
function shares(counts: readonly number[], cells: number): number[] {
  const total = Math.max(
    1,
    sumOf(counts, (count) => count),
  );
  const given = counts.map((count) => (count === 0 ? 0 : Math.max(1, Math.round((count / total) * cells))));
  const largest = given.indexOf(Math.max(...given));
  return given.map((count, i) => (i === largest ? Math.max(1, count + cells - sumOf(given, (n) => n)) : count));
}
