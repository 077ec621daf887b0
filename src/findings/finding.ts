/** `open` or `resolved`; whether a person accepted it is another axis, joined at read time. */
export type FindingState = "open" | "resolved";

/** Why a finding is resolved. */
export type Resolution =
  | "fixed_observed"
  | "fixed_by_remediation"
  | "resource_gone"
  | "rule_removed"
  | "rule_changed"
  | "out_of_scope"
  /** A person ended a fight. */
  | "ended";

/** Why a finding was opened: the first time, or again. */
export type OpenCause =
  | "observed"
  | "regressed"
  | "returned"
  | "rule_restored"
  | "rule_changed"
  | "reverted"
  /** We put back what a repair of ours had written. */
  | "undone";

/** What happened to a finding. */
export type FindingEventName = "opened" | "changed" | "reopened" | "resolved";

/** What a person made of closures that were held. */
export type HeldDecision = "confirmed" | "rejected";
