import { randomInt } from "node:crypto";
import { expect, test } from "vitest";
import { compilePolicies, PolicyError } from "../../src/policy/load.ts";
import { examine } from "../support/fuzz-examine.ts";
import { fuzzedFile } from "../support/fuzz-files.ts";

const FILES = 1_000;

// `npm run fuzz` does the same with as many files as there is time for.
test.each([
  ["the same files every time", 1],
  ["other files every time", randomInt(2 ** 31)],
])("whatever a file says, it can be used, or its problems have their places: %s (seed %i)", (_, seed) => {
  const ends = { loaded: 0, refused: 0 };
  for (let number = 0; number < FILES; number += 1) {
    try {
      ends[examine(fuzzedFile(seed, number))] += 1;
    } catch (cause) {
      const { kind, text } = fuzzedFile(seed, number);
      throw new Error(`seed ${seed}, number ${number}, ${kind}:\n${text}`, { cause });
    }
  }
  expect(ends.loaded).toBeGreaterThan(FILES / 10);
  expect(ends.refused).toBeGreaterThan(FILES / 4);
});

test.each([
  ["brackets", "[".repeat(200_000)],
  ["mappings", "{a: ".repeat(60_000)],
  ["list items on one line", "- ".repeat(120_000)],
  ["questions", "? ".repeat(120_000)],
  ["colons on one line", ": ".repeat(100_000)],
  ["merged mappings", `a:\n ${"<<: ".repeat(60_000)}`],
  ["tags of one value", "!x ".repeat(80_000)],
  ["keys", Array.from({ length: 20_000 }, (_, n) => `k${n}: 1\n`).join("")],
  ["the same key", "k: 1\n".repeat(40_000)],
  ["values", `version: 1\nid: p\nrules: [{id: r, key: K, values: [${"a,".repeat(100_000)}]}]`],
  ["documents", "---\n".repeat(60_000)],
  ["syntax errors", "\t- %@`\n".repeat(30_000)],
  ["rules", `version: 1\nid: p\nrules:\n${"  - {id: r, key: K, required: true}\n".repeat(6_000)}`],
])("%s without end are refused", (_, text) => {
  expect(() => compilePolicies([{ path: "p.yaml", text }])).toThrow(PolicyError);
});
