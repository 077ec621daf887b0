import { sql } from "drizzle-orm";
import {
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
import type { ResourceType } from "../inventory/resource-types.ts";

const instant = () => timestamp({ withTimezone: true });

/** What this database was made for, one row: a sandbox's data and real data never mix. */
export const installation = pgTable("installation", {
  /** Always 1. */
  id: integer().primaryKey(),
  kind: text().$type<"sandbox" | "aws">().notNull(),
  created_at: instant().notNull(),
});

/** `queued`: nobody works on it. `running`: somebody holds its lease. `cancelled`: the scan was stopped before it had ended. */
export type ScanTargetState = "queued" | "running" | "ended" | "cancelled";

/** A target in one scan: what a process takes, works on and ends. */
export const scan_targets = pgTable(
  "scan_targets",
  {
    scan_id: uuid().notNull(),
    account_id: text().notNull(),
    region: text().notNull(),
    partition: text().notNull(),
    /** Place in the scan's order, from 0: targets with few known resources come first. */
    rank: integer().notNull(),
    /** Resources that were known there when the scan was made: its share of the work, as far as anyone can tell. */
    expected: integer().notNull(),
    state: text().$type<ScanTargetState>().notNull(),
    /** How often a process took it and neither ended it nor gave it back. */
    attempts: integer().notNull().default(0),
    /** How many of the last attempts, in a row, ended no unit: what kills whoever reads it is given up in the end. */
    fruitless: integer().notNull().default(0),
    /** When it was last taken, by the database's clock. */
    taken_at: instant(),
    /** Host, process and a random part of whoever holds the lease; null: nobody does. */
    lease_owner: text(),
    /** Rises with every lease: what the holder of an earlier one brings is refused. */
    lease_epoch: integer().notNull().default(0),
    /** By the database's clock; whoever holds the lease moves it on, and after it another may take the target. */
    lease_expires_at: instant(),
    /** When a job for it was last made; null: there is none. */
    queued_at: instant(),
    started_at: instant(),
    finished_at: instant(),
    /** `{total, throttled, "<Operation>": n}` of all its attempts. */
    api_calls: jsonb().$type<Record<string, number>>().notNull(),
    warnings: jsonb().$type<string[]>().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.scan_id, table.account_id, table.region] }),
    // Whatever the scans: the rates of AWS hold for a target, so one process at a time calls there.
    uniqueIndex("scan_targets_one_at_work")
      .on(table.account_id, table.region)
      .where(sql`state = 'running'`),
    index("scan_targets_open")
      .on(table.scan_id, table.rank)
      .where(sql`state in ('queued', 'running')`),
  ],
);

/** Where a schedule is said: what the configuration file says only that file changes. */
export type ScheduleOrigin = "config" | "api";
/** What happens to a slot that nothing looked for in time: `latest` has the last of those missed, `none` has none. */
export type CatchUp = "latest" | "none";
/** What happens to a slot that comes while the scan before it runs: `skip` leaves it out, `queue` lets one wait. */
export type Overlap = "skip" | "queue";

/** When scans begin by themselves. A null list means everything that is configured. */
export const schedules = pgTable("schedules", {
  id: text().primaryKey(),
  origin: text().$type<ScheduleOrigin>().notNull(),
  /** Five fields, as crontab(5) has them. */
  cron: text().notNull(),
  /** Name in the IANA time zone database. */
  time_zone: text().notNull(),
  /** A slot begins by up to so many seconds later than its instant, always the same for one slot. */
  jitter_seconds: integer().notNull(),
  catch_up: text().$type<CatchUp>().notNull(),
  overlap: text().$type<Overlap>().notNull(),
  accounts: text().array(),
  regions: text().array(),
  types: text().array().$type<ResourceType[]>(),
  /** False: no slot begins, and those that pass are not caught up with. */
  enabled: boolean().notNull(),
  /** Slots after this instant count: creation, a change of cron or time zone, or when it was enabled again. */
  counts_from: instant().notNull(),
  created_at: instant().notNull(),
  created_by: text().notNull(),
  updated_at: instant().notNull(),
  updated_by: text().notNull(),
  /** Rises with every change; the ETag of the API. */
  version: integer().notNull().default(1),
});

/**
 * What came of a slot. `started`: a scan began. `waiting`: it begins when the scan before it has ended. `skipped_overlap`: a scan
 * of the schedule, or of the same scope, ran, and one more may not wait. `skipped_missed`: nothing looked for it in time, and
 * the schedule does not catch up. `failed`: the scan cannot be asked for; `error` says why.
 */
export type SlotOutcome = "started" | "waiting" | "skipped_overlap" | "skipped_missed" | "failed";

/** Decided slots, one row each: whoever inserts it has the slot. They stay when their schedule goes. */
export const schedule_slots = pgTable(
  "schedule_slots",
  {
    schedule_id: text().notNull(),
    /** The instant that the expression names, jitter not counted. */
    slot: instant().notNull(),
    outcome: text().$type<SlotOutcome>().notNull(),
    scan_id: uuid(),
    /** How many missed slots this row settles: itself when it came late, and those before it that nobody had looked for. */
    caught_up: integer().notNull(),
    decided_at: instant().notNull(),
    /** Why it failed. */
    error: text(),
  },
  (table) => [primaryKey({ columns: [table.schedule_id, table.slot] })],
);

/** `received`: to be looked at. `ignored`: nothing to do, `reason` says why. `failed`: its resource could not be read; the next scan reads it. */
export type DeliveryState = "received" | "done" | "ignored" | "failed";

/** Events that came from EventBridge, one row a delivery; kept for two weeks. */
export const event_deliveries = pgTable(
  "event_deliveries",
  {
    /** Of the event: EventBridge delivers at least once, and under the same id again. */
    id: text().primaryKey(),
    account_id: text().notNull(),
    region: text().notNull(),
    /** Operation that was called, such as `TagResource`. */
    event_name: text().notNull(),
    /** Resource that it was about; null: the event does not name it where it should. */
    arn: text(),
    /** ARN of whoever called, as CloudTrail shows it, or the service of AWS that did. */
    principal: text(),
    /** When it was called, to the second, by the clock of AWS. */
    event_time: instant().notNull(),
    received_at: instant().notNull(),
    state: text().$type<DeliveryState>().notNull(),
    /** Why it was ignored or failed; or, while it waits, why it has not been done yet. */
    reason: text(),
    /** How often a process began with it. */
    attempts: integer().notNull().default(0),
    /** When a job for its resource was last made, by the database's clock; null: there is none. */
    queued_at: instant(),
    handled_at: instant(),
  },
  (table) => [
    index("event_deliveries_waiting")
      .on(table.arn)
      .where(sql`state = 'received'`),
    index("event_deliveries_by_received_at").on(table.received_at),
  ],
);
