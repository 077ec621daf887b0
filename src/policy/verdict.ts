import type { ReadError } from "../inventory/resource.ts";

/** How bad a violation is, in rising order. */
export const SEVERITIES = ["low", "medium", "high", "critical"] as const;
export type Severity = (typeof SEVERITIES)[number];

/**
 * What kind of violation: one for each rule and canonical key.
 * `invalid`: the key is there, its value is not allowed. `variant`: a declared alias is there. `missing`: neither is.
 * `forbidden`: a key that must not be there is. `too_many`: more tags than allowed. `assertion`: a condition over the tags is false.
 */
export const VIOLATION_KINDS = ["missing", "invalid", "variant", "forbidden", "too_many", "assertion"] as const;
export type ViolationKind = (typeof VIOLATION_KINDS)[number];

/** What kind of finding: of a violation, or `fight`, where others keep reverting our repairs of a key. */
export const FINDING_KINDS = [...VIOLATION_KINDS, "fight"] as const;
export type FindingKind = (typeof FINDING_KINDS)[number];

/** What a rule saw and what it wanted, in words and values a report can show. Never part of a finding's identity. */
export type ViolationDetail = {
  /** One sentence, without tag values. */
  readonly message: string;
  /** Keys and values that the rule looked at and found: the canonical key, aliases, forbidden keys. Values may be personal data. */
  readonly observed: Readonly<Record<string, string>>;
  /** What would pass, in words: `one of dev, staging, prod`. */
  readonly expected: string;
  /** A key of the resource that is no declared alias but looks like the canonical key. */
  readonly near_miss?: string;
  /** Number of user tags, for `too_many`. */
  readonly count?: number;
  /** Of a `fight`: over what, and with whom. */
  readonly fight?: FightDetail;
};

/** A fight over a key: we repair, somebody reverts. Instants are ISO 8601. */
export type FightDetail = {
  /** The rule by which we repair. */
  readonly policy_id: string;
  readonly rule_id: string;
  /** How often the repair was reverted, each time within 7 days of the one before. */
  readonly reverts: number;
  /** When our last repair was recorded, and when it was first seen to be reverted. */
  readonly repaired_at: string;
  readonly reverted_at: string;
  /** Who wrote tags of the resource between the two, the last one that was not us. Absent: nobody was named. */
  readonly by?: { readonly principal: string; readonly at: string };
  /** What CloudTrail answered when it was asked who that was. Absent: it was not asked, or somebody is named. */
  readonly lookup?: FightLookup;
  /** Why a person ended it. */
  readonly end_reason?: string;
};

/** That CloudTrail named nobody, or why it could not be asked; and when, in ISO 8601. */
export type FightLookup =
  | { readonly outcome: "nobody"; readonly at: string }
  | { readonly outcome: "failed"; readonly at: string; readonly error: ReadError };

/** A violation of one rule on one resource. */
export type Violation = {
  readonly policy_id: string;
  readonly rule_id: string;
  /** The canonical key; for `forbidden` the key seen; "" where the rule is about the tag set. */
  readonly key: string;
  readonly kind: ViolationKind;
  readonly severity: Severity;
  readonly detail: ViolationDetail;
};

/** What a set of policies says about one resource. */
export type Judgement = {
  /** Rules that apply to this resource; 0: the resource is `not_applicable`. */
  readonly rules: number;
  readonly violations: readonly Violation[];
  /** Rules that could not be judged, with the reason: never a pass. */
  readonly unknowns: readonly { readonly policy_id: string; readonly rule_id: string; readonly reason: string }[];
};
