import { describe, expect, test } from "vitest";
import { compilePolicies } from "../../src/policy/load.ts";
import type { Tags } from "../../src/tags/tags.ts";
import vectors from "../fixtures/remediation-vectors.json" with { type: "json" };
import { apply, judgeAndFix, problemsOf } from "./build.ts";

/**
 * How other tools repair tags (Flowpipe's aws-tags mod, Cloud Custodian), said in this language. What it refuses, leaves
 * to a person, or cannot say stands in the fixture with the reason.
 */
const text = (rules: unknown) => JSON.stringify({ version: 1, id: "p", rules });
const repair = (rules: unknown, tags: Tags) =>
  judgeAndFix(compilePolicies([{ path: "p.yaml", text: text(rules) }]), tags);

describe("the same repair as elsewhere, and none the second time", () => {
  test.each(vectors.applied)("$name", ({ rules, tags_before, tags_after }) => {
    const { fixes } = repair(rules, tags_before);
    const after = fixes.reduce(apply, tags_before as Tags);
    expect({ ...after }).toEqual(tags_after);
    expect(repair(rules, after).fixes.filter(({ kind }) => kind === "change")).toEqual([]);
  });
});

describe("refused before anything is judged", () => {
  test.each(vectors.refused)("$name", ({ rules, problem }) => {
    expect(problemsOf(text(rules)).join("\n")).toContain(problem);
  });
});

describe("left to a person, where others lose a value", () => {
  test.each(vectors.left_to_a_person)("$name: $why", ({ rules, tags_before }) => {
    const { fixes } = repair(rules, tags_before);
    expect(fixes.map(({ kind }) => kind)).toEqual(["review"]);
  });
});

test("every vector is accounted for", () => {
  const counts = Object.fromEntries(Object.entries(vectors).map(([part, list]) => [part, list.length]));
  expect(counts).toEqual({ applied: 26, refused: 5, left_to_a_person: 5, not_expressed: 11 });
});
