import { bigint, index, integer, jsonb, pgTable, primaryKey, text, timestamp, uuid } from "drizzle-orm/pg-core";
import type { ReadingSource } from "../inventory/resource.ts";
import type { ResourceType } from "../inventory/resource-types.ts";
import type { FindingKind, Severity, ViolationDetail } from "../policy/verdict.ts";
import type { FindingEventName, FindingState, OpenCause, Resolution } from "./finding.ts";

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
    last_scan_id: uuid(),
  },
  (table) => [
    index("findings_by_arn").on(table.arn),
    index("findings_by_unit").on(table.account_id, table.region, table.type, table.state),
    index("findings_by_opened_at").on(table.state, table.opened_at, table.id),
    index("findings_by_rule").on(table.policy_id, table.rule_id, table.state),
  ],
);

/** What happened to findings, append-only: the findings table is the fold of it. */
export const finding_events = pgTable(
  "finding_events",
  {
    id: bigint({ mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
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
