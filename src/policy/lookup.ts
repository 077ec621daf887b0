import { CsvError, parse as parseCsv } from "csv-parse/sync";
import { tagValue } from "../tags/tags.ts";
import type { LookupBy } from "./fix-format.ts";
import { type FileProblem, parseFile } from "./parse.ts";
import { NOT_LOOKED_UP } from "../inventory/surroundings.ts";
import type { Subject } from "./subject.ts";
import { anyWildcard } from "./wildcard.ts";

/** A lookup file: rows in order, each a mapping from column to cell. */
export type LookupTable = {
  readonly columns: readonly string[];
  readonly rows: readonly Readonly<Record<string, string>>[];
};

/** The lookup files beside policies: those that could be read, and the paths of those that could not. */
export type Beside = { readonly tables: ReadonlyMap<string, LookupTable>; readonly broken: ReadonlySet<string> };

/** Rows of a file: more than any list of teams has. */
const MAX_ROWS = 100_000;

/** Whether a file beside the policies is a table for `lookup`. */
export function isLookupFile(path: string): boolean {
  return /\.csv$|\.lookup\.ya?ml$/.test(path);
}

/** Reads a lookup file. Never throws. */
export function parseLookup(path: string, text: string): { table: LookupTable | null; problems: FileProblem[] } {
  return path.endsWith(".csv") ? parseCsvTable(text) : parseYamlTable(text);
}

function parseCsvTable(text: string): { table: LookupTable | null; problems: FileProblem[] } {
  try {
    // The parser counts a carriage return as a line of its own, where no editor sees one.
    const lines = text.replaceAll("\r\n", "\n").replaceAll("\r", " ");
    const records = parseCsv(lines, { bom: true, skip_empty_lines: true, trim: true, max_record_size: 100_000 });
    const [columns = [], ...cells] = records;
    const problem = headerProblem(columns, cells.length);
    if (problem) return failed(1, problem);
    const rows = cells.map((row) => Object.fromEntries(columns.map((column, index) => [column, row[index] ?? ""])));
    return { table: { columns, rows }, problems: [] };
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = (error as { lines?: number }).lines ?? 0;
    return failed(line, `not valid CSV: ${error.message}`);
  }
}

function headerProblem(columns: readonly string[], rows: number): string | null {
  if (columns.length === 0) return "is empty: its first line names the columns";
  if (columns.includes("")) return "a column without a name";
  const twice = columns.find((column, index) => columns.indexOf(column) !== index);
  if (twice !== undefined) return `the column \`${twice}\` is there twice`;
  if (columns.includes("__proto__")) return "`__proto__` cannot be a column here";
  return rows > MAX_ROWS ? `has more than ${MAX_ROWS} rows` : null;
}

function parseYamlTable(text: string): { table: LookupTable | null; problems: FileProblem[] } {
  const file = parseFile(text);
  if (file.value === undefined) return { table: null, problems: [...file.problems] };
  const hint = "Write a list of mappings from column to text.";
  if (!Array.isArray(file.value)) return failed(1, "is no list", hint);
  const problems: FileProblem[] = [...file.problems];
  const columns = new Set<string>();
  const rows = (file.value as unknown[]).map((row, index) => {
    if (typeof row !== "object" || row === null || Array.isArray(row)) {
      problems.push({ ...file.valueAt([index]), message: "a row that is no mapping", hint });
      return {};
    }
    for (const [column, cell] of Object.entries(row)) {
      columns.add(column);
      if (typeof cell !== "string")
        problems.push({
          ...file.valueAt([index, column]),
          message: "a cell that is no text",
          hint: "Put it in quotes.",
        });
    }
    return row as Record<string, string>;
  });
  if (rows.length > MAX_ROWS) return failed(1, `has more than ${MAX_ROWS} rows`);
  return problems.length > 0 ? { table: null, problems } : { table: { columns: [...columns], rows }, problems };
}

function failed(line: number, message: string, hint?: string): { table: null; problems: FileProblem[] } {
  const column = line === 0 ? 0 : 1;
  return { table: null, problems: [{ line, column, message, ...(hint !== undefined && { hint }) }] };
}

/**
 * Prepares the question for the cell in `column` of the first row whose other cells match a subject; null: no row does, or the
 * cell is empty. An empty cell matches nothing. Rows without a wildcard are found by their cells at once.
 */
export function lookUp(
  table: LookupTable,
  by: readonly LookupBy[],
  column: string,
): (subject: Subject) => string | null {
  const exact = new Map<string, number>();
  const wild: { index: number; matches: ((text: string) => boolean)[] }[] = [];
  for (const [index, row] of table.rows.entries()) {
    const cells = by.map((name) => row[name] ?? "");
    if (cells.includes("")) continue;
    if (cells.some((cell) => cell.includes("*")))
      wild.push({ index, matches: cells.map((cell) => anyWildcard([cell])) });
    else if (!exact.has(JSON.stringify(cells))) exact.set(JSON.stringify(cells), index);
  }
  return (subject) => {
    const asked = by.map((name) => askedFor(name, subject));
    if (asked.some((text) => text === null)) return null;
    const texts = asked as string[];
    const first = exact.get(JSON.stringify(texts)) ?? Number.POSITIVE_INFINITY;
    const match = wild.find(
      ({ index, matches }) => index < first && matches.every((one, place) => one(texts[place] ?? "")),
    );
    const row = table.rows[match?.index ?? first];
    return row?.[column] || null;
  };
}

function askedFor(name: LookupBy, { resource, tags, around = NOT_LOOKED_UP }: Subject): string | null {
  if (name.startsWith("tags.")) return tagValue(tags, name.slice(5)) ?? null;
  if (name === "account_name") return around.account.known ? around.account.name : null;
  return resource[name as "account_id" | "region" | "type" | "name"];
}
