import type { ActionCounts } from "./store.ts";

/** What became of the actions of a plan: `planned` is how many there are, and the sum of the others. */
export type RemediationCounts = {
  readonly planned: number;
  readonly verified: number;
  readonly unchanged: number;
  readonly conflict: number;
  readonly failed: number;
  readonly blocked: number;
  readonly skipped: number;
};

/** Nothing was to be done. */
export const NO_COUNTS: RemediationCounts = {
  planned: 0,
  verified: 0,
  unchanged: 0,
  conflict: 0,
  failed: 0,
  blocked: 0,
  skipped: 0,
};

/**
 * Counts by state as people read them. What no run has begun counts as blocked, by a budget or a stop; what was begun and has
 * not ended counts as failed. `remaining` is how many these are.
 */
export function countsOf(states: ActionCounts): { counts: RemediationCounts; remaining: number } {
  const { planned, intended, verified, unchanged, conflict, skipped } = states;
  const failed = states.failed + intended;
  const blocked = states.blocked + planned;
  const total = verified + unchanged + conflict + failed + blocked + skipped;
  return {
    counts: { planned: total, verified, unchanged, conflict, failed, blocked, skipped },
    remaining: planned + intended,
  };
}

/** The sum of two. */
export function addCounts(one: RemediationCounts, other: RemediationCounts): RemediationCounts {
  return {
    planned: one.planned + other.planned,
    verified: one.verified + other.verified,
    unchanged: one.unchanged + other.unchanged,
    conflict: one.conflict + other.conflict,
    failed: one.failed + other.failed,
    blocked: one.blocked + other.blocked,
    skipped: one.skipped + other.skipped,
  };
}

/** What runs since then have ended, of a plan that was at `before` and is at `after`. */
export function countsSince(before: ActionCounts, after: ActionCounts): RemediationCounts {
  const { counts } = countsOf(after);
  const { counts: earlier } = countsOf({ ...before, planned: 0, intended: 0 });
  return {
    planned: counts.planned - earlier.planned,
    verified: counts.verified - earlier.verified,
    unchanged: counts.unchanged - earlier.unchanged,
    conflict: counts.conflict - earlier.conflict,
    failed: counts.failed - earlier.failed,
    blocked: counts.blocked - earlier.blocked,
    skipped: counts.skipped - earlier.skipped,
  };
}

/** Of a plan without actions. */
export const NO_ACTIONS: ActionCounts = {
  planned: 0,
  intended: 0,
  verified: 0,
  unchanged: 0,
  conflict: 0,
  failed: 0,
  blocked: 0,
  skipped: 0,
};
