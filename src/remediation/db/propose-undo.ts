import type { Database } from "../../db/client.ts";
import type { PolicySet } from "../../policy/load.ts";
import { wantedForRepair } from "../../policy/needs.ts";
import { type ActionRow, createPlan, isUuid, loadPlan, type PlanRow } from "../store.ts";
import { planUndo, type UndoDraft } from "../undo.ts";
import { isRunAlive } from "./journal.ts";
import { loadUndoable } from "./undoable.ts";

/** What of a plan is to be undone; absent: all of it. */
export type UndoRequest = {
  readonly arns?: readonly string[] | undefined;
  /** Actions, by their place in the plan. */
  readonly positions?: readonly number[] | undefined;
};

/** `plan` null: nothing is left to put back. `unknown`: what the plan has no action for, as an ARN or a position. */
export type UndoProposed =
  | { readonly outcome: "proposed"; readonly plan: PlanRow | null; readonly draft: UndoDraft }
  | { readonly outcome: "not_found" | "in_progress" }
  | { readonly outcome: "unknown"; readonly arn: string }
  | { readonly outcome: "unknown"; readonly position: number; readonly actions: number };

/**
 * Plans how to put back what a plan wrote, and stores that as a proposal. Not while a run applies it: what that writes next would be
 * missing. One that stopped, or whose run died, can be undone as far as it came.
 */
export async function proposeUndo(
  database: Database,
  set: PolicySet,
  id: string,
  { arns, positions }: UndoRequest,
  about: { readonly actor: string; readonly now: Date; readonly life_ms?: number | undefined },
): Promise<UndoProposed> {
  // Asked before and after: a run that ends in between would have written what is not loaded.
  const wasAlive = isUuid(id) && (await isRunAlive(database, id));
  const loaded = await loadPlan(database, id);
  if (!loaded) return { outcome: "not_found" };
  const { actions } = loaded;
  const known = new Set(actions.map(({ arn }) => arn));
  const arn = arns?.find((one) => !known.has(one));
  if (arn !== undefined) return { outcome: "unknown", arn };
  const position = positions?.find((one) => one >= actions.length);
  if (position !== undefined) return { outcome: "unknown", position, actions: actions.length };
  if (wasAlive || (await isRunAlive(database, id))) return { outcome: "in_progress" };
  const isChosen = (one: ActionRow) => (arns?.includes(one.arn) ?? true) && (positions?.includes(one.position) ?? true);
  const undoable = await loadUndoable(database, actions.filter(isChosen), wantedForRepair(set.needs));
  const draft = planUndo(set, undoable, about.now);
  const plan = await createPlan(database, draft, {
    mode: "plan",
    policy_set_id: set.id,
    undoes_plan_id: loaded.plan.id,
    actor: about.actor,
    now: about.now,
    ...(about.life_ms !== undefined && { life_ms: about.life_ms }),
  });
  return { outcome: "proposed", plan, draft };
}
