import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { apply } from "../../src/cli/apply.ts";
import { writeFillIn } from "../../src/cli/fill-in.ts";
import { plan } from "../../src/cli/plan.ts";
import type { ToFillIn } from "../../src/remediation/fill-in.ts";
import { parents } from "../../src/inventory/schema.ts";
import { csvLines } from "../../src/reports/csv.ts";
import { readSheet, sheetHeader, sheetLines } from "../../src/reports/values-sheet.ts";
import { workFolder } from "../support/cli.ts";
import { describeOnBoth } from "../support/database.ts";
import { exemptNow } from "../support/exemptions.ts";
import { ACTOR, ANYONE, GOOD, POLICY, setOf, World } from "./world.ts";

const SET = setOf(
  POLICY,
  `
version: 1
id: who
title: Who answers
rules:
  - {id: owner, key: Owner, required: true, format: email}
  - {id: stage, key: Stage, values: [alpha, beta]}
  - {id: secret, key: Secret, pattern: '\\d+', sensitive: true}
`,
);

describeOnBoth("a sheet of what only a person knows, on %s", (kind) => {
  let world: World;
  let folder: string;
  let printed = "";
  let sheets = 0;
  beforeAll(async () => {
    world = await World.open(kind);
    folder = await workFolder();
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    await world.reset(SET);
    printed = "";
  });

  const deps = () => ({
    ...world.deps(),
    now: world.time,
    actor: ACTOR,
    approval: ANYONE,
    color: false,
    out: (text: string) => void (printed += text),
  });
  /** Writes a sheet and reads it as a spreadsheet would: each row by the names of its columns. */
  async function filledBy(fill: (row: Record<string, string>) => string, filters = {}) {
    const path = join(folder, `${kind}-${++sheets}.csv`);
    await writeFillIn(deps(), path, filters);
    const text = await readFile(path, "utf8");
    const [header = [], ...rows] = cellsOf(text.slice(1));
    const named = rows.map((cells) => Object.fromEntries(header.map((name, index) => [name, cells[index] ?? ""])));
    await writeFile(
      path,
      text[0] +
        csvLines([
          header,
          ...named.map((row) => header.map((name) => (name === "value" ? fill(row) : (row[name] ?? "")))),
        ]),
    );
    return { path, rows: named };
  }

  test("has a row for each key that a person has to say, and is read by plan as it is", async () => {
    const [one, two] = [
      world.create({ ...GOOD, owner: "near@example.com" }),
      world.create({ ...GOOD, Owner: "nobody", Stage: "btea" }),
    ];
    world.create({ Owner: "a@example.com", "temp:x": "1" });
    await world.scan();
    const { path, rows } = await filledBy((row) => (row["arn"] === one ? (row["suggestion"] ?? "") : ""));
    expect(printed).toContain(
      `${path}: 3 values to fill in, 2 of them with a suggestion.\nNext: tagwarden plan --from ${path}\n`,
    );
    expect(rows).toMatchObject([
      {
        arn: one,
        type: "dataset-group",
        account: world.account_id,
        owner: "near@example.com",
        rule: "who/owner",
        kind: "missing",
        "current value": "",
        key: "Owner",
        value: "",
        suggestion: "near@example.com",
        "suggested by": "the tag owner",
        expected: "an e-mail address",
      },
      { arn: two, kind: "invalid", "current value": "nobody", key: "Owner", suggestion: "" },
      {
        arn: two,
        key: "Stage",
        suggestion: "beta",
        "suggested by": "the allowed values",
        expected: "one of alpha, beta",
      },
    ]);
    printed = "";
    await plan(deps(), { from: path });
    expect(printed).toContain("2 rows have no value yet.");
    const id = /tagwarden apply (\S+)/.exec(printed)?.[1] ?? "";
    expect(await apply({ ...deps(), now: world.now, confirm: null }, id, {})).toBe(0);
    expect(world.tags(one)).toMatchObject({ Owner: "near@example.com" });
  });

  test("suggests what a resource above has", async () => {
    const group = world.create({ ...GOOD, Owner: "above@example.com" });
    const solution = world.create(GOOD, { type: "solution" });
    await world.scan();
    const created_at = [...world.sandbox.resources()].find(({ arn }) => arn === solution)?.created_at ?? null;
    await world.database
      .insert(parents)
      .values({ arn: solution, parent_arn: group, source: "describe", read_at: world.time, created_at });
    const { rows } = await filledBy(() => "", { types: ["solution"] });
    expect(rows).toMatchObject([{ arn: solution, suggestion: "above@example.com" }]);
  });

  test("leaves out what is exempt, what a stack manages, and what the filters leave out", async () => {
    const [exempt, wanted] = [world.create(GOOD), world.create(GOOD, { region: "eu-west-1" })];
    world.create({ ...GOOD, "aws:cloudformation:stack-name": "shop" });
    world.create(GOOD);
    await world.scan();
    await exemptNow(world.database, { arns: [exempt] });
    const { rows } = await filledBy(() => "", { regions: ["eu-west-1"] });
    expect(rows.map(({ arn }) => arn)).toEqual([wanted]);
    expect((await filledBy(() => "")).rows).toHaveLength(2);
    const none = await filledBy(() => "", { rules: [{ policy_id: "who", rule_id: "stage" }] });
    expect(none.rows).toEqual([]);
    expect(printed).toContain("no open finding needs a value from a person");
  });

  test("shows no value of a sensitive key, and does not write over a file that is there", async () => {
    world.create({ ...GOOD, Owner: "a@example.com", Secret: "x-1" });
    await world.scan();
    const { path, rows } = await filledBy(() => "");
    expect(rows).toMatchObject([{ key: "Secret", "current value": "***", suggestion: "" }]);
    await expect(writeFillIn(deps(), path, {})).rejects.toThrow(`${path} is there already`);
  });
});

