import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { judge } from "../../src/policy/judge.ts";
import { fixFor } from "../../src/policy/fix.ts";
import { compilePolicies } from "../../src/policy/load.ts";
import { isReserved } from "../../src/tags/limits.ts";
import { tagsEqual, tagsFrom, type Tags } from "../../src/tags/tags.ts";
import { apply, subject } from "./build.ts";

/** Rules over few keys and values, so that tags and rules meet often. Each key is one rule's, as the language wants it. */
const VALUES = ["", "a", "b", "c", "A", "B"];
const value = fc.constantFrom(...VALUES);
const KEYS = ["Cost", "Owner", "__proto__", "Environment"];
const aliasesOf = (key: string) => [key.toLowerCase(), `${key}-x`].filter((alias) => alias !== key);

const keyRule = (key: string) =>
  fc
    .record({
      aliases: fc.boolean(),
      required: fc.boolean(),
      allow_empty: fc.boolean(),
      values: fc.option(fc.uniqueArray(fc.constantFrom("a", "b", "c"), { minLength: 1 }), { nil: undefined }),
      rename: fc.boolean(),
      missing: fc.boolean(),
      despite: fc.boolean(),
      map: fc.uniqueArray(fc.constantFrom("", "A", "B"), { minLength: 1 }),
    })
    .map(({ aliases, required, allow_empty, values, rename, missing, despite, map }) => {
      const good = values?.[0] ?? "a";
      const named = map.filter((from) => !(from === "" && allow_empty));
      const invalid = values !== undefined && named.length > 0;
      return {
        id: `key-${KEYS.indexOf(key)}`,
        key,
        required: required || (!aliases && values === undefined),
        ...(aliases ? { aliases: aliasesOf(key) } : {}),
        ...(values ? { values, allow_empty } : {}),
        fix: {
          ...(rename && aliases ? { variant: "rename" } : {}),
          ...(missing && required ? { missing: { value: good, despite_near_miss: despite } } : {}),
          ...(invalid ? { invalid: { map: Object.fromEntries(named.map((from) => [from, good])) } } : {}),
        },
      };
    });

const forbidden = fc.record({
  id: fc.constant("forbidden"),
  forbidden: fc.constantFrom(["tmp*"], ["tmp-*", "x:*"]),
  fix: fc.constantFrom({ forbidden: "remove" }, { forbidden: "review" }),
});
const limit = fc.record({ id: fc.constant("limit"), max_tags: fc.integer({ min: 4, max: 6 }) });
const rules = fc
  .tuple(...KEYS.map((key) => fc.option(keyRule(key), { nil: null })), fc.option(forbidden, { nil: null }), limit)
  .map((rules) => rules.filter((rule) => rule !== null));

const tagKey = fc.constantFrom(
  ...KEYS,
  ...KEYS.flatMap(aliasesOf),
  "Enviroment",
  "tmp-1",
  "tmp2",
  "x:y",
  "aws:cost",
  "AWS:tmp-1",
);
const tags: fc.Arbitrary<Tags> = fc.array(fc.tuple(tagKey, value), { maxLength: 9 }).map(tagsFrom);

const setOf = (rules: readonly unknown[]) =>
  compilePolicies([{ path: "p.yaml", text: JSON.stringify({ version: 1, id: "p", rules }) }]);
const names = (violations: readonly object[]) => violations.map((one) => JSON.stringify(one)).sort();

describe("for any rules and tags", () => {
  test("the same question has the same answer, in whatever order rules, keys and files stand", () => {
    fc.assert(
      fc.property(rules, tags, fc.nat(), (rules, tags, seed) => {
        const shuffled = [...rules].sort((a, b) => ((a.id.length * 31 + seed) % 7) - ((b.id.length * 17 + seed) % 7));
        const turned = tagsFrom(Object.entries(tags).toReversed());
        const first = judge(setOf(rules), subject(tags));
        const again = judge(setOf(shuffled.toReversed()), subject(turned));
        expect(names(again.violations)).toEqual(names(first.violations));
        expect(again.rules).toBe(first.rules);
      }),
    );
  });

  test("a change makes its rule pass, and leaves nothing to change", () => {
    let changes = 0;
    fc.assert(
      fc.property(rules, tags, (rules, tags) => {
        const set = setOf(rules);
        for (const violation of judge(set, subject(tags)).violations) {
          const fix = fixFor(set, violation, subject(tags));
          if (fix.kind !== "change") continue;
          changes += 1;
          const after = apply(tags, fix);
          const left = judge(set, subject(after)).violations;
          expect(left.filter((one) => one.rule_id === violation.rule_id && one.key === violation.key)).toEqual([]);
          expect(fixFor(set, violation, subject(after)).kind).toBe("review");
          expect(tagsEqual(apply(after, fix), after)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
    expect(changes).toBeGreaterThan(100);
  });

  test("a change touches no tag of AWS, and loses no value that no map names and no rule forbids", () => {
    fc.assert(
      fc.property(rules, tags, (rules, tags) => {
        const set = setOf(rules);
        for (const violation of judge(set, subject(tags)).violations) {
          const fix = fixFor(set, violation, subject(tags));
          if (fix.kind !== "change") continue;
          const rule = rules.find(({ id }) => id === violation.rule_id);
          const map = rule && "key" in rule ? (rule.fix.invalid?.map ?? {}) : {};
          const after = apply(tags, fix);
          for (const { key } of fix.changes) {
            expect(isReserved(key)).toBe(false);
            const before = Object.hasOwn(tags, key) ? tags[key] : undefined;
            const kept = before === undefined || before === "" || Object.values(after).includes(before);
            expect(kept || Object.hasOwn(map, before) || violation.kind === "forbidden").toBe(true);
          }
          // What is not named in the change stays as it was.
          const touched = new Set(fix.changes.map(({ key }) => key));
          for (const key of Object.keys(tags)) if (!touched.has(key)) expect(after[key]).toBe(tags[key]);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("changes of all rules together settle: the second round asks for nothing", () => {
    fc.assert(
      fc.property(rules, tags, (rules, tags) => {
        const set = setOf(rules);
        const round = (tags: Tags) =>
          judge(set, subject(tags))
            .violations.map((violation) => fixFor(set, violation, subject(tags)))
            .filter((fix) => fix.kind === "change");
        const after = round(tags).reduce(apply, tags);
        expect(round(after)).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});
