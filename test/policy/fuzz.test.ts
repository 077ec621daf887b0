import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { judge } from "../../src/policy/judge.ts";
import { fixFor } from "../../src/policy/fix.ts";
import { compilePolicies, PolicyError } from "../../src/policy/load.ts";
import { subject } from "./build.ts";

const SEEDS = ["cost-allocation", "environment", "hygiene"].map((name) =>
  readFileSync(new URL(`../../policies/${name}.yaml`, import.meta.url), "utf8"),
);
const PIECES = [
  "[",
  "]",
  "{",
  "}",
  ": ",
  "- ",
  "\n",
  "\n  ",
  "\t",
  "'",
  '"',
  "|",
  ">",
  "&a",
  "*a",
  "!!set ",
  "!x ",
  "? ",
  "<<: ",
  "---\n",
  "...\n",
  "%YAML 1.1\n",
  "null",
  "true",
  ".nan",
  ".inf",
  "0x1F",
  "1e999",
  "1_000",
  "~",
  "__proto__: ",
  "constructor: ",
  "aws:",
  "*",
  "😀",
  "\ud800",
  "\u0000",
  "\u2028",
  "\\",
  "(a+)+$",
  "key: K",
  "rules: ",
  "fix: {missing: {value: x}}",
  "map: {a: b}",
  "required: true",
  "values: []",
  "max_tags: -1",
  "version: 1\n",
  "id: p\n",
  "aliases: [x]",
];
const TAGS = { CostCenter: "x", env: "Prod", "tmp-1": "", "aws:a": "b", constructor: "c" };

/** The same numbers for the same seed: a failing case can be run again. */
function numbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function mutate(text: string, next: (below: number) => number): string {
  let mutated = text;
  for (let times = 1 + next(4); times > 0; times -= 1) {
    const at = next(mutated.length + 1);
    const end = at + next(12);
    const lines = mutated.split("\n");
    const line = next(lines.length);
    const ways = [
      () => mutated.slice(0, at) + PIECES[next(PIECES.length)] + mutated.slice(at),
      () => mutated.slice(0, at) + mutated.slice(end),
      () => mutated.slice(0, at) + PIECES[next(PIECES.length)] + mutated.slice(end),
      () => mutated.slice(0, at) + mutated.slice(next(mutated.length + 1)),
      () => lines.toSpliced(line, 1).join("\n"),
      () => lines.toSpliced(line, 0, lines[next(lines.length)] ?? "").join("\n"),
      () => lines.map((text, index) => (index === line ? `  ${text}` : text)).join("\n"),
    ];
    mutated = (ways[next(ways.length)] ?? String)();
  }
  return mutated;
}

test("whatever a file says: a set that judges, or its problems with their places; never another error", () => {
  const next = numbers(20_260_301);
  const ends = { set: 0, problems: 0 };
  const begin = performance.now();
  for (let round = 0; round < 2_500 && performance.now() - begin < 12_000; round += 1) {
    const text = mutate(SEEDS[round % SEEDS.length] ?? "", next);
    try {
      const set = compilePolicies([{ path: "p.yaml", text }]);
      const { violations } = judge(set, subject(TAGS));
      for (const violation of violations) fixFor(set, violation, subject(TAGS));
      ends.set += 1;
    } catch (error) {
      if (!(error instanceof PolicyError)) throw new Error(`not a PolicyError for:\n${text}`, { cause: error });
      const lines = text.split("\n").length;
      for (const { line, column, message } of error.problems) {
        if (line > lines || column < 0 || message === "")
          throw new Error(`a wrong place for:\n${text}`, { cause: error });
      }
      ends.problems += 1;
    }
  }
  expect(ends.set).toBeGreaterThan(20);
  expect(ends.problems).toBeGreaterThan(500);
});

test.each([
  ["brackets", "[".repeat(200_000)],
  ["mappings", "{a: ".repeat(60_000)],
  ["list items on one line", "- ".repeat(120_000)],
  ["questions", "? ".repeat(120_000)],
  ["keys", Array.from({ length: 20_000 }, (_, n) => `k${n}: 1\n`).join("")],
  ["the same key", "k: 1\n".repeat(40_000)],
  ["values", `version: 1\nid: p\nrules: [{id: r, key: K, values: [${"a,".repeat(100_000)}]}]`],
  ["documents", "---\n".repeat(60_000)],
  ["syntax errors", "\t- %@`\n".repeat(30_000)],
  ["rules", `version: 1\nid: p\nrules:\n${"  - {id: r, key: K, required: true}\n".repeat(6_000)}`],
])("%s without end are refused", (_, text) => {
  expect(() => compilePolicies([{ path: "p.yaml", text }])).toThrow(PolicyError);
});
