import { bigint, boolean, doublePrecision, integer, jsonb, pgSchema, text, timestamp, uuid } from "drizzle-orm/pg-core";
import type { AuditAction, AuditDetail } from "../../audit-log/entry.ts";
import type { ExemptionSource, ExemptionStatus } from "../../exemptions/exemption.ts";
import type { FindingEventName, FindingState, HeldDecision, OpenCause, Resolution } from "../../findings/finding.ts";
import type { ReadError, ReadingSource, UnitState } from "../../inventory/resource.ts";
import type { ResourceType } from "../../inventory/resource-types.ts";
import type { ScanState } from "../../inventory/schema.ts";
import type { FindingKind, Severity, ViolationDetail } from "../../policy/verdict.ts";

/** The views of `drizzle/0001_reporting.sql` as the query builder knows them; what each column means is said there and in docs/reporting.md. */
const reporting = pgSchema("reporting");

const instant = () => timestamp({ withTimezone: true });

/** How a resource stands in every report. Gone resources have no status: they are not counted. */
export type ComplianceStatus = "compliant" | "noncompliant" | "exempt" | "unknown" | "not_applicable";

/** `exempt`: open, and an exemption is in force at the instant of the query. */
export type EffectiveStatus = "open" | "exempt" | "resolved";

/** `queued`: nobody works on it. `cancelled`: the scan was stopped before it had ended. */
export type TargetState = "queued" | "running" | "ended" | "cancelled";

export const v1_findings = reporting
  .view("v1_findings", {
    id: text().notNull(),
    account_id: text().notNull(),
    region: text().notNull(),
    type: text().$type<ResourceType>().notNull(),
    arn: text().notNull(),
    name: text(),
    owner: text(),
    policy_id: text().notNull(),
    rule_id: text().notNull(),
    policy_title: text(),
    policy_owner: text(),
    key: text().notNull(),
    kind: text().$type<FindingKind>().notNull(),
    severity: text().$type<Severity>().notNull(),
    severity_rank: integer().notNull(),
    sensitive: boolean().notNull(),
    detail: jsonb().$type<ViolationDetail>().notNull(),
    source: text().$type<ReadingSource>().notNull(),
    state: text().$type<FindingState>().notNull(),
    effective_status: text().$type<EffectiveStatus>().notNull(),
    exempt_until: instant(),
    exemption_ids: text().array().notNull(),
    resolution: text().$type<Resolution>(),
    opened_at: instant().notNull(),
    opened_cause: text().$type<OpenCause>().notNull(),
    first_opened_at: instant().notNull(),
    resolved_at: instant(),
    reopen_count: integer().notNull(),
    age_seconds: integer().notNull(),
    policy_set_id: text().notNull(),
    last_scan_id: uuid(),
    policy_version: integer(),
  })
  .existing();

export const v1_resources = reporting
  .view("v1_resources", {
    arn: text().notNull(),
    account_id: text().notNull(),
    region: text().notNull(),
    type: text().$type<ResourceType>().notNull(),
    name: text().notNull(),
    owner: text(),
    status: text().$type<ComplianceStatus>().notNull(),
    unknown_reason: text(),
    service_status: text().notNull(),
    tags: jsonb().$type<Record<string, string>>(),
    source: text().$type<ReadingSource>(),
    tags_read_at: instant(),
    reading_error: jsonb().$type<ReadError>(),
    service_read_at: instant(),
    stack: text(),
    created_at: instant(),
    first_seen_at: instant().notNull(),
    recorded_at: instant().notNull(),
    absences: integer().notNull(),
    unit_state: text().$type<UnitState>(),
    unit_listed_at: instant(),
    unit_completed_at: instant(),
    open_findings: integer().notNull(),
    exempt_findings: integer().notNull(),
  })
  .existing();

/** A row for each live resource (`status`), open finding (`effective_status`) and unit (`unit_incomplete`): what compliance counts. */
export const counted = reporting
  .view("counted", {
    account_id: text().notNull(),
    region: text().notNull(),
    type: text().$type<ResourceType>().notNull(),
    owner: text(),
    status: text().$type<ComplianceStatus>(),
    effective_status: text().$type<EffectiveStatus>(),
    unit_incomplete: boolean(),
    unit_never_read: boolean(),
    what: text().$type<"resource" | "finding" | "unit">().notNull(),
  })
  .existing();

export const v1_compliance_by_rule = reporting
  .view("v1_compliance_by_rule", {
    policy_id: text().notNull(),
    rule_id: text().notNull(),
    policy_title: text(),
    policy_owner: text(),
    key: text(),
    severity: text().$type<Severity>().notNull(),
    active: boolean().notNull(),
    noncompliant: integer().notNull(),
    exempt: integer().notNull(),
    open_findings: integer().notNull(),
    exempt_findings: integer().notNull(),
    oldest_opened_at: instant(),
  })
  .existing();

export const v1_units = reporting
  .view("v1_units", {
    partition: text().notNull(),
    account_id: text().notNull(),
    region: text().notNull(),
    type: text().$type<ResourceType>().notNull(),
    state: text().$type<UnitState>(),
    listed: boolean().notNull(),
    error: jsonb().$type<ReadError>(),
    freshness: text().$type<"complete" | "incomplete" | "never_read">().notNull(),
    attempted_at: instant(),
    listed_at: instant(),
    completed_at: instant(),
    last_scan_id: uuid(),
    resources: integer().notNull(),
  })
  .existing();

