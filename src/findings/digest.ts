import { appendJson, digestOf, readingDigest } from "../inventory/reading-digest.ts";
import type { Violation } from "../policy/verdict.ts";
import { stackOf } from "../tags/stack.ts";
import type { FindingRow, ResourceRow } from "./changes.ts";
import { type Evidence, standingColumns } from "./reconcile.ts";

/*
 * Nearly every resource of a scan is as it was. To see that, `reconcile` needs its row and all its findings, and to load those
 * costs more than the rest of a steady scan. So beside the row stands a digest of all that `reconcile` compares: what was read of
 * the resource, its standing, and each open finding with its kind, severity and detail. A scan computes the digest of the state
 * in which its evidence would change nothing. When the two are equal, the state is that one, whatever came in between: nothing is
 * to be written, and each violation is an open finding that stays as it is.
 *
 * Why equal digests are enough, field by field of `reconcile`: the tags are the same, `aws:` ones included, so the reading is not
 * outdated and repeats what is stored; what names a stack is the same; no finding opens, changes or reopens, because each violation
 * has an open finding that says the same; and none closes, because there is no other open finding. The source of a reading, its
 * time, and resolved findings then have no say. The set of policies is no part of it: another one that says the same changes nothing.
 *
 * A fight that goes on is an open finding and no violation, so no evidence has the digest of its resource: that is compared in every
 * scan, because a fight may be over by time alone.
 */

/**
 * Digest of a stored state; null where no evidence leaves everything as it is: gone, absent from the last list, or not read the
 * last time. Its first part is the resource's as it was read, the second one what was found on it.
 */
export function digestOfState(row: ResourceRow, findings: readonly FindingRow[]): string | null {
  const { tags } = row;
  if (row.gone_at !== null || row.absences !== 0 || row.reading_error !== null || tags === null) return null;
  const open = findings.filter(({ state }) => state === "open");
  return readingDigest({ ...row, tags }) + foundDigest(row, open);
}

/** Digest of the state that evidence would leave as it is; null without a judged reading. */
export function digestOfEvidence(evidence: Evidence): string | null {
  const { resource, in_index, reading, judgement } = evidence;
  if (reading === null || judgement === null) return null;
  const stack = stackOf(reading.tags) ?? evidence.stack ?? null;
  const read = readingDigest({ ...resource, in_index, tags: reading.tags, stack });
  return read + foundDigest(standingColumns(null, evidence), judgement.violations);
}

/** Whether evidence would leave the state with this digest as it is, given that what was read is what that state holds. */
export function isFoundAgain(digest: string, evidence: Evidence): boolean {
  const { judgement } = evidence;
  if (judgement === null) return false;
  return digest.endsWith(foundDigest(standingColumns(null, evidence), judgement.violations));
}

/** What a digest is of: open findings, or the violations of which they would be. */
type Found = Omit<Violation, "kind"> & Pick<FindingRow, "kind">;

function foundDigest(row: Pick<ResourceRow, "standing" | "unknown_reason">, violations: readonly Found[]): string {
  const found = violations.map(({ policy_id, rule_id, key, kind, severity, detail }) => {
    const finding: unknown[] = [policy_id, rule_id, key, kind, severity];
    appendJson(detail, finding);
    return JSON.stringify(finding);
  });
  return digestOf([row.standing, row.unknown_reason, ...found.sort()]);
}
