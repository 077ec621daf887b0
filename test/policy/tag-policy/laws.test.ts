import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { judgeByTagPolicy } from "../../../src/policy/tag-policy/judge.ts";
import { type AttachedTagPolicy, mergeTagPolicies } from "../../../src/policy/tag-policy/merge.ts";
import { parseTagPolicy } from "../../../src/policy/tag-policy/parse.ts";
import { parseEffectivePolicy } from "../../../src/policy/tag-policy/parse-effective.ts";
import { effectiveDocument, type TagPolicy } from "../../../src/policy/tag-policy/tag-policy.ts";
import { tagsFrom } from "../../../src/tags/tags.ts";
import { attachedDocuments, parsed, RESOURCE_TYPES, resourceTags, tagPolicyDocument } from "./arbitrary.ts";

/** Enough to meet the rare cases, in a second or two. */
const MANY = { numRuns: 500 };
const type = fc.constantFrom(...RESOURCE_TYPES);

/** Paths of the last policy's operators that come to nothing. */
const blockedOf = (attached: readonly AttachedTagPolicy[]) =>
  mergeTagPolicies(attached)
    .warnings.filter(({ code, target }) => code === "operator_blocked_by_parent" && target === attached.at(-1)?.target)
    .map(({ path }) => path);
const isBlocked = (blocked: readonly string[], path: string) =>
  blocked.some((one) => path === one || path.startsWith(`${one}.`));

describe("for any policies that AWS accepts", () => {
  test("there is an effective policy, and AWS's own form of it reads back as the same", () => {
    fc.assert(
      fc.property(attachedDocuments, (attached) => {
        const { effective } = mergeTagPolicies(parsed(attached));
        const shown = effectiveDocument(effective);
        const again = parseEffectivePolicy(JSON.stringify(shown));
        expect(again.problems).toEqual([]);
        const any = (values: readonly string[] | null) => (values?.includes("*") ? null : values);
        expect(again.effective?.tags).toEqual(
          // What AWS shows does not tell whether the spelling was said.
          effective.tags.map((tag) => ({ ...tag, tag_key_assigned: true, tag_value: any(tag.tag_value) })),
        );
      }),
      MANY,
    );
  });

  test("the text and the value of a document are the same policy", () => {
    fc.assert(
      fc.property(tagPolicyDocument, (document) => {
        expect(parseTagPolicy(JSON.stringify(document)).policy).toEqual(parseTagPolicy(document).policy);
      }),
    );
  });

  test("a level in between never lets a lower one do what it could not do without it", () => {
    let blocked = 0;
    fc.assert(
      fc.property(attachedDocuments, tagPolicyDocument, tagPolicyDocument, (above, between, below) => {
        const upper = parsed(above);
        const [middle, last] = parsed([
          { target: "between", document: between },
          { target: "last", document: below },
        ]);
        if (!middle || !last) throw new Error("two documents");
        const before = blockedOf([...upper, last]);
        const after = blockedOf([...upper, middle, last]);
        blocked += before.length;
        for (const path of before) {
          // What was refused as a whole is refused operator by operator, when it has become known in between.
          const operators = operatorsUnder(last.policy, path);
          expect(operators.filter((operator) => !isBlocked(after, operator))).toEqual([]);
        }
      }),
      MANY,
    );
    expect(blocked).toBeGreaterThan(100);
  });

  test("what a lower level does not speak of stays as it was", () => {
    fc.assert(
      fc.property(attachedDocuments, (attached) => {
        const before = mergeTagPolicies(parsed(attached)).effective;
        const after = mergeTagPolicies(parsed([...attached, { target: "last", document: { tags: {} } }])).effective;
        expect(after).toEqual(before);
      }),
    );
  });

  test("a resource is judged the same whatever the order of its tags, with one reason at most for each of a kind and key", () => {
    fc.assert(
      fc.property(attachedDocuments, resourceTags, type, (attached, tags, type) => {
        const { effective } = mergeTagPolicies(parsed(attached));
        const judged = judgeByTagPolicy(effective, { type, tags });
        const turned = judgeByTagPolicy(effective, { type, tags: tagsFrom(Object.entries(tags).toReversed()) });
        expect(new Set(turned.reasons)).toEqual(new Set(judged.reasons));
        expect(turned.would_block).toBe(judged.would_block);
        const names = judged.reasons.map(({ code, key }) => `${code} ${key}`);
        expect(new Set(names).size).toBe(names.length);
        expect(judged.compliant).toBe(names.length === 0);
        if (judged.would_block) expect(judged.reasons.some(({ code }) => code !== "required_key_missing")).toBe(true);
      }),
      MANY,
    );
  });

  test("without tags only a required key can be wrong; required everywhere is never milder", () => {
    fc.assert(
      fc.property(attachedDocuments, resourceTags, type, (attached, tags, type) => {
        const { effective } = mergeTagPolicies(parsed(attached));
        const bare = judgeByTagPolicy(effective, { type, tags: tagsFrom([]) });
        expect(bare.reasons.every(({ code }) => code === "required_key_missing")).toBe(true);
        const listed = judgeByTagPolicy(effective, { type, tags });
        const everywhere = judgeByTagPolicy(effective, { type, tags }, "everywhere");
        expect(everywhere.reasons).toEqual(expect.arrayContaining([...listed.reasons]));
        expect(everywhere.would_block).toBe(listed.would_block);
      }),
      MANY,
    );
  });
});

/** Paths of the operators that a policy uses at or below a path, with the names of entries in lower case. */
function operatorsUnder(policy: TagPolicy, path: string): string[] {
  return policy.entries
    .flatMap(({ policy_key, settings }) =>
      Object.entries(settings).flatMap(([setting, node]) =>
        Object.keys(node)
          .filter((operator) => operator.startsWith("@@"))
          .map((operator) => `tags.${policy_key.toLowerCase()}.${setting}.${operator}`),
      ),
    )
    .filter((operator) => operator === path || operator.startsWith(`${path}.`));
}
