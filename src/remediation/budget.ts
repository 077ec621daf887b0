import type { Target } from "../inventory/resource.ts";

/** How much a run may do before it stops by itself. */
export type Budgets = {
  /** Resources that one run may write to. */
  readonly max_changes: number;
  /** Resources that one run may write to in one account and region. */
  readonly max_changes_per_target: number;
  /** The run stops when this share of what it tried failed, 0..1. */
  readonly error_share: number;
  /** … but not before it has tried so many. */
  readonly error_minimum: number;
};

/** 1,000 changes a run, 500 a target, stop at 20 % errors of at least 20. */
export const DEFAULT_BUDGETS: Budgets = {
  max_changes: 1000,
  max_changes_per_target: 500,
  error_share: 0.2,
  error_minimum: 20,
};

type Place = Pick<Target, "account_id" | "region">;

/** What one run has spent of its budgets. */
export class Spending {
  readonly #budgets: Budgets;
  readonly #byTarget = new Map<string, number>();
  #changes = 0;
  #tried = 0;
  #errors = 0;

  constructor(budgets: Budgets) {
    this.#budgets = budgets;
  }

  /** Resources written to so far. */
  get changes(): number {
    return this.#changes;
  }

  /** Why nothing more may be begun in a target; null: it may. */
  exhausted(target: Place): string | null {
    const { max_changes, max_changes_per_target, error_share, error_minimum } = this.#budgets;
    if (this.#tried >= error_minimum && this.#errors >= error_share * this.#tried) {
      return `${this.#errors} of ${this.#tried} tried actions failed`;
    }
    if (this.#changes >= max_changes) return `the budget of ${max_changes} changes a run is used up`;
    if ((this.#byTarget.get(nameOf(target)) ?? 0) >= max_changes_per_target) {
      return `the budget of ${max_changes_per_target} changes in ${nameOf(target)} is used up`;
    }
    return null;
  }

  /** Takes one change from the budgets, right before it is written. Returns why it may not be; null: it may. */
  spend(target: Place): string | null {
    const reason = this.exhausted(target);
    if (reason === null) this.force(target);
    return reason;
  }

  /** Counts a change that must be finished whatever the budgets say. */
  force(target: Place): void {
    this.#changes++;
    this.#byTarget.set(nameOf(target), (this.#byTarget.get(nameOf(target)) ?? 0) + 1);
  }

  /** Counts an action that reached the service. */
  tried(failed: boolean): void {
    this.#tried++;
    if (failed) this.#errors++;
  }
}

function nameOf({ account_id, region }: Place): string {
  return `${account_id}/${region}`;
}
