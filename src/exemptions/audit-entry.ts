import type { AuditEntry } from "../audit-log/entry.ts";
import type { ExemptionEventName, ExemptionSource, Terms } from "./exemption.ts";

/** The parts of a scope. */
const SCOPE = ["policy_id", "rule_id", "key", "accounts", "regions", "types", "names", "arns", "tags"] as const;

const ACTIONS = {
  created: "exemption.added",
  changed: "exemption.changed",
  restored: "exemption.changed",
  moved: "exemption.changed",
  revoked: "exemption.revoked",
} as const;

/**
 * What the audit log is told of an exemption, as it is after the change. Of its scope it is told which parts are named and the rule, and not
 * the tags, which have values. `fields`: what is not as it was.
 */
export function auditEntryOf(
  row: Terms & {
    readonly id: string;
    readonly source: ExemptionSource;
    readonly file: string | null;
    readonly version: number;
  },
  change: {
    readonly at: Date;
    readonly actor: string;
    readonly event: ExemptionEventName | "moved";
    readonly note: string | null;
    readonly fields?: readonly string[];
  },
): AuditEntry {
  const { id, source, file, version, policy_id, rule_id, key, reason, ticket, requested_by, approved_by } = row;
  const { at, actor, event, note, fields = [] } = change;
  const scope = SCOPE.filter((name) => row[name] !== null);
  const terms = { policy_id, rule_id, key, scope, reason, ticket, requested_by, approved_by };
  const period = { starts_at: row.starts_at.toISOString(), expires_at: row.expires_at.toISOString() };
  const changed = event === "changed" || event === "restored" ? { fields: [...fields] } : {};
  const detail = { event, source, file, version, ...changed, ...terms, ...period, note };
  return { at, actor, action: ACTIONS[event], subject: id, detail };
}