export const v1_scans = reporting
  .view("v1_scans", {
    id: uuid().notNull(),
    state: text().$type<ScanState>().notNull(),
    trigger: text().$type<"cli" | "api" | "schedule" | "start">().notNull(),
    requested_by: text().notNull(),
    schedule_id: text(),
    slot: instant(),
    confirm_all: boolean().notNull(),
    policy_set_id: text(),
    policy_version: integer(),
    created_at: instant().notNull(),
    started_at: instant(),
    finished_at: instant(),
    heartbeat_at: instant(),
    duration_seconds: doublePrecision(),
    stop_requested_at: instant(),
    stop_reason: text().$type<"cancelled" | "timed_out">(),
    stopped_by: text(),
    targets: integer().notNull(),
    targets_ended: integer().notNull(),
    seconds_left: doublePrecision(),
    types: jsonb().$type<ResourceType[]>().notNull(),
    warnings: jsonb().$type<string[]>().notNull(),
    api_calls: jsonb().$type<Record<string, number>>().notNull(),
    error: text(),
    units: integer().notNull(),
    units_ended: integer().notNull(),
    units_complete: integer().notNull(),
    resources: integer().notNull(),
    unread: integer().notNull(),
    opened: integer().notNull(),
    reopened: integer().notNull(),
    changed: integer().notNull(),
    resolved: integer().notNull(),
    unchanged: integer().notNull(),
    held: integer().notNull(),
    readings_index: integer().notNull(),
    readings_service: integer().notNull(),
    readings_stored: integer().notNull(),
    readings_sampled: integer().notNull(),
    readings_mismatched: integer().notNull(),
    calls_per_second: doublePrecision(),
  })
  .existing();

export const v1_index_checks = reporting
  .view("v1_index_checks", {
    account_id: text().notNull(),
    region: text().notNull(),
    sampled: integer().notNull(),
    mismatched: integer().notNull(),
    mismatch_rate: doublePrecision().notNull(),
  })
  .existing();

export const v1_scan_targets = reporting
  .view("v1_scan_targets", {
    scan_id: uuid().notNull(),
    account_id: text().notNull(),
    region: text().notNull(),
    state: text().$type<TargetState>().notNull(),
    attempts: integer().notNull(),
    lease_owner: text(),
    lease_expires_at: instant(),
    started_at: instant(),
    finished_at: instant(),
    api_calls: jsonb().$type<Record<string, number>>().notNull(),
    warnings: jsonb().$type<string[]>().notNull(),
  })
  .existing();

export const v1_exemptions = reporting
  .view("v1_exemptions", {
    id: text().notNull(),
    source: text().$type<ExemptionSource>().notNull(),
    file: text(),
    status: text().$type<ExemptionStatus>().notNull(),
    policy_id: text(),
    rule_id: text(),
    key: text(),
    accounts: text().array(),
    regions: text().array(),
    types: text().array().$type<ResourceType[]>(),
    names: text().array(),
    arns: text().array(),
    tags: jsonb().$type<Record<string, string>>(),
    reason: text().notNull(),
    ticket: text(),
    requested_by: text().notNull(),
    approved_by: text().notNull(),
    created_at: instant().notNull(),
    starts_at: instant().notNull(),
    expires_at: instant().notNull(),
    expires_in_days: integer(),
    revoked_at: instant(),
    revoked_by: text(),
    version: integer().notNull(),
    covered_findings: integer().notNull(),
    unused: boolean().notNull(),
  })
  .existing();

export const v1_finding_events = reporting
  .view("v1_finding_events", {
    id: bigint({ mode: "number" }).notNull(),
    at: instant().notNull(),
    event: text().$type<FindingEventName>().notNull(),
    cause: text().notNull(),
    finding_id: text().notNull(),
    account_id: text(),
    region: text(),
    type: text().$type<ResourceType>(),
    arn: text(),
    policy_id: text(),
    rule_id: text(),
    key: text(),
    kind: text().$type<FindingKind>().notNull(),
    severity: text().$type<Severity>().notNull(),
    sensitive: boolean().notNull(),
    detail: jsonb().$type<ViolationDetail>().notNull(),
    source: text().$type<ReadingSource>(),
    policy_set_id: text().notNull(),
    scan_id: uuid(),
    actor: text(),
    policy_version: integer(),
  })
  .existing();

export const v1_held_decisions = reporting
  .view("v1_held_decisions", {
    scan_id: uuid().notNull(),
    at: instant().notNull(),
    decision: text().$type<HeldDecision>().notNull(),
    actor: text().notNull(),
    units: integer().notNull(),
    closures: integer().notNull(),
    reason: text(),
  })
  .existing();

export const v1_audit_log = reporting
  .view("v1_audit_log", {
    position: bigint({ mode: "number" }).notNull(),
    at: instant().notNull(),
    actor: text().notNull(),
    action: text().$type<AuditAction>().notNull(),
    subject: text().notNull(),
    detail: jsonb().$type<AuditDetail>().notNull(),
    prev_hash: text().notNull(),
    hash: text().notNull(),
  })
  .existing();
