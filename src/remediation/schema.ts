import { boolean, index, integer, jsonb, pgTable, primaryKey, text, timestamp, uuid } from "drizzle-orm/pg-core";
import type { ResourceType } from "../inventory/resource-types.ts";

const instant = () => timestamp({ withTimezone: true });

/** `applied`: every action ended. `applying`: a run has begun; after a crash the next run goes on. */
export type PlanState = "proposed" | "approved" | "rejected" | "expired" | "applying" | "applied";

/** A reviewed set of tag changes, frozen. */
export const plans = pgTable("plans", {
  /** UUIDv7. */
  id: uuid().primaryKey(),
  state: text().$type<PlanState>().notNull(),
  /** SHA-256, hex, over all actions; an approval is of this hash. */
  hash: text().notNull(),
  /** Who began it: a person, or `auto` after a scan. */
  mode: text().$type<"plan" | "auto">().notNull(),
  policy_set_id: text().notNull(),
  scan_id: uuid(),
  created_at: instant().notNull(),
  created_by: text().notNull(),
  expires_at: instant().notNull(),
  approved_at: instant(),
  approved_by: text(),
  approved_hash: text(),
  started_at: instant(),
  finished_at: instant(),
  /** Why the run stopped before its end: budget, error rate; null when it did not. */
  stopped: text(),
});

/**
 * `planned` → `intended` (committed before the call) → an end.
 * `verified`: read back as planned. `unchanged`: it already was. `skipped`: no longer asked for. `conflict`: someone moved it.
 * `blocked`: may not or could not be tried (stack, no room, budget). `failed`: tried, and it is not as planned.
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
    changes: jsonb().$type<TagChange[]>().notNull(),
    /** Keys that the decision read without changing them, with their values; null: absent. */
    decided_on: jsonb().$type<Record<string, string | null>>().notNull(),
    /** SHA-256, hex, of the user tags that it was decided on. */
    tags_hash: text().notNull(),
    /** The findings it means to resolve, with the rule that asks for it. */
    reasons: jsonb().$type<{ finding_id: string; policy_id: string; rule_id: string; key: string; kind: string }[]>().notNull(),
    /** Some rule behind it wants a person's approval always. */
    protected: boolean().notNull(),
    state: text().$type<ActionState>().notNull(),
    /** Why it ended as it did, for a person. */
    note: text(),
    /** All user tags as read just before the write: what undo goes back to. */
    tags_before: jsonb().$type<Record<string, string>>(),
    /** All user tags as read just after the write. */
    tags_after: jsonb().$type<Record<string, string>>(),
    attempts: integer().notNull().default(0),
    intended_at: instant(),
    finished_at: instant(),
  },
  (table) => [
    primaryKey({ columns: [table.plan_id, table.position] }),
    index("plan_actions_by_arn").on(table.arn),
  ],
);
