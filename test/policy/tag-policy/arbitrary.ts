import * as fc from "fast-check";
import type { AttachedTagPolicy } from "../../../src/policy/tag-policy/merge.ts";
import { parseTagPolicy } from "../../../src/policy/tag-policy/parse.ts";
import { CHILD_CONTROL } from "../../../src/policy/tag-policy/tag-policy.ts";
import { tagsFrom, type Tags } from "../../../src/tags/tags.ts";

/** Few keys, values and types, so that policies and tags meet often. */
const KEYS = ["Cost", "Owner", "a:B", "__proto__"];
const VALUES = ["", "a", "ab", "a*", "*b", "a*b", "*", "A"];
const TYPES = [
  "personalize:dataset",
  "personalize:dataset-group",
  "personalize:solution",
  "personalize:campaign",
  "ec2:instance",
  "ec2:ALL_SUPPORTED",
  "rds:ALL_SUPPORTED",
];
export const RESOURCE_TYPES = [...TYPES.filter((type) => !type.endsWith("ALL_SUPPORTED")), "rds:db", "ec2:volume"];

const spellings = (key: string) => [key, key.toLowerCase(), key.toUpperCase()];
const control: fc.Arbitrary<string[]> = fc.constantFrom(
  ["@@all"],
  ["@@none"],
  ["@@assign"],
  ["@@append"],
  ["@@append", "@@remove"],
);
/** Absent once in so many times. */
const maybe = <T>(arbitrary: fc.Arbitrary<T>, absent = 2) => fc.option(arbitrary, { nil: undefined, freq: absent });

function node(items: fc.Arbitrary<unknown>, single = false): fc.Arbitrary<Record<string, unknown>> {
  const none = fc.constant(undefined);
  return fc
    .record({
      "@@assign": maybe(items),
      "@@append": single ? none : maybe(items),
      "@@remove": single ? none : maybe(items),
      [CHILD_CONTROL]: maybe(control),
    })
    .map(withoutUndefined);
}

function withoutUndefined(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

const list = (items: readonly string[]) => fc.uniqueArray(fc.constantFrom(...items), { maxLength: 3 });

const entry = (key: string, control: fc.Arbitrary<string[]>) =>
  fc.tuple(
    fc.constantFrom(...spellings(key)),
    fc
      .record({
        tag_key: maybe(node(fc.constantFrom(...spellings(key)), true)),
        tag_value: maybe(node(list(VALUES))),
        enforced_for: maybe(node(list(TYPES))),
        report_required_tag_for: maybe(node(list(TYPES))),
        [CHILD_CONTROL]: maybe(control),
      })
      .map(withoutUndefined),
  );

const documentWith = (control: fc.Arbitrary<string[]>): fc.Arbitrary<unknown> =>
  fc.tuple(maybe(control), ...KEYS.map((key) => maybe(entry(key, control), 4))).map(([control, ...entries]) => ({
    tags: Object.fromEntries([
      ...(control ? [[CHILD_CONTROL, control] as const] : []),
      ...entries.flatMap((one) => (one ? [one] : [])),
    ]),
  }));

/** A tag policy document that AWS accepts. */
export const tagPolicyDocument = documentWith(control);

/** A document and where it is attached. */
export type Attached = { readonly target: string; readonly document: unknown };

const attachedOf = (document: fc.Arbitrary<unknown>): fc.Arbitrary<Attached[]> =>
  fc
    .array(fc.array(document, { maxLength: 3 }), { maxLength: 4 })
    .map((levels) =>
      levels.flatMap((documents, level) => documents.map((document) => ({ target: `level-${level}`, document }))),
    );

/** Documents along a path from the root to an account, up to three at each level. */
export const attachedDocuments = attachedOf(tagPolicyDocument);

/** The same, where a control on a key or on all allows everything or nothing. */
export const plainlyControlledDocuments = attachedOf(documentWith(fc.constantFrom(["@@all"], ["@@none"])));

/** Documents made ready to merge. */
export function parsed(attached: readonly Attached[]): AttachedTagPolicy[] {
  return attached.map(({ target, document }) => {
    const { policy, problems } = parseTagPolicy(document);
    if (!policy) throw new Error(JSON.stringify(problems));
    return { target, policy };
  });
}

/** Tags of keys that policies know in several cases, of some that they do not know, and of AWS. */
export const resourceTags: fc.Arbitrary<Tags> = fc
  .array(
    fc.tuple(
      fc.constantFrom(...KEYS.flatMap(spellings), "Other", "aws:cost"),
      fc.constantFrom("", "a", "ab", "aab", "b", "A", "x"),
    ),
    { maxLength: 8 },
  )
  .map(tagsFrom);
