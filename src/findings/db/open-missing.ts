import { and, eq, inArray, or } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import type { Target } from "../../inventory/resource.ts";
import type { ResourceType } from "../../inventory/resource-types.ts";
import { findings } from "../schema.ts";

/** Resources of some types in a target to which one of these rules wants to write a key that is missing, in order of ARN. */
export async function openMissing(
  database: Database,
  target: Pick<Target, "account_id" | "region">,
  types: readonly ResourceType[],
  rules: readonly { readonly policy_id: string; readonly rule_id: string }[],
): Promise<string[]> {
  if (rules.length === 0) return [];
  const rows = await database
    .selectDistinct({ arn: findings.arn })
    .from(findings)
    .where(
      and(
        eq(findings.account_id, target.account_id),
        eq(findings.region, target.region),
        inArray(findings.type, [...types]),
        eq(findings.state, "open"),
        eq(findings.kind, "missing"),
        or(
          ...rules.map(({ policy_id, rule_id }) =>
            and(eq(findings.policy_id, policy_id), eq(findings.rule_id, rule_id)),
          ),
        ),
      ),
    )
    .orderBy(findings.arn);
  return rows.map(({ arn }) => arn);
}
