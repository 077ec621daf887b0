import type { Database } from "../db/client.ts";
import { reasonOf } from "../db/reason.ts";
import type { Aws } from "../inventory/aws/session.ts";
import { log } from "../log.ts";
import type { PolicySet } from "../policy/load.ts";
import { applyPlan } from "../remediation/aws/apply.ts";
import type { Budgets } from "../remediation/budget.ts";
import { openRequest, refuseApply, waitingToApply } from "../remediation/db/apply-requests.ts";
import { explainRefusal } from "../remediation/refusal.ts";
import type { Queue } from "./queue.ts";

/** What the work on plans needs. */
export type PlanWorkDeps = {
  readonly database: Database;
  readonly aws: Aws;
  readonly queue: Queue;
  readonly budgets: Budgets;
  /** The active policies; null before the first activation. */
  readonly activeSet: () => Promise<PolicySet | null>;
  /** No other process has this database open, as with PGlite. */
  readonly alone: boolean;
  readonly now: () => Date;
};

/** How often each process looks for plans whose job was lost, or whose run died. Milliseconds. */
const SWEEP_MS = 5000;

/**
 * Applies the plans that were asked to be applied, as the queue brings them, in any number of processes. The rows of the plans say what
 * there is to do: a job that is lost is made again, and a plan whose process died is taken by another one, which goes on by reading.
 */
export class PlanWorker {
  readonly #deps: PlanWorkDeps;
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> = Promise.resolve();

  constructor(deps: PlanWorkDeps) {
    this.#deps = deps;
  }

  /** Begins to take plans. */
  async start(): Promise<void> {
    await this.#sweep(this.#deps.alone);
    await this.#deps.queue.workOnPlans((plan_id) => this.#handle(plan_id));
    this.#timer = setInterval(() => void this.#sweep(false), SWEEP_MS);
  }

  /** Begins nothing more, and lets the actions under way end. The queue waits for that to be done. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopping.abort(new Error("the process stops"));
    await this.#sweeping;
  }

  /** One at a time; errors are logged, because the next time comes soon. */
  #sweep(alone: boolean): Promise<void> {
    const { database, queue } = this.#deps;
    this.#sweeping = this.#sweeping
      .then(async () => {
        if (this.#stopping.signal.aborted) return;
        for (const { id } of await waitingToApply(database, alone)) {
          await database.transaction((transaction) => queue.enqueuePlan(transaction, id));
        }
      })
      .catch((error: unknown) => log.warn({ error: reasonOf(error) }, "plans could not be looked after"));
    return this.#sweeping;
  }

  async #handle(plan_id: string): Promise<void> {
    const { signal } = this.#stopping;
    if (signal.aborted) return;
    try {
      await applyRequested(this.#deps, plan_id, signal);
    } catch (error) {
      // Nothing but the database fails here, or another process took the plan: whoever looks next goes on.
      log.error({ plan_id, error: reasonOf(error) }, "a plan could not be applied to its end");
    }
  }
}

/** Applies a plan if it is still asked for. What cannot be is answered on its row. */
async function applyRequested(deps: PlanWorkDeps, plan_id: string, signal: AbortSignal): Promise<void> {
  const { database, aws, budgets, activeSet, alone, now } = deps;
  const request = await openRequest(database, plan_id);
  if (request === null) return;
  const { actor, asked_at } = request;
  const set = await activeSet();
  const refuse = (stopped: string) => refuseApply(database, plan_id, { ...request, stopped, now: now() });
  if (set === null) return refuse("no policies are active");
  const result = await applyPlan({ database, aws, set, now, budgets, alone, asked_at }, plan_id, actor, signal);
  if (result.outcome !== "refused") {
    const { outcome, counts, stopped } = result;
    log.info({ plan_id, outcome, stopped, ...counts }, "a plan that was asked to be applied has been worked on");
  } else if (result.reason !== "in_progress" && result.reason !== "not_asked") {
    await refuse(explainRefusal(result.reason, plan_id));
  }
}
