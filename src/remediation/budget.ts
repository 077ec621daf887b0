import type { Target } from "../inventory/resource.ts";
import type { Canary } from "./canary.ts";
import { type QuietHours, quietAt } from "../cron/quiet-hours.ts";

/** How much a run may do before it stops by itself. */
export type Budgets = {
  /** Resources that one run may write to. */
  readonly max_changes: number;
  /** Resources that one run may write to in one account and region. */
  readonly max_changes_per_target: number;
  /** Resources that all runs together may write to within an hour. */
  readonly max_changes_per_hour: number;
  /** The run stops when this share of what it tried failed, 0..1. */
  readonly error_share: number;
  /** … but not before it has tried so many. */
  readonly error_minimum: number;
  /** Actions under way at the same time in one account and region: what is begun when something stops a run. */
  readonly actions_at_once: number;
  /** What is tried before the rest. */
  readonly canary: Canary;
  /** When nothing is begun. */
  readonly quiet_hours: readonly QuietHours[];
};

type Place = Pick<Target, "account_id" | "region">;

/** What one run has spent of its budgets. */
export class Spending {
  readonly #budgets: Budgets;
  readonly #byTarget = new Map<string, number>();
  /** Changes by all runs in the last hour when that was last looked up, and by this one since. */
  #hour = { before: 0, since: 0 };
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
    copy.#hour = { ...this.#hour };
    copy.#changes = this.#changes;
    copy.#tried = this.#tried;
    copy.#errors = this.#errors;
    return copy;
  }

  /** Takes over how many changes all runs made in the last hour, this one's included. */
  sawHour(changes: number): void {
    this.#hour = { before: changes, since: 0 };
  }

  /** Why nothing more may be begun in a target at an instant; null: it may. */
  exhausted(target: Place, now: Date): string | null {
    const { max_changes, max_changes_per_target, max_changes_per_hour, error_share, error_minimum, quiet_hours } =
      this.#budgets;
    const quiet = quietAt(quiet_hours, now);
    if (quiet !== null) return quiet;
    if (this.#errors > 0 && this.#tried >= error_minimum && this.#errors >= error_share * this.#tried) {
      return `${this.#errors} of ${this.#tried} tried actions failed`;
    }
    if (this.#changes >= max_changes) return `the budget of ${max_changes} changes a run is used up`;
    if (this.#hour.before + this.#hour.since >= max_changes_per_hour) {
      return `the budget of ${max_changes_per_hour} changes an hour is used up`;
    }
    if ((this.#byTarget.get(nameOf(target)) ?? 0) >= max_changes_per_target) {
      return `the budget of ${max_changes_per_target} changes in ${nameOf(target)} is used up`;
    }
    return null;
  }

  /** Takes one change from the budgets, right before it is written. Returns why it may not be; null: it may. */
  spend(target: Place, now: Date): string | null {
    const reason = this.exhausted(target, now);
    return reason ?? this.force(target);
  }

  /** Counts a change that must be finished whatever the budgets say: never refused. */
  force(target: Place): null {
    this.#changes++;
    this.#hour.since++;
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
