import type { Database } from "../db/client.ts";
import type { ReadError, ReadingCounts } from "../inventory/resource.ts";
import type { ResourceType } from "../inventory/resource-types.ts";
import type { ScanState, ScanUnitState } from "../inventory/schema.ts";
import type { FindingKind, Severity } from "../policy/verdict.ts";
import type { RemediationCounts } from "../remediation/counts.ts";
import { policiesOf, remediationOf, rulesOf, placesOf, unknownsOf, worstOf } from "./db/scan-parts.ts";
import { changesSince, type Changes, scan, unitsOf } from "./db/scans.ts";
import { type Compliance, compliance } from "./store.ts";

/** What `scan --json` prints: about the units of one scan, after any repair that it made. Counts of open findings and compliance are as of now. */
export type ScanReport = {
  scan_id: string;
  state: ScanState;
  started_at: Date | null;
  finished_at: Date | null;
  /** What it was judged by; null when the scan failed before it had policies. */
  policies: {
    set_id: string;
    items: { policy_id: string; title: string; owner: string | null; rules: number }[];
  } | null;
  warnings: string[];
  compliance: Compliance;
  findings: {
    /** Open and not exempt, now. */
    open: number;
    exempt: number;
    /** By this scan, as were the next three. */
    opened: number;
    reopened: number;
    /** Repairs of this scan included. */
    resolved: number;
    unchanged: number;
    /** Open and not exempt, by `policy/rule` and kind. */
    by_rule: Record<string, Partial<Record<FindingKind, number>>>;
  };
  remediation: RemediationCounts;
  readings: ReadingCounts;
  /** `total`, `throttled`, and a count for each operation. */
  api_calls: Record<string, number>;
  units: {
    account_id: string;
    region: string;
    type: ResourceType;
    state: ScanUnitState;
    resources: number;
    error: ReadError | null;
  }[];
};

/** The report of a scan. `remediation`: what its repair counted; null: what the database has of it. Throws RangeError for an unknown scan. */
export async function scanReport(
  database: Database,
  scan_id: string,
  remediation: RemediationCounts | null = null,
): Promise<ScanReport> {
  const row = await scan(database, scan_id);
  if (!row) throw new RangeError(`There is no scan ${scan_id}`);
  const scope = { scan_id };
  const [policies, counts, rules, changes, repaired, units] = await Promise.all([
    policiesOf(database, row.policy_set_id),
    compliance(database, scope),
    rulesOf(database, scope),
    changesSince(database, scope),
    remediation ?? remediationOf(database, scan_id),
    unitsOf(database, scan_id),
  ]);
  const by_rule: ScanReport["findings"]["by_rule"] = {};
  for (const rule of rules) if (rule.open > 0) by_rule[`${rule.policy_id}/${rule.rule_id}`] = rule.kinds;
  return {
    scan_id,
    state: row.state,
    started_at: row.started_at,
    finished_at: row.finished_at,
    policies,
    warnings: row.error === null ? row.warnings : [row.error, ...row.warnings],
    compliance: counts,
    findings: {
      open: sum(rules.map((rule) => rule.open)),
      exempt: sum(rules.map((rule) => rule.exempt)),
      opened: sum(Object.values(changes.opened)),
      reopened: sum(Object.values(changes.reopened)),
      resolved: sum(Object.values(changes.resolved)),
      unchanged: row.unchanged,
      by_rule,
    },
    remediation: repaired,
    readings: {
      index: row.readings_index,
      service: row.readings_service,
      stored: row.readings_stored,
      sampled: row.readings_sampled,
      mismatched: row.readings_mismatched,
    },
    api_calls: { total: 0, throttled: 0, ...row.api_calls },
    units: units.map(({ account_id, region, type, state, resources, error }) => ({
      account_id,
      region,
      type,
      state,
      resources,
      error,
    })),
  };
}

/** A rule with what is open of it in a scan's units. */
export type RuleCounts = {
  policy_id: string;
  rule_id: string;
  title: string | null;
  severity: Severity;
  open: number;
  exempt: number;
  /** Resources with an open finding of it that is not exempt. */
  resources: number;
  kinds: Partial<Record<FindingKind, number>>;
};

/** What stands behind the numbers of a report, for a person to read. */
export type ScanDetails = {
  /** The most severe first, then the most frequent. */
  rules: RuleCounts[];
  /** The places with the most noncompliant resources. */
  places: { account_id: string; region: string; type: ResourceType; noncompliant: number; in_scope: number }[];
  /** Places with a noncompliant resource, all of them. */
  places_total: number;
  /** The resources with the most severe open findings, then with the most. */
  worst: {
    account_id: string;
    region: string;
    type: ResourceType;
    arn: string;
    name: string | null;
    severity: Severity;
    open: number;
    keys: string[];
  }[];
  /** Why resources are unknown, the most frequent reason first. */
  unknowns: { reason: string; resources: number }[];
  changes: Changes;
  /** Closures that wait for confirmation. */
  held: number;
};

/** The details of a scan that `terminal.ts` formats. Throws RangeError for an unknown scan. */
export async function scanDetails(database: Database, scan_id: string): Promise<ScanDetails> {
  const row = await scan(database, scan_id);
  if (!row) throw new RangeError(`There is no scan ${scan_id}`);
  const scope = { scan_id };
  const [rules, { places, places_total }, worst, unknowns, changes] = await Promise.all([
    rulesOf(database, scope),
    placesOf(database, scope, 10),
    worstOf(database, scope, 5),
    unknownsOf(database, scope),
    changesSince(database, scope),
  ]);
  return { rules, places, places_total, worst, unknowns, changes, held: row.held };
}

function sum(numbers: number[]): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
