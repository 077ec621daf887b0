import * as fc from "fast-check";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { policyFromConfigRule } from "../../../src/policy/config-rule.ts";
import { mergeTagPolicies } from "../../../src/policy/tag-policy/merge.ts";
import { parseTagPolicy } from "../../../src/policy/tag-policy/parse.ts";
import { parseEffectivePolicy } from "../../../src/policy/tag-policy/parse-effective.ts";
import { policyFrom } from "../../../src/policy/tag-policy/to-policy.ts";

const VECTORS = readFileSync(new URL("../../fixtures/tag-policy-vectors.json", import.meta.url), "utf8");
const SEEDS = (JSON.parse(VECTORS) as { policies: { content: unknown }[] }[])
  .flatMap(({ policies }) => policies)
  .map(({ content }) => JSON.stringify(content, null, 1))
  .filter((text) => text.length < 2_000);
const PIECES = [
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  '"',
  '\\"',
  "\\u0000",
  "\\ud800",
  "\n",
  "\t",
  "\ufeff",
  "null",
  "true",
  "-0",
  "1e999",
  '"@@assign"',
  '"@@none"',
  '"@@operators_allowed_for_child_policies": []',
  '"__proto__": {}',
  '"tags": {}',
  '"*"',
  '"ec2:*"',
  "\u0000",
  "\u001b[2J",
  "é",
  "𝒳",
  "//",
  "'",
  '"tag1Key": "a"',
];
const IMPORT = { id: "p", require: "listed", source: ["a file"] } as const;

/** A seed with pieces cut out and put in. */
const mutated = fc
  .tuple(
    fc.constantFrom(...SEEDS),
    fc.array(fc.tuple(fc.nat(), fc.nat(12), fc.option(fc.constantFrom(...PIECES), { nil: "" })), { maxLength: 4 }),
  )
  .map(([seed, changes]) =>
    changes.reduce((text, [where, length, piece]) => {
      const at = where % (text.length + 1);
      return text.slice(0, at) + piece + text.slice(at + length);
    }, seed),
  );

function readEverything(input: unknown): void {
  const { policy, problems } = parseTagPolicy(input);
  expect(policy === null).toBe(problems.length > 0);
  const lines = typeof input === "string" ? input.split("\n").length : 0;
  for (const { line, column, message, path } of problems) {
    expect(line).toBeLessThanOrEqual(lines);
    expect(column).toBeGreaterThanOrEqual(0);
    // eslint-disable-next-line no-control-regex
    expect(`${path}${message}`).not.toMatch(/[\u0000-\u001f\u007f]/);
  }
  if (policy) policyFrom(mergeTagPolicies([{ target: "root", policy }]).effective, IMPORT);
  const { effective } = parseEffectivePolicy(input);
  if (effective) policyFrom(effective, IMPORT);
  if (typeof input === "string") policyFromConfigRule(input, IMPORT);
}

test("whatever a text says: a policy, or problems with places in it; never an error", () => {
  fc.assert(fc.property(fc.oneof(mutated, fc.json(), fc.string()), readEverything), { numRuns: 3_000 });
});

test("whatever a value is: a policy or problems; never an error", () => {
  const value = fc.oneof(fc.anything({ withBigInt: true, withDate: true, withMap: true }), fc.jsonValue());
  fc.assert(fc.property(value, readEverything), { numRuns: 1_000 });
  fc.assert(
    fc.property(value, (inner) => readEverything({ tags: { env: inner, Env: { tag_value: inner } } })),
    MANY,
  );
});
const MANY = { numRuns: 1_000 };

test("values that defend themselves are refused", () => {
  const cyclic: Record<string, unknown> = { tags: {} };
  cyclic["tags"] = cyclic;
  const throwing = new Proxy(
    {},
    {
      ownKeys: () => {
        throw new Error("no");
      },
    },
  );
  for (const value of [
    cyclic,
    throwing,
    {
      get tags() {
        throw new Error("no");
      },
    },
    () => 1,
    Symbol("x"),
    undefined,
    Object.assign([], { length: 1e9 }),
  ]) {
    expect(parseTagPolicy(value).problems).toMatchObject([{ code: "malformed_json" }]);
  }
});

test.each([
  ["brackets", "[".repeat(900_000)],
  ["objects", '{"a":'.repeat(200_000)],
  ["a string", `"${"a".repeat(999_000)}"`],
  ["escapes", `"${"\\u0041".repeat(160_000)}"`],
  ["digits", "1".repeat(999_000)],
  ["entries", `{"tags": {${Array.from({ length: 60_000 }, (_, n) => `"k${n}": {}`).join(",")}}}`],
  ["the same entry", `{"tags": {${'"k": {},'.repeat(100_000)}"k": {}}}`],
  ["fields that are none", `{"tags": {"k": {${'"tag_valuee": {},'.repeat(50_000)}"tag_key": {}}}}`],
  ["values", `{"tags": {"k": {"tag_value": {"@@assign": [${'"*a*",'.repeat(100_000)}"b"]}}}}`],
  ["types", `{"tags": {"k": {"enforced_for": {"@@assign": [${'"x",'.repeat(100_000)}"y"]}}}}`],
  ["a text without end", " ".repeat(2_000_000)],
])("%s without end are refused", (_, text) => {
  const { problems, policy, more_problems } = parseTagPolicy(text);
  expect(policy).toBeNull();
  expect(problems.length).toBeGreaterThan(0);
  expect(problems.length).toBeLessThanOrEqual(100);
  expect(more_problems).toBeGreaterThanOrEqual(0);
});
