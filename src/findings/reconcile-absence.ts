import { type Changes, countOpen, type Known, type Occasion, recorded, resolved } from "./changes.ts";

/** Complete scans in a row that did not list a resource, after which it is gone: one could be a list that lagged. */
export const ABSENCES_UNTIL_GONE = 2;

/** A complete unit did not list this resource. The second time in a row it is gone. */
export function reconcileAbsence(known: Known, occasion: Occasion): Changes {
  if (known.resource === null) return { resource: null, findings: [], unchanged: 0 };
  const absences = known.resource.absences + 1;
  if (absences >= ABSENCES_UNTIL_GONE) return reconcileGone(known, occasion, absences);
  return {
    resource: { ...known.resource, absences, ...recorded(occasion) },
    findings: [],
    unchanged: countOpen(known.findings),
  };
}

/** The service says that a resource is gone, or it was absent for long enough. One that was never recorded leaves no trace. */
export function reconcileGone(known: Known, occasion: Occasion, absences = known.resource?.absences ?? 0): Changes {
  if (known.resource === null || known.resource.gone_at !== null) return { resource: null, findings: [], unchanged: 0 };
  const open = known.findings.filter(({ state }) => state === "open");
  return {
    resource: { ...known.resource, absences, gone_at: occasion.at, ...recorded(occasion) },
    findings: open.map((finding) => resolved(finding, "resource_gone", occasion, { source: null, proven: false })),
    unchanged: 0,
  };
}

/**
 * Its account was closed or left the organization, as AWS Organizations says: nothing can be read there any longer, and no rule
 * applies to it. The resource may well exist, so it is not gone.
 */
export function reconcileOutOfScope(known: Known, occasion: Occasion): Changes {
  if (known.resource === null) return { resource: null, findings: [], unchanged: 0 };
  const open = known.findings.filter(({ state }) => state === "open");
  const standing = { standing: "not_applicable", unknown_reason: null, reading_error: null } as const;
  const isOut = known.resource.standing === standing.standing && known.resource.reading_error === null;
  return {
    resource: isOut ? null : { ...known.resource, ...standing, ...recorded(occasion) },
    findings: open.map((finding) => resolved(finding, "out_of_scope", occasion, { source: null, proven: false })),
    unchanged: 0,
  };
}
