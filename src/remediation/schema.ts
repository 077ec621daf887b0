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
import type { ReadFrom } from "../policy/looks.ts";
import type { FindingKind } from "../policy/verdict.ts";

const instant = () => timestamp({ withTimezone: true });

/**
 * `applying`: a run holds it, or died while it did; the next run goes on. `approved` after a run: it stopped before the end
 * and can be applied again. `applied`: every action ended. That a plan expired is seen by `expires_at`, never stored.
 */
export type PlanState = "proposed" | "approved" | "rejected" | "applying" | "applied";

/** `undo`: it puts back what another plan wrote. */
export type PlanKind = "repair" | "undo";

/** A reviewed set of tag changes, frozen. */
export const plans = pgTable(
  "plans",
  {
    /** UUIDv7. */
    id: uuid().primaryKey(),
    state: text().$type<PlanState>().notNull(),
    /** SHA-256, hex, over all actions; an approval is of this hash. */
    hash: text().notNull(),
    kind: text().$type<PlanKind>().notNull().default("repair"),
    /** The plan whose writes an undo puts back; null for a repair. */
    undoes_plan_id: uuid(),
    /** Who began it: a person, or `auto` after a scan. */
    mode: text().$type<"plan" | "auto">().notNull(),
    policy_set_id: text().notNull(),
    /** The scan after which it was made; null when a person asked. */
    scan_id: uuid(),
    created_at: instant().notNull(),
    created_by: text().notNull(),
    /** A proposal may be approved until then; an approved plan may be begun until then. */
    expires_at: instant().notNull(),
    approved_at: instant(),
    approved_by: text(),
    /** The hash that was approved: a plan whose actions hash to anything else is not applied. */
    approved_hash: text(),
    /** What the approver said about it; null: nothing. */
    approved_note: text(),
    rejected_at: instant(),
    rejected_by: text(),
    /** Why it was rejected; null: not said. */
    rejected_note: text(),
    /** When a worker was asked to apply it, and by whom; null: nobody asks. Stays until a run has answered. */
    apply_requested_at: instant(),
    apply_requested_by: text(),
    started_at: instant(),
    finished_at: instant(),
    /** Why the last run stopped before its end: budget, error rate, a signal; null when it did not. */
    stopped: text(),
    /** The run that holds this plan; null: none does. Every write of a run is refused once this is another. */
    run_id: uuid(),
    /** By the database's clock, every 2 s while the run lives; older than the lease: the run is dead. */
    heartbeat_at: instant(),
  },
  (table) => [
    index("plans_by_created_at").on(table.created_at),
    index("plans_by_scan").on(table.scan_id),
    index("plans_to_apply")
      .on(table.apply_requested_at)
      .where(sql`apply_requested_at is not null`),
  ],
);

/**
 * `planned` → `intended` (committed before the first call) → an end.
 * `verified`: read back as planned. `unchanged`: it already was. `skipped`: no longer asked for, or gone.
 * `conflict`: someone moved a key that is planned or was decided on. `failed`: tried, and not seen as planned.
 * `blocked`: may not or could not be tried: a stack manages it, no room, no way into the account.
 */
export type ActionState =
  | "planned"
  | "intended"
  | "verified"
  | "unchanged"
  | "conflict"
  | "failed"
  | "blocked"
  | "skipped";

/** One key of an action: from → to. `before` null: the key was not there. `after` null: it is to be removed. */
export type TagChange = {
  readonly key: string;
  readonly before: string | null;
  readonly after: string | null;
};

/** Why a key becomes what it becomes: the rules that ask for it, as policy/rule, and where the value comes from, in words without any. */
export type Origin = { readonly rules: string[]; readonly from: string };

/** A finding that an action means to resolve, or that an undo may bring back, with the rule that asks for it. */
export type Reason = {
  readonly finding_id: string;
  readonly policy_id: string;
  readonly rule_id: string;
  /** The finding's key: canonical, or the forbidden key seen. */
  readonly key: string;
  readonly kind: FindingKind;
};

/** One resource's change in a plan. */
export const plan_actions = pgTable(
  "plan_actions",
  {
    plan_id: uuid().notNull(),
    /** Order in the plan, from 0. */
    position: integer().notNull(),
    account_id: text().notNull(),
    region: text().notNull(),
    type: text().$type<ResourceType>().notNull(),
    arn: text().notNull(),
    /** Sorted by key, each key once. */
    changes: jsonb().$type<TagChange[]>().notNull(),
    /** Keys that the decision read without changing them, with their values; null: absent. */
    decided_on: jsonb().$type<Record<string, string | null>>().notNull(),
    /** Tags of resources above it on which the decision rests: read anew before the change is made. */
    reads_from: jsonb().$type<ReadFrom[]>().notNull(),
    /** Of every changed key, which rules ask for it and where its value comes from. */
    origins: jsonb().$type<Record<string, Origin>>().notNull(),
    /** Keys whose value a person gave, sorted. A value of these that was there before may be overwritten: `changes` names it. */
    given: jsonb().$type<string[]>().notNull().default([]),
    /** SHA-256, hex, of the user tags that it was decided on. */
    tags_hash: text().notNull(),
    /** The findings it means to resolve, with the rule that asks for it. */
    reasons: jsonb().$type<Reason[]>().notNull(),
    /** Position of the action that it undoes, in the plan that its plan undoes; null for a repair. */
    undoes_position: integer(),
    /** Keys that an undo leaves as they are, each with the reason. Never a tag value. */
    left_out: jsonb().$type<Record<string, string>>().notNull().default({}),
    /** Some rule behind it wants a person's approval always. */
    protected: boolean().notNull(),
    state: text().$type<ActionState>().notNull(),
    /** Why it ended as it did, for a person. Never a tag value. */
    note: text(),
    /** All user tags as read just before the first write: what undo goes back to. Committed before that write. */
    tags_before: jsonb().$type<Record<string, string>>(),
    /** All user tags as read just after the write. */
    tags_after: jsonb().$type<Record<string, string>>(),
    /** How many runs began it. */
    attempts: integer().notNull().default(0),
    intended_at: instant(),
    /** When what was before was committed, by the database's clock: the first write follows at once. */
    written_at: instant(),
    finished_at: instant(),
  },
  (table) => [
    primaryKey({ columns: [table.plan_id, table.position] }),
    index("plan_actions_by_arn").on(table.arn),
    index("plan_actions_by_written_at").on(table.written_at),
  ],
);

/** Times during which nothing is repaired: the kill switch. At most one has not ended. */
export const remediation_pauses = pgTable(
  "remediation_pauses",
  {
    /** UUIDv7. */
    id: uuid().primaryKey(),
    paused_at: instant().notNull(),
    paused_by: text().notNull(),
    /** Why, as told. */
    reason: text(),
    /** Null: it is in force. */
    resumed_at: instant(),
    resumed_by: text(),
  },
  () => [
    uniqueIndex("remediation_pauses_one_in_force")
      .on(sql`(resumed_at is null)`)
      .where(sql`resumed_at is null`),
  ],
);
