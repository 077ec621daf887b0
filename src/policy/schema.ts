import {
  bigint,
  boolean,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
} from "drizzle-orm/pg-core";
import { sql } from "drizzle-orm";

/** A set of policy files, by the hash of what they say. Kept for ever, because findings name it. */
export const policy_sets = pgTable(
  "policy_sets",
  {
    /** SHA-256, hex, of the canonical form of all policies and of the evaluator's version. */
    id: text().primaryKey(),
    /** What people call it: the first set that was ever activated is version 1. Rises; a failed activation leaves a gap. */
    version: integer().notNull().generatedAlwaysAsIdentity(),
    created_at: timestamp({ withTimezone: true }).notNull(),
    /** The files as written: `[{path, text}]`, path relative to the policies folder. */
    files: jsonb().$type<{ path: string; text: string }[]>().notNull(),
    /** The one set by which resources are judged now. */
    active: boolean().notNull(),
    activated_at: timestamp({ withTimezone: true }),
    /** ARN of the AWS caller, API principal, or `user@host` of the system. */
    activated_by: text(),
  },
  (table) => [
    uniqueIndex("policy_sets_by_version").on(table.version),
    uniqueIndex("policy_sets_one_active")
      .on(table.active)
      .where(sql`${table.active}`),
  ],
);

/** Every time that a set became the active one, and what that changed: append-only. A set may come back. */
export const policy_activations = pgTable("policy_activations", {
  id: bigint({ mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
  policy_set_id: text().notNull(),
  at: timestamp({ withTimezone: true }).notNull(),
  /** ARN of the AWS caller, API principal, or `user@host` of the system. */
  actor: text().notNull(),
  /** Stored resources that were judged anew. */
  resources: integer().notNull(),
  /** Findings that came along from former names of rules, opened, opened again, changed and resolved. */
  renamed: integer().notNull(),
  opened: integer().notNull(),
  reopened: integer().notNull(),
  changed: integer().notNull(),
  resolved: integer().notNull(),
});

/** The rules of a set, a row each, for views and reports. */
export const policy_rules = pgTable(
  "policy_rules",
  {
    policy_set_id: text().notNull(),
    policy_id: text().notNull(),
    rule_id: text().notNull(),
    /** Order in the files, from 0. */
    position: integer().notNull(),
    /** Title of the policy. */
    title: text().notNull(),
    /** Who answers for the policy; null when it does not say. */
    owner: text(),
    /** Canonical key; null where the rule is about the tag set. */
    key: text(),
    severity: text().$type<"low" | "medium" | "high" | "critical">().notNull(),
    /** Values of this key are masked in reports. */
    sensitive: boolean().notNull(),
  },
  (table) => [primaryKey({ columns: [table.policy_set_id, table.policy_id, table.rule_id] })],
);
