import { bigint, index, json, pgTable, text, timestamp } from "drizzle-orm/pg-core";
import type { AuditAction, AuditDetail } from "./entry.ts";

/**
 * Who did what, when, append-only and chained: each row holds the hash of the one before it. Triggers in
 * drizzle/0001_reporting.sql refuse UPDATE and DELETE.
 */
export const audit_log = pgTable(
  "audit_log",
  {
    /** 1, 2, 3 … without gaps; assigned in code, under a lock, so that a row that is missing shows. */
    position: bigint({ mode: "number" }).primaryKey(),
    /** To the millisecond: what is hashed is exactly what is stored. */
    at: timestamp({ withTimezone: true, precision: 3 }).notNull(),
    actor: text().notNull(),
    action: text().$type<AuditAction>().notNull(),
    /** What it was done to: an id or an ARN. */
    subject: text().notNull(),
    /** Never the value of a tag. `json` and not `jsonb`, because it keeps the very text that was hashed; the view has it as `jsonb`. */
    detail: json().$type<AuditDetail>().notNull(),
    /** `hash` of the row before; of the first row 64 zeros. */
    prev_hash: text().notNull(),
    /** SHA-256, hex, over all other columns: audit-log/chain.ts. */
    hash: text().notNull(),
  },
  (table) => [
    index("audit_log_by_actor").on(table.actor, table.position),
    index("audit_log_by_action").on(table.action, table.position),
    index("audit_log_by_subject").on(table.subject, table.position),
  ],
);
