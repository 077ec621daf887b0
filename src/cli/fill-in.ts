import { open } from "node:fs/promises";
import { UsageError } from "../config.ts";
import type { Database } from "../db/client.ts";
import type { PolicySet } from "../policy/load.ts";
import { wantedForRepair } from "../policy/needs.ts";
import { type ToFillIn, toFillIn } from "../remediation/fill-in.ts";
import { findingFilter, type PlanFilters, resourceFilter } from "../remediation/filters.ts";
import { loadPlannable } from "../remediation/load.ts";
import { sensitiveKeys } from "../remediation/mask.ts";
import { sheetHeader, sheetLines } from "../reports/values-sheet.ts";

/** Writes the sheet of values that only a person knows into a new file, and says how many. Throws UsageError when it is there already. */
export async function writeFillIn(
  deps: { database: Database; set: PolicySet; now: Date; out: (text: string) => void },
  path: string,
  filters: PlanFilters,
): Promise<void> {
  const { database, set, now, out } = deps;
  // Someone may have filled in half of the file that is there.
  const file = await open(path, "wx").catch((error: NodeJS.ErrnoException) => {
    const reason = error.code === "EEXIST" ? "is there already: name a new file" : `cannot be written (${error.code})`;
    throw new UsageError(`${path} ${reason}.`);
  });
  let rows = 0;
  let suggested = 0;
  try {
    // With it a spreadsheet takes the file for UTF-8.
    await file.write(`\ufeff${sheetHeader()}`);
    for await (const page of sheetPages(database, set, filters, now)) {
      rows += page.length;
      suggested += page.filter(({ suggestion }) => suggestion !== null).length;
      await file.write(sheetLines(page));
    }
  } finally {
    await file.close();
  }
  if (rows === 0) return out(`${path}: no open finding needs a value from a person.\n`);
  const suggestions = suggested === 0 ? "" : `, ${suggested} of them with a suggestion`;
  out(
    `${path}: ${rows} ${rows === 1 ? "value" : "values"} to fill in${suggestions}.\nNext: tagwarden plan --from ${path}\n`,
  );
}

async function* sheetPages(
  database: Database,
  set: PolicySet,
  filters: PlanFilters,
  now: Date,
): AsyncGenerator<ToFillIn[]> {
  const { accounts, regions, types } = filters;
  const isMeant = resourceFilter(filters, sensitiveKeys(set));
  const isSelected = findingFilter(filters);
  // What stands above a resource may suggest a value, whether or not a rule looks there.
  const wanted = { ...wantedForRepair(set.needs), lineage: true };
  for await (const page of loadPlannable(database, { accounts, regions, types }, wanted)) {
    yield page.filter(isMeant).flatMap((one) => toFillIn(set, one, now, isSelected));
  }
}
