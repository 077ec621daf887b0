import type { Observation } from "../inventory/resource.ts";
import type { HeldClosure } from "./db/held.ts";
import type { Changes, FindingChange } from "./changes.ts";

/** Above what a unit's closures wait for confirmation: more than this share of its open findings, and more than this many. */
export type MassCloseLimits = { readonly share: number; readonly count: number };

/** A list shorter than this share of what is usual, by more than so many resources, is not believed at once. */
const DROP = { share: 0.5, count: 50 };

/** How many earlier listings say what is usual. */
const USUAL = 5;

/** Whether closing `closing` of `open` findings of one unit is too much to be done unasked. Both limits must be passed. */
export function isMassClose(closing: number, open: number, limits: MassCloseLimits): boolean {
  return closing > limits.count && closing > limits.share * open;
}

/**
 * Whether a unit lists suspiciously little: below half the median of its last five complete scans, given newest first, and
 * by more than 50 resources. Without an earlier one nothing is suspicious.
 */
export function isListingDrop(listed: number, earlier: readonly number[]): boolean {
  const sorted = earlier.slice(0, USUAL).toSorted((a, b) => a - b);
  const low = sorted[Math.floor((sorted.length - 1) / 2)];
  const high = sorted[Math.ceil((sorted.length - 1) / 2)];
  if (low === undefined || high === undefined) return false;
  const median = (low + high) / 2;
  return listed < DROP.share * median && median - listed > DROP.count;
}

/** Closures that count: not those that the service itself showed in this scan, and not those that an earlier scan held, which this one agrees with. */
export function countedClosures(changes: readonly Changes[], agreed: ReadonlySet<string>): FindingChange[] {
  return changes.flatMap(({ findings }) => findings.filter((change) => counts(change, agreed)));
}

/** Takes the closures that count out of the changes. A resource stays where it is as long as a finding of it does. */
export function holdClosures(
  changes: readonly Changes[],
  agreed: ReadonlySet<string>,
): { applied: Changes[]; held: FindingChange[] } {
  const held: FindingChange[] = [];
  const applied = changes.map((one) => {
    const waiting = one.findings.filter((change) => counts(change, agreed));
    if (waiting.length === 0) return one;
    if (closesAll(one)) {
      held.push(...one.findings);
      return { resource: null, findings: [], unchanged: 0 };
    }
    held.push(...waiting);
    return { ...one, findings: one.findings.filter((change) => !waiting.includes(change)) };
  });
  return { applied, held };
}

/** Which of the closures that wait for a resource no longer hold: it is there after all, or still in violation. */
export function contradictions(
  held: readonly HeldClosure[],
  { outcome }: Pick<Observation, "outcome">,
  changes: Changes,
): string[] {
  if (outcome === "gone") return [];
  const closing = new Set(changes.findings.flatMap(({ event, finding }) => (event === "resolved" ? finding.id : [])));
  return held
    .filter(({ finding_id, resolution }) =>
      resolution === "resource_gone" ? true : outcome === "read" && !closing.has(finding_id),
    )
    .map(({ finding_id }) => finding_id);
}

/** What may be applied of an incomplete unit: it opens and changes, and closes nothing. */
export function withoutClosures(changes: readonly Changes[]): Changes[] {
  return changes.map((one) => {
    const findings = one.findings.filter(({ event }) => event !== "resolved");
    return {
      resource: closesAll(one) ? null : one.resource,
      findings,
      unchanged: one.unchanged + one.findings.length - findings.length,
    };
  });
}

function counts({ event, proven, finding }: FindingChange, agreed: ReadonlySet<string>): boolean {
  return event === "resolved" && !proven && !agreed.has(finding.id);
}

function closesAll({ resource }: Changes): boolean {
  return resource !== null && resource.gone_at !== null;
}
