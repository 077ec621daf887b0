import { and, eq, gte, lte } from "drizzle-orm";
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
