import { bigint, date, index, integer, jsonb, pgTable, primaryKey, text, timestamp, uuid } from "drizzle-orm/pg-core";
import type { ReadingSource } from "../inventory/resource.ts";
import type { ResourceType } from "../inventory/resource-types.ts";
import type { FindingKind, Severity, ViolationDetail } from "../policy/verdict.ts";
import type { FindingEventName, FindingState, HeldDecision, OpenCause, Resolution } from "./finding.ts";

const instant = () => timestamp({ withTimezone: true });

/** One (resource, rule, tag key) that was in violation, with its life over time. */
export const findings = pgTable(
  "findings",
  {
    /** Identity: SHA-256, hex, of the length-prefixed account, ARN, policy/rule and key. Never of a value or a message. */
    id: text().primaryKey(),
    account_id: text().notNull(),
    region: text().notNull(),
    type: text().$type<ResourceType>().notNull(),
    arn: text().notNull(),
    policy_id: text().notNull(),
    rule_id: text().notNull(),
    /** Canonical key; "" where the rule is about the tag set. */
    key: text().notNull(),
    kind: text().$type<FindingKind>().notNull(),
    severity: text().$type<Severity>().notNull(),
    detail: jsonb().$type<ViolationDetail>().notNull(),
    /** Set of policies that says so. */
    policy_set_id: text().notNull(),
    /** Where the reading came from by which it is, or last was, a violation. */
    source: text().$type<ReadingSource>().notNull(),
    state: text().$type<FindingState>().notNull(),
    resolution: text().$type<Resolution>(),
    /** Start of the current episode. */
    opened_at: instant().notNull(),
    opened_cause: text().$type<OpenCause>().notNull(),
    first_opened_at: instant().notNull(),
    resolved_at: instant(),
    reopen_count: integer().notNull().default(0),
    /** How often a repair of ours was reverted, each time within 7 days of the one before; and when it was last seen. */
    reverts: integer().notNull().default(0),
    reverted_at: instant(),
    last_scan_id: uuid(),
  },
  (table) => [
    index("findings_by_arn").on(table.arn),
    index("findings_by_unit").on(table.account_id, table.region, table.type, table.state),
    index("findings_by_opened_at").on(table.state, table.opened_at, table.id),
    index("findings_by_rule").on(table.policy_id, table.rule_id, table.state),
  ],
);

/**
 * What happened to findings, append-only: the findings table is the fold of it. Partitioned by month of `at`, which drizzle
 * cannot declare: drizzle/0001_reporting.sql makes the partitioned table in place of this one, db/partitions.ts the months.
 */
export const finding_events = pgTable(
  "finding_events",
  {
    id: bigint({ mode: "number" }).notNull().generatedAlwaysAsIdentity(),
    finding_id: text().notNull(),
    at: instant().notNull(),
    event: text().$type<FindingEventName>().notNull(),
    /** OpenCause when opened or reopened, Resolution when resolved, names of the changed fields when changed. */
    cause: text().notNull(),
    kind: text().$type<FindingKind>().notNull(),
    severity: text().$type<Severity>().notNull(),
    detail: jsonb().$type<ViolationDetail>().notNull(),
    /** Reading that showed it; null where no reading did, as when a rule was removed. */
    source: text().$type<ReadingSource>(),
    policy_set_id: text().notNull(),
    scan_id: uuid(),
    /** Who, when it was not a scan. */
    actor: text(),
  },
  (table) => [
    primaryKey({ columns: [table.id, table.at] }),
    index("finding_events_by_finding").on(table.finding_id, table.id),
    index("finding_events_by_at").on(table.at),
  ],
);

/** Closures that a unit would have made beyond the mass-close guard, waiting for a person or for the next scan to agree. */
export const held_closures = pgTable(
  "held_closures",
  {
    scan_id: uuid().notNull(),
    finding_id: text().notNull(),
    account_id: text().notNull(),
    region: text().notNull(),
    type: text().$type<ResourceType>().notNull(),
    resolution: text().$type<Resolution>().notNull(),
    held_at: instant().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.scan_id, table.finding_id] }),
    index("held_closures_by_unit").on(table.account_id, table.region, table.type),
  ],
);

/** A decision of a person about the closures that a scan held, append-only. */
export const held_decisions = pgTable(
  "held_decisions",
  {
    scan_id: uuid().notNull(),
    at: instant().notNull(),
    decision: text().$type<HeldDecision>().notNull(),
    /** Who decided. */
    actor: text().notNull(),
    /** Units in which something was held. */
    units: integer().notNull(),
    /** Findings that were closed, or that stay open. */
    closures: integer().notNull(),
    /** Why, as told. */
    reason: text(),
  },
  (table) => [primaryKey({ columns: [table.scan_id, table.at] })],
);

const findingCounts = () => ({
  /** Open at the end of the day, exempt or not. */
  open: integer().notNull().default(0),
  /** Opened for the first time on that day. */
  opened: integer().notNull().default(0),
  /** Opened again on that day. */
  reopened: integer().notNull().default(0),
  resolved: integer().notNull().default(0),
});

/** Findings of an account by rule and day, UTC. A day without a row is as the one before. */
export const rollup_daily_account_rule = pgTable(
  "rollup_daily_account_rule",
  {
    day: date({ mode: "string" }).notNull(),
    account_id: text().notNull(),
    policy_id: text().notNull(),
    rule_id: text().notNull(),
    ...findingCounts(),
  },
  (table) => [primaryKey({ columns: [table.account_id, table.policy_id, table.rule_id, table.day] })],
);

/** Findings of an account by owner of the resource and day, UTC. A day without a row is as the one before. */
export const rollup_daily_account_owner = pgTable(
  "rollup_daily_account_owner",
  {
    day: date({ mode: "string" }).notNull(),
    account_id: text().notNull(),
    /** As the tags had it at the last change, not masked; "": nobody is named. */
    owner: text().notNull(),
    ...findingCounts(),
  },
  (table) => [primaryKey({ columns: [table.account_id, table.owner, table.day] })],
);

const resourceCounts = () => ({
  compliant: integer().notNull().default(0),
  /** With an open finding, exempt or not. */
  violating: integer().notNull().default(0),
  unknown: integer().notNull().default(0),
  not_applicable: integer().notNull().default(0),
});

/** Live resources of an account by how they stood at the end of a day, UTC. A day without a row is as the one before. */
export const rollup_daily_account = pgTable(
  "rollup_daily_account",
  { day: date({ mode: "string" }).notNull(), account_id: text().notNull(), ...resourceCounts() },
  (table) => [primaryKey({ columns: [table.account_id, table.day] })],
);

/** Live resources of a unit by how they stand now, as if its list had been read to its end: what the numbers of accounts are summed from. */
export const unit_tallies = pgTable(
  "unit_tallies",
  {
    account_id: text().notNull(),
    region: text().notNull(),
    type: text().$type<ResourceType>().notNull(),
    ...resourceCounts(),
  },
  (table) => [primaryKey({ columns: [table.account_id, table.region, table.type] })],
);
