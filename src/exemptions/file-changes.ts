import type { FileExemption } from "./check.ts";
import { beginningOf, differenceOf, type ExemptionSource, MADE, problemsOf, type Terms, termsOf } from "./exemption.ts";

/** An exemption as it is stored, as far as files are concerned with it. */
export type Stored = Terms & {
  readonly id: string;
  readonly source: ExemptionSource;
  readonly file: string | null;
  readonly revoked_at: Date | null;
};

/** What has to be done so that the database says what the files say. `moved`: another file says the same. */
export type FileChange<Row extends Stored> =
  | { readonly change: "created"; readonly entry: FileExemption; readonly terms: Terms }
  | { readonly change: "changed" | "restored"; readonly row: Row; readonly entry: FileExemption; readonly terms: Terms }
  | { readonly change: "moved"; readonly row: Row; readonly entry: FileExemption }
  | { readonly change: "revoked"; readonly row: Row; readonly note: string };

/** An exemption of a file that cannot be recorded. */
export type Conflict = { readonly entry: FileExemption; readonly message: string };

/**
 * Compares what files say with what is stored, at an instant. What has expired, in the file or in the database, is left as it
 * is: it does nothing. What no file says any more is revoked, unless it is over anyway.
 */
export function compareWithFiles<Row extends Stored>(
  rows: readonly Row[],
  entries: readonly FileExemption[],
  at: Date,
): { changes: FileChange<Row>[]; conflicts: Conflict[] } {
  const stored = new Map(rows.map((row) => [row.id, row]));
  const changes: FileChange<Row>[] = [];
  const conflicts: Conflict[] = [];
  for (const entry of entries) {
    const row = stored.get(entry.id) ?? null;
    if (row && row.source !== "file") {
      conflicts.push({
        entry,
        message: `the exemption id \`${entry.id}\` is taken by one that was made ${MADE[row.source]}`,
      });
      continue;
    }
    const change = changeFor(entry, row, at);
    if (change && "terms" in change && entry.expires_at > at) {
      const [problem] = problemsOf(change.terms, at);
      if (problem) conflicts.push({ entry, message: `\`${entry.id}\` ${problem.message}` });
    }
    if (change) changes.push(change);
  }
  const said = new Set(entries.map(({ id }) => id));
  for (const row of rows) {
    if (row.source !== "file" || row.revoked_at || row.expires_at <= at || said.has(row.id)) continue;
    changes.push({ change: "revoked", row, note: `${row.file ?? "its file"} does not say it any more` });
  }
  return { changes, conflicts };
}

function changeFor<Row extends Stored>(entry: FileExemption, row: Row | null, at: Date): FileChange<Row> | null {
  const over = entry.expires_at <= at;
  if (row === null || row.revoked_at) {
    if (over) return null;
    const terms = termsOf({ ...entry, starts_at: entry.starts_at ?? at });
    return row === null ? { change: "created", entry, terms } : { change: "restored", row, entry, terms };
  }
  if (over && row.expires_at <= at) return null;
  const terms = termsOf({ ...entry, starts_at: over ? row.starts_at : beginningOf(entry, row, at) });
  if (terms.expires_at <= terms.starts_at) {
    return { change: "revoked", row, note: `${entry.file} lets it end before it began` };
  }
  if (differenceOf(termsOf(row), terms)) return { change: "changed", row, entry, terms };
  return row.file === entry.file ? null : { change: "moved", row, entry };
}

/** What changed, in words such as `1 new (poc), 2 revoked (a, b)`; empty: nothing. */
export function describeFileChanges(changes: readonly FileChange<Stored>[]): string {
  const words = { created: "new", changed: "changed", restored: "said again", revoked: "revoked" } as const;
  return (["created", "changed", "restored", "revoked"] as const)
    .map((kind) => ({ kind, ids: changes.filter(({ change }) => change === kind).map(idOf) }))
    .filter(({ ids }) => ids.length > 0)
    .map(
      ({ kind, ids }) => `${ids.length} ${words[kind]} (${ids.slice(0, 5).join(", ")}${ids.length > 5 ? ", …" : ""})`,
    )
    .join(", ");
}

function idOf(change: FileChange<Stored>): string {
  return "row" in change ? change.row.id : change.entry.id;
}
