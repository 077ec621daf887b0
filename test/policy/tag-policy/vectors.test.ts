import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { judgeByTagPolicy } from "../../../src/policy/tag-policy/judge.ts";
import { mergeTagPolicies } from "../../../src/policy/tag-policy/merge.ts";
import { parseTagPolicy } from "../../../src/policy/tag-policy/parse.ts";
import { AWS_REASONS } from "../../../src/policy/tag-policy/problem.ts";
import { effectiveDocument } from "../../../src/policy/tag-policy/tag-policy.ts";
import { tagsFrom } from "../../../src/tags/tags.ts";

/** What a resource is, and what AWS is expected to say of it. */
type Case = {
  readonly tags: Record<string, string>;
  readonly resourceType: string;
  readonly expect: {
    readonly compliant: boolean;
    readonly reasons: readonly { readonly code: string; readonly expectedKey?: string }[];
    readonly awsWouldBlockWrite: boolean;
    /** False: untagged, which basic rules say nothing about. */
    readonly evaluated?: boolean;
    readonly awsReport?: "omitted_if_never_tagged";
  };
};
/** Policies in the order of their merge, and what comes out: an effective policy, or an error. */
type Vector = {
  readonly name: string;
  readonly basis: string;
  readonly policies: readonly { readonly target: string; readonly content: unknown }[];
  readonly effective?: { readonly tags: Record<string, object> };
  readonly warnings?: readonly object[];
  readonly error?: { readonly code: string; readonly path: string; readonly awsCode?: string; readonly limit?: number };
  readonly resources: readonly Case[];
};

const VECTORS = JSON.parse(
  readFileSync(new URL("../../fixtures/tag-policy-vectors.json", import.meta.url), "utf8"),
) as Vector[];

/** As a value, and as the text of one: a document may come either way. */
const FORMS = [
  ["a value", (content: unknown) => content],
  ["text", (content: unknown) => JSON.stringify(content, null, 2)],
] as const;

function mergeOf({ policies }: Vector, form: (content: unknown) => unknown) {
  const parsed = policies.map(({ target, content }) => ({ target, ...parseTagPolicy(form(content)) }));
  const merged = mergeTagPolicies(parsed.flatMap(({ target, policy }) => (policy ? [{ target, policy }] : [])));
  return { parsed, merged, problems: [...parsed.flatMap(({ problems }) => problems), ...merged.problems] };
}

test("all vectors are there", () => {
  expect(VECTORS).toHaveLength(43);
  expect(VECTORS.flatMap(({ resources }) => resources)).toHaveLength(54);
  expect(VECTORS.filter(({ error }) => error)).toHaveLength(12);
  expect(VECTORS.filter(({ warnings }) => warnings)).toHaveLength(5);
});

describe.each(FORMS)("documents as %s", (_, form) => {
  describe.each(VECTORS.filter(({ error }) => error))("$name ($basis)", (vector) => {
    test("is refused for this reason and no other", () => {
      const { problems } = mergeOf(vector, form);
      const { code, path, awsCode, ...numbers } = vector.error ?? { code: "", path: "" };
      expect(problems[0]).toMatchObject({ code, path, ...numbers });
      expect(new Set(problems.map((problem) => problem.code))).toEqual(new Set([code]));
      if (awsCode) expect(AWS_REASONS[problems[0]!.code]).toBe(awsCode);
    });
  });

  describe.each(VECTORS.filter(({ error }) => !error))("$name ($basis)", (vector) => {
    const { merged, problems } = mergeOf(vector, form);

    test("has this effective policy, and these operators come to nothing", () => {
      expect(problems).toEqual([]);
      expect(effectiveDocument(merged.effective)).toEqual(vector.effective);
      const blocked = merged.warnings.filter(({ code }) => code === "operator_blocked_by_parent");
      expect(blocked.map(({ code, path, target }) => ({ code, path, target }))).toEqual(vector.warnings ?? []);
    });

    if (vector.resources.length > 0) {
      test.each(vector.resources.map((one) => [`${JSON.stringify(one.tags)} on ${one.resourceType}`, one] as const))(
        "%s",
        (_, { tags, resourceType, expect: wanted }) => {
          const judged = judgeByTagPolicy(merged.effective, {
            type: resourceType,
            tags: tagsFrom(Object.entries(tags)),
          });
          const reasons = wanted.reasons.map(({ expectedKey, ...reason }) => ({
            ...reason,
            ...(expectedKey !== undefined && { expected_key: expectedKey }),
          }));
          expect(judged.compliant).toBe(wanted.compliant);
          expect(new Set(judged.reasons)).toEqual(new Set(reasons));
          expect(judged.would_block).toBe(wanted.awsWouldBlockWrite);
          if (wanted.evaluated === false || wanted.awsReport) expect(judged.aws_report).toBe("omitted_if_never_tagged");
        },
      );
    }
  });
});

test("a list that was emptied is told, and stays a list of nothing", () => {
  const vector = VECTORS.find(({ name }) => name === "all-values-removed-leaves-empty-list")!;
  const { merged } = mergeOf(vector, (content) => content);
  expect(merged.warnings).toMatchObject([
    { code: "values_emptied", path: "tags.billingunit.tag_value.@@remove", target: "root/ou-a/acct-1" },
  ]);
});

test("that another policy of the same target assigned before is told", () => {
  const vector = VECTORS.find(({ name }) => name === "aws-inh-6-first-attached-assign-wins-at-one-level")!;
  const { merged } = mergeOf(vector, (content) => content);
  expect(merged.warnings).toMatchObject([{ code: "assign_loses_to_peer", path: "tags.stream.tag_key.@@assign" }]);
});
