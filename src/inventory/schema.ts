import {
  bigint,
  boolean,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import type { ParentEdge } from "./lineage.ts";
import type { ReadError, ReadingSource, UnitState } from "./resource.ts";
import type { ResourceType } from "./resource-types.ts";

const instant = () => timestamp({ withTimezone: true });

/** `partial`: some unit or reading is missing. A scan that a dead process left behind ends as `failed`. */
export type ScanState = "queued" | "running" | "succeeded" | "partial" | "failed" | "cancelled";

/** An account that can no longer be scanned. `doubtful`: so many left at once that a person has to confirm it. */
export type Departure = { readonly account_id: string; readonly doubtful: boolean };

/** One run over targets × types. */
export const scans = pgTable(
  "scans",
  {
    /** UUIDv7: sorts by creation. */
    id: uuid().primaryKey(),
    state: text().$type<ScanState>().notNull(),
    /** Rises with every scan: what an older scan brings late is discarded. */
    epoch: bigint({ mode: "number" }).notNull().generatedAlwaysAsIdentity(),
    trigger: text().$type<"cli" | "api" | "schedule" | "start">().notNull(),
    requested_by: text().notNull(),
    /** Schedule and the instant it fired for; null when a person asked. */
    schedule_id: text(),
    slot: instant(),
    /** How many targets it has; which, scan_targets says. */
    targets: integer().notNull(),
    types: jsonb().$type<ResourceType[]>().notNull(),
    /** Every reading is asked of the service, whatever the index says. */
    confirm_all: boolean().notNull(),
    /** Accounts that AWS Organizations says are closed or no longer members, as this scan began: at its end their findings are out of scope. */
    departed: jsonb().$type<Departure[]>().notNull().default([]),
    /** Of targets, types and confirm_all, hex: two scans that cover the same have the same. */
    scope_hash: text().notNull(),
    /** True: workers take its targets as jobs. False: the process that made it works on them, or has yet to make the jobs. */
    dispatched: boolean().notNull().default(false),
    policy_set_id: text(),
    created_at: instant().notNull(),
    started_at: instant(),
    /** When a process last said that it works on the scan, by the database's clock. */
    heartbeat_at: instant(),
    /** A person asked for its end, or it ran for too long: `stop_reason` says which. What has not ended is left as it was. */
    stop_requested_at: instant(),
    stop_reason: text().$type<"cancelled" | "timed_out">(),
    /** Who asked for its end; null for a time-out. */
    stopped_by: text(),
    finished_at: instant(),
    warnings: jsonb().$type<string[]>().notNull(),
    /** `{total, throttled, "<Operation>": n}` */
    api_calls: jsonb().$type<Record<string, number>>().notNull(),
    /** Why the scan failed as a whole. */
    error: text(),
  },
  (table) => [
    uniqueIndex("scans_one_per_slot").on(table.schedule_id, table.slot),
    index("scans_by_created_at").on(table.created_at),
  ],
);

/**
 * State of a unit in one scan. `held`: it would close too many findings and waits for confirmation. `rejected`: a person said that
 * what it held is not so. `superseded`: a newer scan was applied first.
 */
export type ScanUnitState = "pending" | "running" | UnitState | "held" | "rejected" | "superseded" | "cancelled";

/** One unit in one scan: what was read and what came of it. */
export const scan_units = pgTable(
  "scan_units",
  {
    scan_id: uuid().notNull(),
    account_id: text().notNull(),
    region: text().notNull(),
    type: text().$type<ResourceType>().notNull(),
    state: text().$type<ScanUnitState>().notNull(),
    /** The list reached its last page. */
    listed: boolean().notNull().default(false),
    resources: integer().notNull().default(0),
    pages: integer().notNull().default(0),
    /** Resources whose tags could not be read. */
    unread: integer().notNull().default(0),
    /** Readings for which the index was believed, the service was asked, and a stored service reading stood. */
    readings_index: integer().notNull().default(0),
    readings_service: integer().notNull().default(0),
    readings_stored: integer().notNull().default(0),
    /** Resources for which the index would have been believed and the service was asked to check it; and how often the index was wrong. */
    readings_sampled: integer().notNull().default(0),
    readings_mismatched: integer().notNull().default(0),
    error: jsonb().$type<ReadError>(),
    opened: integer().notNull().default(0),
    reopened: integer().notNull().default(0),
    changed: integer().notNull().default(0),
    resolved: integer().notNull().default(0),
    unchanged: integer().notNull().default(0),
    /** Closures that wait for confirmation. */
    held: integer().notNull().default(0),
    started_at: instant(),
    finished_at: instant(),
  },
  (table) => [
    primaryKey({ columns: [table.scan_id, table.account_id, table.region, table.type] }),
    index("scan_units_by_unit").on(table.account_id, table.region, table.type, table.finished_at),
  ],
);

/** Every unit that was ever in scope, and how the last attempt to read it ended. */
export const units = pgTable(
  "units",
  {
    partition: text().notNull(),
    account_id: text().notNull(),
    region: text().notNull(),
    type: text().$type<ResourceType>().notNull(),
    /** Last attempt; null: never attempted to its end. */
    state: text().$type<UnitState>(),
    /** The last attempt's list reached its last page: only then is what it did not contradict still known to be so. */
    listed: boolean().notNull().default(false),
    error: jsonb().$type<ReadError>(),
    /** Epoch of the newest scan whose result stands here. */
    applied_epoch: bigint({ mode: "number" }).notNull().default(0),
    last_scan_id: uuid(),
    attempted_at: instant(),
    /** Last time the list reached its last page; null: never read. */
    listed_at: instant(),
    /** Last time the unit was complete. */
    completed_at: instant(),
  },
  (table) => [primaryKey({ columns: [table.account_id, table.region, table.type] })],
);

/** What was learned about which types the tag index covers in a target; see coverage.ts. A unit without a row: nothing yet. */
export const index_coverage = pgTable(
  "index_coverage",
  {
    account_id: text().notNull(),
    region: text().notNull(),
    type: text().$type<ResourceType>().notNull(),
    /** False: the index is not asked about this type until some days after `learned_at`. */
    covered: boolean().notNull(),
    /** The evidence of the scan that taught it: resources that the index returned, and those that it should have. */
    returned: integer().notNull(),
    missing: integer().notNull(),
    learned_at: instant().notNull(),
  },
  (table) => [primaryKey({ columns: [table.account_id, table.region, table.type] })],
);

/** How a resource stands under the active policies: `judged` by at least one rule, or `unknown` because its tags or a rule could not be read. */
export type Standing = "judged" | "not_applicable" | "unknown";

/** The current inventory: one row a resource. Written only when something about it changed. */
export const resources = pgTable(
  "resources",
  {
    /** At most 256 characters. */
    arn: text().primaryKey(),
    account_id: text().notNull(),
    region: text().notNull(),
    type: text().$type<ResourceType>().notNull(),
    name: text().notNull(),
    status: text().notNull(),
    created_at: instant(),
    updated_at: instant(),
    summary: jsonb().$type<Record<string, string | number | boolean>>().notNull(),
    /** As last read, `aws:` keys included; null: never read, which is not the same as none. */
    tags: jsonb().$type<Record<string, string>>(),
    source: text().$type<ReadingSource>(),
    /** When the tags above were first read so. Later readings that say the same write nothing. */
    tags_read_at: instant(),
    /** The index returned it when this row was last written. */
    in_index: boolean().notNull(),
    /** The last attempt to read its tags failed so; null: it did not. */
    reading_error: jsonb().$type<ReadError>(),
    standing: text().$type<Standing>().notNull(),
    /** Why the standing is unknown; null otherwise. */
    unknown_reason: text(),
    /** Name of the CloudFormation stack, from an `aws:cloudformation:*` tag ever seen from any source; never unset. */
    stack: text(),
    /** Complete scans in a row that did not list it; at 2 it is gone. */
    absences: integer().notNull().default(0),
    gone_at: instant(),
    first_seen_at: instant().notNull(),
    recorded_at: instant().notNull(),
    recorded_scan_id: uuid(),
    /**
     * Of this row's content and of the resource's open findings (findings/digest.ts), so that a scan that sees the same need not
     * load them; null: compare in full.
     */
    digest: text(),
  },
  (table) => [index("resources_by_unit").on(table.account_id, table.region, table.type)],
);

/** What is known of accounts besides their ids. Read only when a rule or a fix asks for it. */
export const accounts = pgTable("accounts", {
  /** Twelve digits. */
  account_id: text().primaryKey(),
  name: text().notNull(),
  /** Tags of the account in AWS Organizations. */
  tags: jsonb().$type<Record<string, string>>().notNull(),
  read_at: instant().notNull(),
});

/** Accounts that were members of the organization when it was last listed as a whole. One that is missing from such a list has left. */
export const organization_members = pgTable("organization_members", {
  /** Twelve digits. */
  account_id: text().primaryKey(),
});

/** When the service was last asked for a resource's tags and answered. Apart from `resources`, because a refresh changes nothing there. */
export const service_readings = pgTable("service_readings", {
  arn: text().primaryKey(),
  read_at: instant().notNull(),
});

/** Parents that had to be read, one row a resource. Those that an ARN or a summary names are not stored. */
export const parents = pgTable("parents", {
  arn: text().primaryKey(),
  /** A resource: for a campaign that follows the latest version of its solution, the solution. */
  parent_arn: text().notNull(),
  source: text().$type<ParentEdge["source"]>().notNull(),
  /** When the answered question was asked; an earlier answer never replaces a later one. */
  read_at: instant().notNull(),
  /** The resource's creation as the inventory had it then: another one there means that another resource took over the ARN. */
  created_at: instant(),
  /** The resource's last update as the inventory had it then: a type whose parent may change is read anew when it differs. */
  updated_at: instant(),
});
