/**
 * Lines of CSV by RFC 4180: every field in quotes, lines end in CRLF. A cell that a spreadsheet would take for a formula gets a
 * `'` in front (OWASP ASVS 1.2.10): it begins with `=`, `+`, `-`, `@`, tab, NUL, CR or LF, or with the full-width form of one.
 */
export function csvLines(rows: readonly (readonly CsvValue[])[]): string {
  return rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** What a cell may hold. A number stays a number, whatever its sign; null is an empty cell. */
export type CsvValue = string | number | boolean | Date | null;

function cell(value: CsvValue): string {
  if (value === null) return '""';
  if (typeof value === "number" || typeof value === "boolean") return `"${value}"`;
  const text = value instanceof Date ? value.toISOString() : value;
  const guarded = FORMULA.test(text) ? `'${text}` : text;
  return `"${guarded.replaceAll('"', '""')}"`;
}

/** What a cell held before it was guarded. No tag can begin with `'` by itself. */
export function unguarded(cell: string): string {
  return cell.startsWith("'") && FORMULA.test(cell.slice(1)) ? cell.slice(1) : cell;
}

const FORMULA = /^[=+\-@\t\0\r\n＝＋－＠]/;
