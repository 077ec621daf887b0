import type { ReadingSource } from "../inventory/resource.ts";
import type { resources } from "../inventory/schema.ts";
import type { FindingEventName, Resolution } from "./finding.ts";
import type { findings } from "./schema.ts";

/** A stored resource. Its digest follows from the rest, and is computed where rows are written. */
export type ResourceRow = Omit<typeof resources.$inferSelect, "digest">;
/** A stored finding. */
export type FindingRow = typeof findings.$inferSelect;

/** What the database holds of one resource: its row, and all its findings, open and resolved. */
export type Known = { readonly resource: ResourceRow | null; readonly findings: readonly FindingRow[] };

/** On what occasion known and observed are compared: it decides what the changes are called. */
export type Occasion = {
  readonly at: Date;
  readonly scan_id: string | null;
  /** Who, when it was not a scan. */
  readonly actor: string | null;
  readonly policy_set_id: string;
} & (
  | { readonly by: "scan" }
  /** The service was asked for this one resource, because an event told of it. */
  | { readonly by: "event" }
  /** Another set of policies was activated; `has_rule`: whether it has a rule. */
  | { readonly by: "activation"; readonly has_rule: (policy_id: string, rule_id: string) => boolean }
  /** A write of ours was verified; `finding_ids`: what it meant to repair. */
  | { readonly by: "repair"; readonly finding_ids: ReadonlySet<string> }
  /** A write of ours was verified that put back what an earlier one had changed. */
  | { readonly by: "undo"; readonly finding_ids: ReadonlySet<string> }
);

/** One change of a finding. `finding` is the row as it is afterwards. */
export type FindingChange = {
  readonly event: FindingEventName;
  /** OpenCause, Resolution, or the names of the changed fields. */
  readonly cause: string;
  readonly finding: FindingRow;
  /** Reading that showed it; null where none did. */
  readonly source: ReadingSource | null;
  /** A closure that the service itself showed in this scan: the mass-close guard does not count it. */
  readonly proven: boolean;
};

/** What is to be written for one resource; `resource` null and no findings: nothing. */
export type Changes = {
  readonly resource: ResourceRow | null;
  readonly findings: readonly FindingChange[];
  /** Findings that are open before and after, as they were. */
  readonly unchanged: number;
};

/** A closure decided earlier and confirmed now. */
export function resolved(
  finding: FindingRow,
  resolution: Resolution,
  occasion: Occasion,
  evidence: { source: ReadingSource | null; proven: boolean },
): FindingChange {
  return {
    event: "resolved",
    cause: resolution,
    finding: { ...finding, state: "resolved", resolution, resolved_at: occasion.at, ...scanned(occasion) },
    ...evidence,
  };
}

/** How many findings are open. */
export function countOpen(known: readonly FindingRow[]): number {
  return known.filter(({ state }) => state === "open").length;
}

/** When and by which scan a resource was written. */
export function recorded(occasion: Occasion): { recorded_at: Date; recorded_scan_id?: string } {
  return { recorded_at: occasion.at, ...(occasion.scan_id !== null && { recorded_scan_id: occasion.scan_id }) };
}

/** Which scan a finding was last written by. */
export function scanned(occasion: Occasion): { last_scan_id?: string } {
  return occasion.scan_id === null ? {} : { last_scan_id: occasion.scan_id };
}
