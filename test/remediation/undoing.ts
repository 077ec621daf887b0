import { wantedForRepair } from "../../src/policy/needs.ts";
import { loadUndoable } from "../../src/remediation/db/undoable.ts";
import { approvePlan, createPlan, loadPlan } from "../../src/remediation/store.ts";
import { planUndo, type UndoDraft } from "../../src/remediation/undo.ts";
import { ACTOR, type World } from "./world.ts";

/** What an undo of a plan, or of its actions on some resources, would do. */
export async function undoDraft(world: World, plan_id: string, arns?: readonly string[]): Promise<UndoDraft> {
  const { actions = [] } = (await loadPlan(world.database, plan_id)) ?? {};
  const chosen = actions.filter(({ arn }) => arns?.includes(arn) ?? true);
  const all = await loadUndoable(world.database, chosen, wantedForRepair(world.set.needs));
  return planUndo(world.set, all, world.time);
}

/** Plans an undo and approves it. */
export async function plannedUndo(world: World, plan_id: string, arns?: readonly string[]): Promise<string> {
  const draft = await undoDraft(world, plan_id, arns);
  const about = {
    mode: "plan",
    policy_set_id: world.set.id,
    actor: ACTOR,
    now: world.time,
    undoes_plan_id: plan_id,
  } as const;
  const plan = await createPlan(world.database, draft, about);
  if (!plan) throw new Error("there is nothing to undo");
  await approvePlan(world.database, plan.id, { hash: plan.hash, actor: ACTOR, now: world.time });
  return plan.id;
}
