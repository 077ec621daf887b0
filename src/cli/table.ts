import { displayWidth, fit, printable } from "../terminal/text.ts";

/** Lines of a table with aligned columns, for a terminal or a pipe. No value can move the cursor. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows].map((row) => row.map(printable));
  const widths = header.map((_, column) => Math.max(...all.map((row) => displayWidth(row[column] ?? ""))));
  const line = (row: string[]) => row.map((cell, column) => fit(cell, widths[column] ?? 0)).join("  ");
  return all.map((row) => `${line(row).trimEnd()}\n`).join("");
}
