import { getViewSelectedFields, inArray, and, sql } from "drizzle-orm";
import type { AuditAction } from "../../audit-log/entry.ts";
import type { Database } from "../../db/client.ts";
import type { Page, PageRequest } from "../page.ts";
import { keysetPage } from "./keyset.ts";
import { v1_audit_log } from "./views.ts";

/** A row of the audit log. */
export type AuditRow = typeof v1_audit_log.$inferSelect;

/** Filters of the audit log: fields are AND, a list matches any of its values. */
export type AuditFilters = {
  readonly actor?: readonly string[] | undefined;
  readonly action?: readonly AuditAction[] | undefined;
  readonly subject?: readonly string[] | undefined;
};

/** The audit log, the newest first. Throws PageTokenError, RangeError. */
export function auditPage(
  database: Database,
  filters: AuditFilters = {},
  request: PageRequest = {},
): Promise<Page<AuditRow>> {
  const { actor, action, subject } = filters;
  const view = v1_audit_log;
  return keysetPage<AuditRow>(
    {
      database,
      asked: { list: "audit_log", filters },
      request,
      columns: [{ column: view.position, type: "bigint" }],
      descending: true,
      where: and(
        actor && inArray(view.actor, [...actor]),
        action && inArray(view.action, [...action]),
        subject && inArray(view.subject, [...subject]),
      ),
      from: sql`${view}`,
    },
    async ({ where, order, limit, sort_values }) =>
      await database
        .select({ item: getViewSelectedFields(view), sort_values })
        .from(view)
        .where(where)
        .orderBy(...order)
        .limit(limit),
  );
}
