import type { Observation, ReadError, Reading, ReadingSource, Resource } from "../inventory/resource.ts";
import type { Standing } from "../inventory/schema.ts";
import { isBeingDeleted } from "../policy/judge.ts";
import type { Judgement, Violation } from "../policy/verdict.ts";
import { stackOf } from "../tags/stack.ts";
import {
  type Changes,
  countOpen,
  type FindingChange,
  type FindingRow,
  type Known,
  type Occasion,
  recorded,
  resolved,
  type ResourceRow,
  scanned,
} from "./changes.ts";
import type { Resolution } from "./finding.ts";
import { causeOfFirst, causeOfReturn } from "./causes.ts";
import { endOfFight, fightChanges, isFight, revertedOnceMore } from "./fights.ts";
import { findingId } from "./identity.ts";
import { repeatsTags, sameInstant, sameJson } from "./same.ts";

/** What there is to say about a resource now. */
export type Evidence = {
  readonly resource: Resource;
  readonly in_index: boolean;
  /** Stack that the index names, whatever the reading says; absent or null: none. */
  readonly stack?: string | null;
  /** Null: its tags could not be read; `error` says why. */
  readonly reading: Reading | null;
  readonly error: ReadError | null;
  /** What the policies say of the reading; null without one. */
  readonly judgement: Judgement | null;
  /** The service said so in this very scan. */
  readonly confirmed: boolean;
};

/** The evidence in a scan's observation. Throws when a reading comes without its judgement. */
export function evidenceOf(
  observation: Exclude<Observation, { outcome: "gone" }>,
  judgement: Judgement | null,
): Evidence {
  const { resource, in_index, stack = null } = observation;
  if (observation.outcome === "unknown") {
    return { resource, in_index, stack, reading: null, error: observation.error, judgement: null, confirmed: false };
  }
  if (judgement === null) throw new Error(`${resource.arn} was read but not judged`);
  const { reading, confirmed } = observation;
  return { resource, in_index, stack, reading, error: null, judgement, confirmed };
}

/**
 * Compares what is known of one resource with what was observed, and says what to write. The same evidence twice: nothing
 * the second time. Closures are among the changes whether or not the unit is complete; the caller drops them if it is not.
 *
 * What cannot be read or judged closes nothing. A pass from the index closes nothing that the service called a violation.
 * A resource on its way out (`DELETE …`) is under no rule, so its findings resolve as `out_of_scope`; so do those of a
 * resource to which no rule applies any longer.
 */
export function reconcile(known: Known, evidence: Evidence, occasion: Occasion): Changes {
  const current = isOutdated(known.resource, evidence.reading, occasion.at) ? withoutReading(evidence) : evidence;
  const row = nextRow(known.resource, current, occasion);
  const resource = known.resource !== null && sameRow(known.resource, row) ? null : row;
  if (current.judgement === null) return { resource, findings: [], unchanged: countOpen(known.findings) };
  return { resource, ...compareFindings(known, { ...current, judgement: current.judgement }, row, occasion) };
}

function compareFindings(
  known: Known,
  evidence: Evidence & { judgement: Judgement },
  row: ResourceRow,
  occasion: Occasion,
): Omit<Changes, "resource"> {
  const { judgement } = evidence;
  const source = row.source ?? "service";
  const judged = known.findings.filter((finding) => !isFight(finding));
  const changes: FindingChange[] = [];
  let unchanged = 0;
  const failing = new Set<FindingRow>();
  for (const violation of judgement.violations) {
    const finding = judged.find((one) => isAbout(one, violation));
    if (finding === undefined) {
      changes.push(opened(violation, row, source, occasion));
      continue;
    }
    failing.add(finding);
    if (finding.state === "resolved") {
      changes.push(reopened(finding, violation, source, occasion, endOfFight(known.findings, finding.key)));
      continue;
    }
    const fields = changedFields(finding, violation);
    if (fields.length === 0) unchanged++;
    else changes.push(changed(finding, violation, fields, source, occasion));
  }
  const unknown = new Set(judgement.unknowns.map(({ policy_id, rule_id }) => `${policy_id}/${rule_id}`));
  for (const finding of judged) {
    if (finding.state !== "open" || failing.has(finding)) continue;
    if (unknown.has(`${finding.policy_id}/${finding.rule_id}`) || isUnproven(finding, source, row, occasion))
      unchanged++;
    else {
      const proven = evidence.confirmed && source === "service";
      changes.push(resolved(finding, resolutionOf(finding, judgement, row, occasion), occasion, { source, proven }));
    }
  }
  const isDoubtful = (finding: FindingRow) =>
    unknown.has(`${finding.policy_id}/${finding.rule_id}`) || isUnproven(finding, source, row, occasion);
  const fights = fightChanges(known.findings, changes, occasion, {
    source,
    proven: evidence.confirmed && source === "service",
    isDoubtful,
  });
  return { findings: [...changes, ...fights.changes], unchanged: unchanged + fights.unchanged };
}

