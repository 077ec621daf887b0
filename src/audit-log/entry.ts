/** Everything that the audit log can tell of. A word, once used, stays what it means. */
export const AUDIT_ACTIONS = [
  "plan.created",
  "plan.approved",
  "plan.rejected",
  "plan.apply_requested",
  "plan.apply_refused",
  "plan.run_started",
  "plan.run_ended",
  "write.began",
  "write.ended",
  "fight.ended",
  "remediation.paused",
  "remediation.resumed",
  "exemption.added",
  "exemption.changed",
  "exemption.revoked",
  "policies.activated",
  "scan.requested",
  "scan.cancelled",
  "scan.confirmed",
  "scan.rejected",
  "schedule.created",
  "schedule.changed",
  "schedule.deleted",
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** Something that JSON can say. */
type AuditValue = string | number | boolean | null | AuditValue[] | { [name: string]: AuditValue };

/** What more there is to say: keys, counts, hashes, states, reasons. Never the value of a tag. */
export type AuditDetail = { [name: string]: AuditValue };

/** What somebody did, before it has its place in the log. */
export type AuditEntry = {
  readonly at: Date;
  /** Who: as the caller told, or as AWS or the system names who runs a command. */
  readonly actor: string;
  readonly action: AuditAction;
  /** What it was done to: an id or an ARN. */
  readonly subject: string;
  readonly detail: AuditDetail;
};
