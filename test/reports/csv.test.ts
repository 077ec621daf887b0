import * as fc from "fast-check";
import { expect, test } from "vitest";
import { csvLines } from "../../src/reports/csv.ts";

test("every field in quotes, lines end in CRLF, quotes doubled", () => {
  expect(
    csvLines([
      ["a", "b"],
      ['say "hi", twice\nplease', null],
      [1.5, true],
      [new Date(0), ""],
    ]),
  ).toBe('"a","b"\r\n"say ""hi"", twice\nplease",""\r\n"1.5","true"\r\n"1970-01-01T00:00:00.000Z",""\r\n');
});

test.each(["=1+1", "+1", "-2+3", "@SUM(A1)", "\t=1", "\0=1", "\r=1", "\n=1", "＝1"])(
  "a spreadsheet takes %j for text",
  (value) => {
    expect(csvLines([[value]])).toBe(`"'${value}"\r\n`);
  },
);

test("a negative number stays a number", () => {
  expect(csvLines([[-3]])).toBe('"-3"\r\n');
});

test("whatever the cells hold, a reader by RFC 4180 gets them back, but for the guard", () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.string({ unit: "binary" }), { minLength: 1 }), { minLength: 1 }), (rows) => {
      const unguarded = parse(csvLines(rows)).map((row) =>
        row.map((cell) => cell.replace(/^'(?=[=+\-@\t\0\r\n＝＋－＠])/, "")),
      );
      expect(unguarded).toEqual(
        rows.map((row) => row.map((cell) => cell.replace(/^'(?=[=+\-@\t\0\r\n＝＋－＠])/, ""))),
      );
    }),
  );
});

/** A reader of fully quoted CSV. */
function parse(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (let at = 0; at < text.length;) {
    expect(text[at]).toBe('"');
    let cell = "";
    for (at++; ; at++) {
      if (text[at] !== '"') cell += text[at];
      else if (text[at + 1] === '"') cell += text[at++];
      else break;
    }
    at++;
    row.push(cell);
    if (text[at] === ",") at++;
    else {
      expect(text.slice(at, at + 2)).toBe("\r\n");
      at += 2;
      rows.push(row);
      row = [];
    }
  }
  return rows;
}
