import { CsvError, parse as parseCsv } from "csv-parse/sync";
import type { ToFillIn } from "../remediation/fill-in.ts";
import type { GivenValue } from "../remediation/given-values.ts";
import { csvLines, unguarded } from "./csv.ts";

/** Columns of the sheet that a person fills in. `arn`, `key` and `value` are read back, the others are for whoever fills it in. */
const COLUMNS = [
  "arn",
  "name",
  "type",
  "account",
  "owner",
  "rule",
  "kind",
  "current value",
  "key",
  "value",
  "suggestion",
  "suggested by",
  "expected",
] as const;

/** Rows of a sheet: ten times what one run changes by default, and more than a person fills in. */
const MAX_ROWS = 100_000;

/** The first line of the sheet, which names its columns. */
export function sheetHeader(): string {
  return csvLines([COLUMNS]);
}

/** Lines of the sheet, `value` empty. */
export function sheetLines(rows: readonly ToFillIn[]): string {
  return csvLines(
    rows.map(({ arn, name, type, account_id, owner, rules, kind, current, key, suggestion, expected }) => [
      arn,
      name,
      type,
      account_id,
      owner,
      rules.join(" "),
      kind,
      current,
      key,
      "",
      suggestion?.value ?? null,
      suggestion?.from ?? null,
      expected,
    ]),
  );
}

/** What a filled sheet says. `empty`: rows whose value nobody filled in. */
export type ReadSheet = {
  readonly values: readonly GivenValue[];
  readonly empty: number;
  /** Each as `path:line: what`. */
  readonly problems: readonly string[];
};

/** Reads a sheet: with the columns arn, key and value, in any order and among any others; commas, semicolons or tabs between cells. Never throws. */
export function readSheet(path: string, text: string): ReadSheet {
  const records = readRecords(path, text);
  if ("problem" in records) return { values: [], empty: 0, problems: [records.problem] };
  const [header, ...rows] = records;
  const names = (header?.cells ?? []).map(columnName);
  const missing = ["arn", "key", "value"].filter(
    (name) => names.indexOf(name) !== names.lastIndexOf(name) || !names.includes(name),
  );
  if (missing.length > 0) {
    const problem = `${path}:1: the first line has to name the columns arn, key and value, each once: look at ${missing.join(", ")}`;
    return { values: [], empty: 0, problems: [problem] };
  }
  if (rows.length > MAX_ROWS)
    return { values: [], empty: 0, problems: [`${path}:1: it has more than ${MAX_ROWS} rows`] };
  const [arn, key, value] = ["arn", "key", "value"].map((name) => names.indexOf(name)) as [number, number, number];
  const values: GivenValue[] = [];
  const problems: string[] = [];
  let empty = 0;
  for (const { cells, line } of rows) {
    const at = `${path}:${line}`;
    const cell = (column: number) => unguarded(cells[column] ?? "");
    if (cells.length !== names.length)
      problems.push(
        `${at}: ${cells.length} cells, and the first line names ${names.length} columns. Put a cell that has a comma in it in quotes.`,
      );
    else if (cell(value) === "") empty++;
    else values.push({ at, arn: cell(arn).trim(), key: cell(key), value: cell(value) });
  }
  return { values, empty, problems };
}

/** A script that does not know of the byte order mark of our sheets reads the first name as `\ufeff"arn"`, and writes it so. */
function columnName(cell: string): string {
  return cell
    .replace(/^\ufeff"(.*)"$/, "$1")
    .trim()
    .toLowerCase();
}

type Record = { readonly cells: string[]; readonly line: number };

function readRecords(path: string, text: string): Record[] | { readonly problem: string } {
  // The parser counts a carriage return as a line of its own, where no editor sees one.
  const lines = text.replaceAll("\r\n", "\n").replaceAll("\r", " ");
  const header = lines.split("\n", 1)[0] ?? "";
  try {
    const records = parseCsv(lines, {
      bom: true,
      // Spreadsheets write what the language of the system uses.
      delimiter: [",", ";", "\t"].find((one) => header.includes(one)) ?? ",",
      skip_empty_lines: true,
      relax_column_count: true,
      max_record_size: 100_000,
      info: true,
    }) as unknown as { record: string[]; info: { lines: number } }[];
    // Where a record began: it is counted where it ends.
    return records.map(({ record, info }) => ({ cells: record, line: info.lines - breaksIn(record) }));
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = (error as { lines?: number }).lines ?? 1;
    return { problem: `${path}:${line}: not valid CSV: ${error.message}` };
  }
}

function breaksIn(cells: readonly string[]): number {
  return cells.reduce((count, cell) => count + cell.split("\n").length - 1, 0);
}
