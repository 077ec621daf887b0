import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hashTags } from "../../src/tags/hash-tags.ts";
import { isReserved, keyProblem, valueProblem } from "../../src/tags/limits.ts";
import { stackOf } from "../../src/tags/stack.ts";
import { tagsEqual, tagsFrom, tagValue, userTags } from "../../src/tags/tags.ts";

const anyTags = fc
  .array(
    fc.tuple(
      fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "aws:a", "AWS:b", "Owner")),
      fc.string(),
    ),
  )
  .map(tagsFrom);

describe("tags whose keys are names of JavaScript's own", () => {
  const tags = tagsFrom([
    ["__proto__", "a"],
    ["constructor", "b"],
    ["Owner", "c"],
  ]);

  test("are tags like any other", () => {
    expect(Object.keys(tags)).toEqual(["__proto__", "constructor", "Owner"]);
    expect(tagValue(tags, "__proto__")).toBe("a");
    expect(userTags(tags)).toEqual(tags);
    expect(tagsEqual(tags, JSON.parse('{"__proto__":"a","constructor":"b","Owner":"c"}'))).toBe(true);
  });

  test("are absent when they are not there, even on an object with a prototype", () => {
    expect(tagValue({}, "constructor")).toBeUndefined();
    expect(tagValue({}, "__proto__")).toBeUndefined();
    expect(tagsEqual({ toString: "x" }, { valueOf: "x" })).toBe(false);
  });
});

test("the tags of AWS, in any case, are not a user's", () => {
  const tags = { "aws:cloudformation:stack-name": "s", "AWS:x": "1", "Aws:y": "2", aws: "3", "away:z": "4" };
  expect(userTags(tags)).toEqual({ aws: "3", "away:z": "4" });
  expect(isReserved("aws:")).toBe(true);
  expect(isReserved("")).toBe(false);
});

describe("two sets of tags", () => {
  test("are equal in any order, and differ by case, by an empty value, and by aws: tags", () => {
    expect(tagsEqual({ a: "1", b: "2" }, { b: "2", a: "1" })).toBe(true);
    expect(tagsEqual({ a: "1" }, { A: "1" })).toBe(false);
    expect(tagsEqual({ a: "" }, {})).toBe(false);
    expect(tagsEqual({ "aws:a": "1" }, {})).toBe(false);
  });

  test("have the same hash exactly when their user tags are equal", () => {
    fc.assert(
      fc.property(anyTags, anyTags, (a, b) => (hashTags(a) === hashTags(b)) === tagsEqual(userTags(a), userTags(b))),
    );
    expect(hashTags({ ab: "c" })).not.toBe(hashTags({ a: "bc" }));
    expect(hashTags({ b: "2", a: "1", "aws:x": "y" })).toBe(hashTags({ a: "1", b: "2" }));
  });
});

describe("a key or value that AWS would refuse is named with its reason", () => {
  test.each([
    ["", "is empty"],
    ["a".repeat(129), "has 129 characters, AWS allows 128"],
    ["aws:x", "begins with `aws:`, which AWS keeps for itself"],
    ["Aws:x", "begins with `aws:`, which AWS keeps for itself"],
    ["a,b", 'has the character ","; AWS allows letters, numbers, spaces and _ . : / = + - @'],
    ["a😀", 'has the character "😀"; AWS allows letters, numbers, spaces and _ . : / = + - @'],
  ])("key %j", (key, problem) => expect(keyProblem(key)).toBe(problem));

  test.each(["a", "a".repeat(128), "Kostenstelle Süd", "部门", "a.b:c/d=e+f-g@h_i", "__proto__", " "])(
    "key %j is legal",
    (key) => expect(keyProblem(key)).toBeNull(),
  );

  test("a value may be empty, and twice as long as a key", () => {
    expect(valueProblem("")).toBeNull();
    expect(valueProblem("v".repeat(256))).toBeNull();
    expect(valueProblem("v".repeat(257))).toBe("has 257 characters, AWS allows 256");
    expect(valueProblem("a#b")).toContain('"#"');
  });
});

describe("the stack of a resource", () => {
  test.each([
    [{}, null],
    [{ stack: "no" }, null],
    [{ "aws:cloudformation:stack-name": "recs", "aws:cloudformation:stack-id": "arn" }, "recs"],
    [{ "aws:cloudformation:logical-id": "Group", "aws:cloudformation:stack-id": "z" }, "Group"],
    [{ "aws:cloudformation:stack-name": "" }, "aws:cloudformation:stack-name"],
    [{ "aws:createdBy": "me" }, null],
  ])("%j → %s", (tags, stack) => expect(stackOf(tags as Record<string, string>)).toBe(stack));
});