/** The index alone says that it passes, and the service had called it a violation. */
function isUnproven(finding: FindingRow, source: ReadingSource, row: ResourceRow, occasion: Occasion): boolean {
  return occasion.by === "scan" && source === "index" && finding.source === "service" && !isBeingDeleted(row);
}

function resolutionOf(finding: FindingRow, judgement: Judgement, row: ResourceRow, occasion: Occasion): Resolution {
  if (occasion.by === "activation") {
    return occasion.has_rule(finding.policy_id, finding.rule_id) ? "rule_changed" : "rule_removed";
  }
  if (judgement.rules === 0 || isBeingDeleted(row)) return "out_of_scope";
  const ours = (occasion.by === "repair" || occasion.by === "undo") && occasion.finding_ids.has(finding.id);
  return ours ? "fixed_by_remediation" : "fixed_observed";
}

function opened(violation: Violation, row: ResourceRow, source: ReadingSource, occasion: Occasion): FindingChange {
  const { account_id, region, type, arn } = row;
  const { policy_id, rule_id, key, kind, severity, detail } = violation;
  const cause = causeOfFirst(occasion);
  const finding: FindingRow = {
    id: findingId({ account_id, arn, policy_id, rule_id, key }),
    account_id,
    region,
    type,
    arn,
    policy_id,
    rule_id,
    key,
    kind,
    severity,
    detail,
    source,
    policy_set_id: occasion.policy_set_id,
    state: "open",
    resolution: null,
    opened_at: occasion.at,
    opened_cause: cause,
    first_opened_at: occasion.at,
    resolved_at: null,
    reopen_count: 0,
    reverts: 0,
    reverted_at: null,
    last_scan_id: occasion.scan_id,
  };
  return { event: "opened", cause, finding, source, proven: false };
}

function reopened(
  finding: FindingRow,
  violation: Violation,
  source: ReadingSource,
  occasion: Occasion,
  fight_ended_at: Date | null,
): FindingChange {
  const cause = causeOfReturn(finding, occasion);
  const again: FindingRow = {
    ...withViolation(finding, violation, source, occasion),
    state: "open",
    resolution: null,
    opened_at: occasion.at,
    opened_cause: cause,
    resolved_at: null,
    reopen_count: finding.reopen_count + 1,
    ...(cause === "reverted" && revertedOnceMore(finding, occasion.at, fight_ended_at)),
  };
  return { event: "reopened", cause, finding: again, source, proven: false };
}

function changed(
  finding: FindingRow,
  violation: Violation,
  fields: readonly string[],
  source: ReadingSource,
  occasion: Occasion,
): FindingChange {
  const next = withViolation(finding, violation, source, occasion);
  return { event: "changed", cause: fields.join(", "), finding: next, source, proven: false };
}

function withViolation(
  finding: FindingRow,
  { kind, severity, detail }: Violation,
  source: ReadingSource,
  occasion: Occasion,
): FindingRow {
  return { ...finding, kind, severity, detail, source, policy_set_id: occasion.policy_set_id, ...scanned(occasion) };
}

/** What a report would show otherwise. The set that says so is not among it: another set with the same words is no change. */
function changedFields(finding: FindingRow, violation: Violation): string[] {
  const fields: string[] = [];
  if (finding.kind !== violation.kind) fields.push("kind");
  if (finding.severity !== violation.severity) fields.push("severity");
  if (!sameJson(finding.detail, violation.detail)) fields.push("detail");
  return fields;
}

