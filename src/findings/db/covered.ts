import { pgSchema, text } from "drizzle-orm/pg-core";
import { sql } from "drizzle-orm";
import type { ResourceType } from "../../inventory/resource-types.ts";
import type { FindingKind } from "../../policy/verdict.ts";
import type { FindingState } from "../finding.ts";

/**
 * Findings with the exemptions that cover them at the instant of the query, by the database's clock: the view that decides it,
 * for reports and repairs alike (drizzle/0001_reporting.sql).
 */
export const covered_findings = pgSchema("reporting")
  .view("covered_findings", {
    id: text().notNull(),
    account_id: text().notNull(),
    region: text().notNull(),
    type: text().$type<ResourceType>().notNull(),
    arn: text().notNull(),
    policy_id: text().notNull(),
    rule_id: text().notNull(),
    key: text().notNull(),
    kind: text().$type<FindingKind>().notNull(),
    state: text().$type<FindingState>().notNull(),
    /** Empty where nobody exempted it. */
    exemption_ids: text().array().notNull(),
  })
  .existing();

/** Whether an exemption covers the finding of the query. */
export const isExempt = sql<boolean>`${covered_findings.exemption_ids} <> '{}'`;
