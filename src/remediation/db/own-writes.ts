import { and, eq, gte, inArray, isNull, lte, or } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import { plan_actions } from "../schema.ts";

/** How far the clock of AWS, by which it notes the second of a call, may be from ours. Milliseconds. */
const CLOCKS_MS = 5000;

/** Whether a repair of a resource that ended verified was under way at that time: what it wrote, it has read back and recorded. */
export async function wasVerifiedAt(database: Database, arn: string, at: Date): Promise<boolean> {
  const [action] = await database
    .select({ plan_id: plan_actions.plan_id })
    .from(plan_actions)
    .where(
      and(
        eq(plan_actions.arn, arn),
        eq(plan_actions.state, "verified"),
        lte(plan_actions.intended_at, new Date(at.getTime() + CLOCKS_MS)),
        gte(plan_actions.finished_at, new Date(at.getTime() - CLOCKS_MS)),
      ),
    )
    .limit(1);
  return action !== undefined;
}

/** When repairs of a resource were under way, whatever came of them, with what clocks may differ; `to` null: one still is. */
export type OwnWrites = readonly { readonly arn: string; readonly from: Date; readonly to: Date | null }[];

/** When repairs of these resources were under way since an instant. */
export async function ownWritesSince(database: Database, arns: readonly string[], since: Date): Promise<OwnWrites> {
  if (arns.length === 0) return [];
  const { arn, intended_at, finished_at } = plan_actions;
  const rows = await database
    .select({ arn, intended_at, finished_at })
    .from(plan_actions)
    .where(
      and(inArray(arn, [...arns]), or(isNull(finished_at), gte(finished_at, new Date(since.getTime() - CLOCKS_MS)))),
    );
  return rows.flatMap((row) =>
    row.intended_at === null
      ? []
      : {
          arn: row.arn,
          from: new Date(row.intended_at.getTime() - CLOCKS_MS),
          to: row.finished_at && new Date(row.finished_at.getTime() + CLOCKS_MS),
        },
  );
}

/** Whether a repair of a resource was under way at that time. */
export function wasUnderWay(writes: OwnWrites, arn: string, at: Date): boolean {
  return writes.some((write) => write.arn === arn && write.from <= at && (write.to === null || at <= write.to));
}