function isAbout(finding: FindingRow, violation: Violation): boolean {
  return (
    finding.key === violation.key && finding.rule_id === violation.rule_id && finding.policy_id === violation.policy_id
  );
}

/**
 * Whether a reading is older than the tags that are stored, and says otherwise: something newer, such as a repair, was
 * recorded while it was on its way. A stored time that is not past by our clock proves nothing.
 */
function isOutdated(stored: ResourceRow | null, reading: Reading | null, now: Date): boolean {
  if (!reading || !stored?.tags || !stored.tags_read_at) return false;
  if (reading.read_at >= stored.tags_read_at || stored.tags_read_at > now) return false;
  return !repeatsTags(stored.tags, reading.tags);
}

function withoutReading(evidence: Evidence): Evidence {
  return { ...evidence, reading: null, judgement: null };
}

function nextRow(stored: ResourceRow | null, evidence: Evidence, occasion: Occasion): ResourceRow {
  const { arn, account_id, region, type, name, status, created_at, updated_at, summary } = evidence.resource;
  return {
    arn,
    account_id,
    region,
    type,
    name,
    status,
    created_at,
    updated_at,
    summary,
    in_index: evidence.in_index,
    ...tagColumns(stored, evidence),
    ...standingColumns(stored, evidence),
    absences: 0,
    gone_at: null,
    first_seen_at: stored?.first_seen_at ?? occasion.at,
    ...recorded(occasion),
    recorded_scan_id: occasion.scan_id ?? stored?.recorded_scan_id ?? null,
  };
}

function tagColumns(
  stored: ResourceRow | null,
  { reading, stack: indexed }: Evidence,
): Pick<ResourceRow, "tags" | "source" | "tags_read_at" | "stack"> {
  const { tags = null, source = null, tags_read_at = null } = stored ?? {};
  const stack = (reading && stackOf(reading.tags)) ?? indexed ?? stored?.stack ?? null;
  if (reading === null) return { tags, source, tags_read_at, stack };
  if (tags !== null && repeatsTags(tags, reading.tags)) {
    return { tags, source: source === "service" ? source : reading.source, tags_read_at, stack };
  }
  return {
    tags: reading.tags,
    source: reading.source,
    tags_read_at: reading.read_at,
    stack,
  };
}

/** How a resource stands by evidence of it; `stored` null: it was never recorded. */
export function standingColumns(
  stored: ResourceRow | null,
  evidence: Evidence,
): Pick<ResourceRow, "reading_error" | "standing" | "unknown_reason"> {
  const { judgement, error } = evidence;
  if (isBeingDeleted(evidence.resource))
    return { reading_error: error, standing: "not_applicable", unknown_reason: null };
  if (error !== null) {
    return { reading_error: error, standing: "unknown", unknown_reason: `tags could not be read: ${error.name}` };
  }
  if (judgement === null) {
    // Only an outdated reading comes here, so a row is stored, and its judgement is of something newer.
    if (stored === null) throw new Error(`${evidence.resource.arn} was neither read nor refused`);
    return { reading_error: stored.reading_error, standing: stored.standing, unknown_reason: stored.unknown_reason };
  }
  const [unknown] = judgement.unknowns;
  const standing: Standing = judgement.rules === 0 ? "not_applicable" : unknown ? "unknown" : "judged";
  const reason = unknown ? `${unknown.policy_id}/${unknown.rule_id}: ${unknown.reason}` : null;
  return { reading_error: null, standing, unknown_reason: standing === "unknown" ? reason : null };
}

/** Whether a row says the same. Where the same tags came from, and when and by which scan it was written, is no content. */
function sameRow(a: ResourceRow, b: ResourceRow): boolean {
  return (
    a.name === b.name &&
    a.status === b.status &&
    a.in_index === b.in_index &&
    a.standing === b.standing &&
    a.unknown_reason === b.unknown_reason &&
    a.stack === b.stack &&
    a.absences === b.absences &&
    a.reading_error?.name === b.reading_error?.name &&
    sameInstant(a.created_at, b.created_at) &&
    sameInstant(a.updated_at, b.updated_at) &&
    sameInstant(a.gone_at, b.gone_at) &&
    (a.tags === b.tags || sameJson(a.tags, b.tags)) &&
    sameJson(a.summary, b.summary)
  );
}
