import type { FindingRow, Occasion } from "./changes.ts";
import { isWithin7Days } from "./fights.ts";
import type { OpenCause } from "./finding.ts";

/** Why a finding is opened for the first time, where it is not because something was seen. */
const CAUSE_OF_FIRST: Readonly<Partial<Record<Occasion["by"], OpenCause>>> = {
  activation: "rule_changed",
  undo: "undone",
};

/** Why a finding is opened that never was before. */
export function causeOfFirst({ by }: Occasion): OpenCause {
  return CAUSE_OF_FIRST[by] ?? "observed";
}

/** Why a finding is opened again that was resolved. */
export function causeOfReturn({ resolution, resolved_at }: FindingRow, occasion: Occasion): OpenCause {
  if (resolution === "rule_removed" || resolution === "rule_changed" || resolution === "out_of_scope")
    return "rule_restored";
  if (occasion.by === "activation") return "rule_changed";
  if (occasion.by === "undo") return "undone";
  if (resolution === "resource_gone") return "returned";
  return resolution === "fixed_by_remediation" && isWithin7Days(resolved_at, occasion.at) ? "reverted" : "regressed";
}
