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

  /** The same, to be spent in thought. */
  copy(): Spending {
    const copy = new Spending(this.#budgets);
    for (const [name, changes] of this.#byTarget) copy.#byTarget.set(name, changes);
    copy.#changes = this.#changes;
    copy.#tried = this.#tried;
    copy.#errors = this.#errors;
    return copy;
  }

  /** Why nothing more may be begun in a target; null: it may. */
  exhausted(target: Place): string | null {
    const { max_changes, max_changes_per_target, error_share, error_minimum } = this.#budgets;
    if (this.#errors > 0 && this.#tried >= error_minimum && this.#errors >= error_share * this.#tried) {
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
    return reason ?? this.force(target);
  }

  /** Counts a change that must be finished whatever the budgets say: never refused. */
  force(target: Place): null {
    this.#changes++;
    this.#byTarget.set(nameOf(target), (this.#byTarget.get(nameOf(target)) ?? 0) + 1);
    return null;
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