describe("a sheet", () => {
  const ROW: ToFillIn = {
    arn: "arn:aws:personalize:us-east-1:111122223333:filter/x",
    name: "x",
    type: "filter",
    account_id: "111122223333",
    owner: null,
    rules: ["a/b"],
    kind: "missing",
    key: "K",
    current: null,
    suggestion: null,
    expected: "any value",
  };

  test("says where it is wrong and what to do", () => {
    expect(readSheet("v.csv", "").problems[0]).toMatch(
      /^v.csv:1: the first line has to name the columns arn, key and value/,
    );
    expect(readSheet("v.csv", "arn,key,value,Key\n").problems[0]).toContain("look at key");
    expect(readSheet("v.csv", 'arn,key,value\n"arn:aws:x,K,v\n').problems[0]).toMatch(/^v.csv:\d+: not valid CSV: /);
  });

  test("may have a byte order mark, other columns, blank lines, line breaks in other cells, and semicolons or tabs", () => {
    const rows = ["value|note|KEY|arn", "", 'v|"two\nlines"|K|arn:x', "w|n|L|arn:y", "|n|M|arn:z"];
    for (const delimiter of [",", ";", "\t"]) {
      const text = `\ufeff${rows.join("\r\n").replaceAll("|", delimiter)}\r\n`;
      expect(readSheet("v.csv", text)).toEqual({
        values: [
          { at: "v.csv:3", arn: "arn:x", key: "K", value: "v" },
          { at: "v.csv:5", arn: "arn:y", key: "L", value: "w" },
        ],
        empty: 1,
        problems: [],
      });
    }
  });

  test("is read also from a script that took the byte order mark for a part of the first name", () => {
    const text = '"\ufeff""arn""",name,key,value\r\narn:x,n,K,v\r\n';
    expect(readSheet("v.csv", text)).toMatchObject({ values: [{ arn: "arn:x", key: "K", value: "v" }], problems: [] });
  });

  test("gives back every key and value that a tag may have, though a spreadsheet must not run one", () => {
    const tagText = fc.string({
      unit: fc.constantFrom("=", "+", "-", "@", "a", "ä", " ", ":", "/", "_", ".", "1", "＝"),
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(tagText, tagText, (key, value) => {
        const text = sheetHeader() + sheetLines([{ ...ROW, key }]);
        const [header = [], row = []] = cellsOf(text);
        expect(row.every((cell) => !/^[=+\-@]/.test(cell))).toBe(true);
        const filled = csvLines([header, row.map((cell, index) => (header[index] === "value" ? value : cell))]);
        expect(readSheet("v.csv", filled).values).toEqual([{ at: "v.csv:2", arn: ROW.arn, key, value }]);
      }),
    );
  });
});

/** Cells of CSV whose every cell is quoted. */
function cellsOf(text: string): string[][] {
  return text
    .split("\r\n")
    .filter((line) => line !== "")
    .map((line) =>
      line
        .slice(1, -1)
        .split('","')
        .map((cell) => cell.replaceAll('""', '"')),
    );
}
