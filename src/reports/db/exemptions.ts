import { and, eq, getViewSelectedFields, sql } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import type { ExemptionStatus } from "../../exemptions/exemption.ts";
import type { Page, PageRequest } from "../page.ts";
import { keysetPage } from "./keyset.ts";
import { v1_exemptions } from "./views.ts";

/** An exemption with how it stands now. */
export type ExemptionItem = typeof v1_exemptions.$inferSelect;

/** Filters of exemptions: fields are AND, lists OR. */
export type ExemptionFilters = {
  readonly status?: readonly (ExemptionStatus | "all")[] | undefined;
  /** Active, and ends so soon. */
  readonly expiring_within_days?: number | undefined;
  /** Active, and covers no open finding now. */
  readonly unused?: boolean | undefined;
  /** Those that name any of these. What names none covers them all, and is not listed. */
  readonly policy_id?: readonly string[] | undefined;
  readonly rule_id?: readonly string[] | undefined;
  readonly account_id?: readonly string[] | undefined;
};

/** The status of exemptions that a list has unless it is asked for others: those that are not over. */
export const NOT_OVER = ["active", "pending"] as const satisfies readonly ExemptionStatus[];

/** Exemptions, by default those that are not over, the one that ends first first. Throws PageTokenError, RangeError. */
export function exemptionsPage(
  database: Database,
  filters: ExemptionFilters = {},
  request: PageRequest = {},
): Promise<Page<ExemptionItem>> {
  return keysetPage<ExemptionItem>(
    {
      database,
      asked: { list: "exemptions", filters },
      request,
      columns: [
        { column: v1_exemptions.expires_at, type: "timestamptz" },
        { column: v1_exemptions.id, type: "text" },
      ],
      descending: false,
      where: where(filters),
      from: sql`${v1_exemptions}`,
    },
    async ({ where, order, limit, sort_values }) =>
      await database
        .select({ item: getViewSelectedFields(v1_exemptions), sort_values })
        .from(v1_exemptions)
        .where(where)
        .orderBy(...order)
        .limit(limit),
  );
}

/** One exemption, or null. */
export async function exemption(database: Database, id: string): Promise<ExemptionItem | null> {
  const [row] = await database.select().from(v1_exemptions).where(eq(v1_exemptions.id, id));
  return row ?? null;
}

function where({ status = NOT_OVER, expiring_within_days, unused, policy_id, rule_id, account_id }: ExemptionFilters) {
  const view = v1_exemptions;
  const among = (values: readonly string[]) =>
    sql`(select jsonb_array_elements_text(${JSON.stringify(values)}::text::jsonb))`;
  return and(
    status.includes("all") ? undefined : sql`${view.status} in ${among(status)}`,
    expiring_within_days === undefined
      ? undefined
      : sql`${view.status} = 'active' and ${view.expires_at} <= now() + ${expiring_within_days}::integer * interval '24 hours'`,
    unused === undefined ? undefined : eq(view.unused, unused),
    policy_id === undefined ? undefined : sql`${view.policy_id} in ${among(policy_id)}`,
    rule_id === undefined ? undefined : sql`${view.rule_id} in ${among(rule_id)}`,
    account_id === undefined ? undefined : sql`${view.accounts} && array${among(account_id)}`,
  );
}
