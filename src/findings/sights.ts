import type { Observation, UnitOutcome } from "../inventory/resource.ts";
import type { Judgement } from "../policy/verdict.ts";
import type { HeldClosure } from "./db/held.ts";
import type { UnitCounts } from "./db/units.ts";
import { digestOfEvidence, isFoundAgain } from "./digest.ts";
import type { Changes, FindingChange, Known, Occasion } from "./changes.ts";
import { evidenceOf, reconcile } from "./reconcile.ts";
import { reconcileGone } from "./reconcile-absence.ts";

/** A resource as observed and judged; `judgement` is null unless it was read. */
export type JudgedObservation = { readonly observation: Observation; readonly judgement: Judgement | null };

/** What is known of a resource that was never recorded. */
export const NEVER_SEEN: Known = { resource: null, findings: [] };

/** An outcome with so many readings missing: it closes nothing. */
export function shortOf(outcome: UnitOutcome, missing: number): UnitOutcome {
  const message = `${missing} resources were recorded by an older scan while this one was reading`;
  const error = outcome.error ?? { name: "OvertakenError", message, operation: "record" };
  const state = outcome.state === "complete" ? "partial" : outcome.state;
  return { ...outcome, state, unread: outcome.unread + missing, error };
}

export function arnOf({ observation }: JudgedObservation): string {
  return observation.resource.arn;
}

export function changesOf(known: Known, { observation, judgement }: JudgedObservation, occasion: Occasion): Changes {
  if (observation.outcome === "gone") return reconcileGone(known, occasion);
  return reconcile(known, evidenceOf(observation, judgement), occasion);
}

/** What is known stays as it is. */
export function asKnown({ findings }: Known): Changes {
  return { resource: null, findings: [], unchanged: findings.filter(({ state }) => state === "open").length };
}

/** Whether a sight is of the very state whose digest is stored: then it changes nothing. `digest`: as stored now. */
export function isSettled({ observation, judgement }: JudgedObservation, digest: string | undefined): boolean {
  if (observation.outcome !== "read") return false;
  const evidence = evidenceOf(observation, judgement);
  if (observation.stored_digest !== undefined) return isFoundAgain(observation.stored_digest, evidence);
  return digest !== undefined && digestOfEvidence(evidence) === digest;
}

/** Whether the sight comes without the digest of what was stored. */
export function lacksDigest({ observation }: JudgedObservation): boolean {
  return observation.outcome === "read" && observation.stored_digest === undefined;
}

/** What `reconcile` says of a settled sight: each violation is an open finding, and stays as it is. */
export function settledChanges({ judgement }: JudgedObservation): Changes {
  return { resource: null, findings: [], unchanged: judgement?.violations.length ?? 0 };
}

export function byArn(held: readonly HeldClosure[]): Map<string, HeldClosure[]> {
  return Map.groupBy(held, ({ arn }) => arn);
}

export function summarize(
  changes: readonly FindingChange[],
  state: UnitCounts["state"],
  rest: { unchanged: number; held: number },
): UnitCounts {
  const count = (name: FindingChange["event"]) => changes.filter(({ event }) => event === name).length;
  return {
    state,
    opened: count("opened"),
    reopened: count("reopened"),
    changed: count("changed"),
    resolved: count("resolved"),
    ...rest,
  };
}
