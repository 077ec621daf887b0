import { type ComplianceFigures, EXPIRING_DAYS, type ScanFigures } from "../../reports/db/figures.ts";
import type { GaugeRow } from "./gauge-row.ts";

/** Gauges about scans. docs/operating.md has the same table, which a test compares. */
export const SCAN_GAUGES: readonly GaugeRow<ScanFigures>[] = [
  {
    name: "tagwarden_scan_figures_timestamp_seconds",
    help: "When the numbers of scans here were read from the database",
    label: null,
    samples: ({ as_of }) => as_of,
  },
  {
    name: "tagwarden_scans",
    help: "Scans in the database",
    label: "state",
    samples: ({ scans }) => scans,
  },
  {
    name: "tagwarden_scan_targets",
    help: "Targets, account and region, of scans that have not ended",
    label: "state",
    samples: ({ targets }) => targets,
  },
  {
    name: "tagwarden_scan_units",
    help: "Units, target and resource type, of scans that have not ended",
    label: "state",
    samples: ({ units }) => units,
  },
  {
    name: "tagwarden_scan_oldest_queued_target_age_seconds",
    help: "For how long the oldest scan with a target that nobody works on has been asked for; 0 without one",
    label: null,
    samples: ({ oldest_queued_target_age }) => oldest_queued_target_age,
  },
  {
    name: "tagwarden_scan_last_success_timestamp_seconds",
    help: "End of the newest scan that succeeded, by what began it",
    label: "trigger",
    samples: ({ last_success }) => last_success,
  },
  {
    name: "tagwarden_scan_last_end_timestamp_seconds",
    help: "End of the newest scan, by how it ended",
    label: "state",
    samples: ({ last_end }) => last_end,
  },
  {
    name: "tagwarden_scan_duration_seconds",
    help: "How long the newest scan took that succeeded or was partial, by what began it",
    label: "trigger",
    samples: ({ duration }) => duration,
  },
];

/** Gauges about findings, resources and repairs. */
export const COMPLIANCE_GAUGES: readonly GaugeRow<ComplianceFigures>[] = [
  {
    name: "tagwarden_compliance_figures_timestamp_seconds",
    help: "When the numbers of findings, resources and repairs here were read from the database",
    label: null,
    samples: ({ as_of }) => as_of,
  },
  {
    name: "tagwarden_findings_open",
    help: "Open findings that are not exempt",
    label: "severity",
    samples: ({ open_findings }) => open_findings,
  },
  {
    name: "tagwarden_resources",
    help: "Live resources by how they stand",
    label: "status",
    samples: ({ compliance: { compliant, noncompliant, exempt, unknown, not_applicable } }) => ({
      compliant,
      noncompliant,
      exempt,
      unknown,
      not_applicable,
    }),
  },
  {
    name: "tagwarden_compliance_ratio",
    help: "Compliant resources as a share of those compliant or noncompliant, 0 to 1; absent when nothing was judged",
    label: null,
    samples: ({ compliance }) => compliance.ratio,
  },
  {
    name: "tagwarden_coverage_ratio",
    help: "Share of resources in scope that are not unknown, 0 to 1; absent while a unit was never read",
    label: null,
    samples: ({ compliance }) => compliance.coverage,
  },
  {
    name: "tagwarden_units_incomplete",
    help: "Units whose last reading was not complete, those never read included",
    label: null,
    samples: ({ compliance }) => compliance.units_incomplete,
  },
  {
    name: "tagwarden_units_never_read",
    help: "Units whose list never reached its end",
    label: null,
    samples: ({ compliance }) => compliance.units_never_read,
  },
  {
    name: "tagwarden_held_closures",
    help: "Findings that a scan would have closed and that wait for a person",
    label: null,
    samples: ({ held_closures }) => held_closures,
  },
  {
    name: "tagwarden_remediation_actions",
    help: "Actions of all plans in the database",
    label: "state",
    samples: ({ actions }) => actions,
  },
  {
    name: "tagwarden_exemptions_expiring",
    help: `Exemptions in force that end within ${EXPIRING_DAYS} days`,
    label: null,
    samples: ({ exemptions_expiring }) => exemptions_expiring,
  },
];
