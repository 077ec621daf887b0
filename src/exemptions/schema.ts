import { bigint, check, index, integer, jsonb, pgTable, text, timestamp } from "drizzle-orm/pg-core";
import { sql } from "drizzle-orm";
import type { ResourceType } from "../inventory/resource-types.ts";
import type { ExemptionEventName, ExemptionSource } from "./exemption.ts";

const instant = () => timestamp({ withTimezone: true });

/**
 * People's decisions that violations are accepted until an instant. Which findings one covers is asked anew whenever findings
 * are read (reporting.judged_findings) and never copied into them, so it takes effect and ends with no write.
 * A null column of the scope means any; a list means any of it; `*` in names, arns and values of tags is a wildcard.
 */
export const exemptions = pgTable(
  "exemptions",
  {
    /** As written in a file, else a UUIDv7. */
    id: text().primaryKey(),
    source: text().$type<ExemptionSource>().notNull(),
    /** The file that says so, below the policies folder; null: made through the API or the command line. */
    file: text(),
    policy_id: text(),
    rule_id: text(),
    key: text(),
    accounts: text().array(),
    regions: text().array(),
    types: text().array().$type<ResourceType[]>(),
    names: text().array(),
    arns: text().array(),
    /** Key to pattern of its value; every one has to be on the resource as last read. */
    tags: jsonb().$type<Record<string, string>>(),
    reason: text().notNull(),
    ticket: text(),
    requested_by: text().notNull(),
    approved_by: text().notNull(),
    created_at: instant().notNull(),
    /** From here on it covers; an extension begins anew. */
    starts_at: instant().notNull(),
    /** From here on it covers nothing. At most the end of the 180th day after the one on which it begins, in UTC. */
    expires_at: instant().notNull(),
    revoked_at: instant(),
    revoked_by: text(),
    /** Rises with every change: what the API calls ETag. */
    version: integer().notNull().default(1),
  },
  (table) => [
    index("exemptions_by_expires_at").on(table.expires_at, table.id),
    check(
      "exemptions_have_a_scope",
      sql`num_nonnulls(policy_id, rule_id, key, accounts, regions, types, names, arns, tags) > 0`,
    ),
    check("exemptions_end_after_they_begin", sql`expires_at > starts_at`),
    check(
      "exemptions_last_at_most_180_days",
      sql`(expires_at at time zone 'UTC') <= ((starts_at at time zone 'UTC')::date + 181)::timestamp`,
    ),
    check("exemptions_revoked_by_someone", sql`(revoked_at is null) = (revoked_by is null)`),
  ],
);

/** Who decided what about an exemption, and when: append-only. */
export const exemption_events = pgTable(
  "exemption_events",
  {
    id: bigint({ mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    exemption_id: text().notNull(),
    at: instant().notNull(),
    event: text().$type<ExemptionEventName>().notNull(),
    /** ARN of the AWS caller, who the API was told, or `user@host` of the system. */
    actor: text().notNull(),
    /** Version of the exemption from here on. */
    version: integer().notNull(),
    /** The terms that changed, as they were; null when it is new. */
    before: jsonb().$type<Record<string, unknown>>(),
    /** The same terms as they are from here on; null when it was revoked. */
    after: jsonb().$type<Record<string, unknown>>(),
    /** Why, in a sentence, where someone said it. */
    note: text(),
  },
  (table) => [index("exemption_events_by_exemption").on(table.exemption_id, table.id)],
);
