import { integer, pgTable, text, timestamp } from "drizzle-orm/pg-core";

/** What this database was made for, one row: a sandbox's data and real data never mix. */
export const installation = pgTable("installation", {
  /** Always 1. */
  id: integer().primaryKey(),
  kind: text().$type<"sandbox" | "aws">().notNull(),
  created_at: timestamp({ withTimezone: true }).notNull(),
});
