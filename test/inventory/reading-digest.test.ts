import * as fc from "fast-check";
import { expect, test } from "vitest";
import { appendJson, isDigestOf, readingDigest } from "../../src/inventory/reading-digest.ts";
import { tagsFrom } from "../../src/tags/tags.ts";

const text = fc.constantFrom("", "a", "b", "1", "__proto__", "constructor", "null", "[1]");
const instant = fc.option(
  fc.constantFrom(0, 1, 1_700_000_000_000).map((time) => new Date(time)),
  { nil: null },
);
const read = fc.record({
  name: text,
  status: text,
  in_index: fc.boolean(),
  stack: fc.option(text, { nil: null }),
  created_at: instant,
  updated_at: instant,
  tags: fc.array(fc.tuple(text, text), { maxLength: 3 }).map(tagsFrom),
  summary: fc.dictionary(text, fc.oneof(text, fc.boolean(), fc.constantFrom(0, 1, -1, 0.5)), { maxKeys: 3 }),
});

/** Equal in every part, whatever the order of keys. */
function alike(a: unknown, b: unknown): boolean {
  const ordered = (value: unknown): unknown =>
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date)
      ? Object.entries(value)
          .map(([key, member]) => [key, ordered(member)] as const)
          .toSorted(([one], [other]) => (one < other ? -1 : 1))
      : value;
  return JSON.stringify(ordered(a)) === JSON.stringify(ordered(b));
}

test("two readings have the same digest if and only if they say the same", () => {
  fc.assert(
    fc.property(read, read, (a, b) => {
      expect(readingDigest(a) === readingDigest(b)).toBe(alike(a, b));
    }),
    { numRuns: 2000 },
  );
});

test("one that differs in a single part has another digest", () => {
  fc.assert(
    fc.property(
      read,
      read,
      fc.constantFrom(
        ...(["name", "status", "in_index", "stack", "created_at", "updated_at", "tags", "summary"] as const),
      ),
      (a, other, part) => {
        const b = { ...a, [part]: other[part] };
        expect(isDigestOf(`${readingDigest(a)}…`, b)).toBe(alike(a, b));
      },
    ),
    { numRuns: 2000 },
  );
});

test("the order of keys, as a database gives them back, is no difference", () => {
  fc.assert(
    fc.property(read, (a) => {
      const turned = (members: object) => Object.fromEntries(Object.entries(members).toReversed());
      const b = { ...a, tags: tagsFrom(Object.entries(a.tags).toReversed()), summary: turned(a.summary) };
      expect(readingDigest(b)).toBe(readingDigest(a));
    }),
  );
});

test("JSON values of any form come out the same if and only if they are the same", () => {
  const flat = (value: unknown) => {
    const list: unknown[] = [];
    appendJson(value, list);
    return JSON.stringify(list);
  };
  const json = fc.jsonValue({ maxDepth: 3 });
  fc.assert(
    fc.property(json, json, (a, b) => {
      const same = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown;
      expect(flat(a) === flat(b)).toBe(alikeDeep(same(a), same(b)));
    }),
    { numRuns: 5000 },
  );
  expect(flat({ a: 0 })).not.toBe(flat({ a: {} }));
  expect(flat([1, "items"])).not.toBe(flat([[1, "items"]]));
  expect(flat([])).not.toBe(flat({}));
  expect(flat({ a: 1, b: undefined })).toBe(flat({ a: 1 }));
});

function alikeDeep(a: unknown, b: unknown): boolean {
  try {
    expect(a).toEqual(b);
    return true;
  } catch {
    return false;
  }
}
