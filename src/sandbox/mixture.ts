import type { ResourceType } from "../inventory/resource-types.ts";
import { RESOURCE_TYPE_NAMES } from "../inventory/resource-types.ts";
import { apportion } from "./hash.ts";

/** A number for each type. */
export type Counts = Record<ResourceType, number>;

/** Share of each type in a target, in percent: history dominates, as in accounts that have run for a while. */
const SHARES: Counts = {
  "dataset-group": 2,
  dataset: 7,
  "dataset-import-job": 26,
  "dataset-export-job": 3,
  "data-deletion-job": 3,
  "event-tracker": 2,
  filter: 8,
  recommender: 4,
  solution: 7,
  "solution-version": 20,
  campaign: 6,
  "batch-inference-job": 9,
  "batch-segment-job": 3,
};

/** Types without which their children could not be. */
const ROOTS: readonly ResourceType[] = ["dataset-group", "dataset", "solution", "solution-version"];

/** Statuses of each type with the share of each after the first; the first takes the rest. */
const LONG_LIVED = { ACTIVE: 0, "CREATE FAILED": 0.02, "DELETE IN_PROGRESS": 0.006, "CREATE IN_PROGRESS": 0.004 };
const IMPORTED = { ACTIVE: 0, "CREATE FAILED": 0.05, "CREATE IN_PROGRESS": 0.005, "CREATE PENDING": 0.005 };
const BATCH = { ACTIVE: 0, "CREATE FAILED": 0.05, "IN PROGRESS": 0.01, PENDING: 0.005 };
const STATUSES: Record<ResourceType, Record<string, number>> = {
  "dataset-group": { ACTIVE: 0, "CREATE FAILED": 0.01, "DELETE PENDING": 0.005 },
  dataset: LONG_LIVED,
  "dataset-import-job": IMPORTED,
  "dataset-export-job": IMPORTED,
  "data-deletion-job": { COMPLETED: 0, FAILED: 0.06, IN_PROGRESS: 0.02, PENDING: 0.01 },
  "event-tracker": LONG_LIVED,
  filter: LONG_LIVED,
  recommender: { ACTIVE: 0, INACTIVE: 0.1, "CREATE FAILED": 0.03, "STOP IN_PROGRESS": 0.01, "START PENDING": 0.005 },
  solution: LONG_LIVED,
  "solution-version": { ACTIVE: 0, "CREATE FAILED": 0.04, "CREATE STOPPED": 0.01, "CREATE IN_PROGRESS": 0.005 },
  campaign: LONG_LIVED,
  "batch-inference-job": BATCH,
  "batch-segment-job": BATCH,
};

const STATUS_ENTRIES = Object.fromEntries(
  RESOURCE_TYPE_NAMES.map((type) => [type, Object.entries(STATUSES[type])]),
) as Record<ResourceType, [string, number][]>;

/** Types that carry the marks of a stack (`aws:cloudformation:*`); campaigns and event trackers of a stack do not. */
export const STACK_MARKED = new Set<ResourceType>(["dataset-group", "dataset", "solution"]);
/** Types that a stack of the seeded teams makes. */
export const STACK_MANAGED = new Set<ResourceType>([...STACK_MARKED, "campaign", "event-tracker"]);

/** Kinds of history that teams tag in part only. */
export const JOBS = new Set<ResourceType>(RESOURCE_TYPE_NAMES.filter((type) => type.endsWith("-job")));

/** How many resources of each type a target of a size has. Every child has a parent. */
export function countsOf(size: number): Counts {
  const enough = size >= ROOTS.length;
  const parts = apportion(
    enough ? size : 0,
    RESOURCE_TYPE_NAMES.map((type) => SHARES[type]),
  );
  const counts = Object.fromEntries(RESOURCE_TYPE_NAMES.map((type, i) => [type, parts[i] ?? 0])) as Counts;
  if (!enough) return { ...counts, "dataset-group": size };
  for (const root of ROOTS) {
    if (counts[root] > 0) continue;
    counts[largestLeaf(counts)]--;
    counts[root] = 1;
  }
  return counts;
}

function largestLeaf(counts: Counts): ResourceType {
  const leaves = RESOURCE_TYPE_NAMES.filter((type) => !ROOTS.includes(type) || counts[type] > 1);
  return leaves.reduce((best, type) => (counts[type] > counts[best] ? type : best));
}

/** The status for a throw of the dice in [0, 1). */
export function statusAt(type: ResourceType, roll: number): string {
  let sum = 0;
  for (const [status, share] of STATUS_ENTRIES[type]) {
    sum += share;
    if (roll < sum) return status;
  }
  return STATUS_ENTRIES[type][0]?.[0] ?? "ACTIVE";
}
