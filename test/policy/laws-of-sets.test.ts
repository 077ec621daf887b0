import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { explain } from "../../src/policy/explain.ts";
import { fixFor } from "../../src/policy/fix.ts";
import { judge } from "../../src/policy/judge.ts";
import { compilePolicies, type PolicyFile, type PolicySet } from "../../src/policy/load.ts";
import type { Subject } from "../../src/policy/subject.ts";
import { tagsFrom, type Tags } from "../../src/tags/tags.ts";
import { apply, around, resource, subject } from "./build.ts";

/** Rules that look at other tags, at what stands above, at the account and at tables, over few keys and values, so that they meet. */
const KEYS = ["Cost", "Owner", "Team", "Environment"];
const VALUES = ["", "a", "b", "c", "A", " b"];
const CONDITIONS = [
  "tags.Team == 'a'",
  "!('Owner' in tags)",
  "tags.Cost != null || resource.type == 'filter'",
  "resource.parent.tags.Team == 'a'",
  "account.tags.Team.startsWith('a')",
  "resource.age > days(3)",
  "int(tags.Cost) > 1",
];
const condition = fc.constantFrom(...CONDITIONS);
const SOURCES = [
  { value: "a" },
  { inherit: true },
  { account_tag: "Team" },
  { template: "{tags.Team}" },
  { template: "{account.name}" },
  { lookup: { file: "t.csv", by: "name", column: "value" } },
  { lookup: { file: "t.csv", by: ["tags.Team"], column: "value" } },
];
const TABLE: PolicyFile = { path: "t.csv", text: "name,tags.Team,value\nhome,a,a\nprod-*,b,b\n*,c,z\n" };

const keyRule = (key: string) =>
  fc.record({
    id: fc.constant(key.toLowerCase()),
    key: fc.constant(key),
    any_case: fc.constant(true),
    required: fc.oneof(fc.constant(true), condition),
    values: fc.constantFrom(["a", "b"], ["a", "b", ""], ["a*", "b"]),
    agrees_with: fc.option(fc.constant("parent"), { nil: undefined }),
    fix: fc.record({
      variant: fc.constantFrom("rename", "review"),
      missing: fc
        .tuple(fc.constantFrom(...SOURCES), fc.boolean())
        .map(([source, otherwise]) => (otherwise && !("value" in source) ? { ...source, otherwise: "b" } : source)),
      invalid: fc.constantFrom({ clean: { trim: true, case: "lower" } }, { otherwise: "a" }, "review"),
    }),
  });
const otherRule = fc.oneof(
  fc.record({ id: fc.constant("check"), assert: condition }),
  fc.record({ id: fc.constant("room"), max_tags: fc.integer({ min: 4, max: 5 }) }),
  fc.constant({ id: "no", forbidden: ["tmp*"], fix: { forbidden: "remove" } }),
);
const policyOf = (id: string) =>
  fc.record({
    version: fc.constant(1),
    id: fc.constant(id),
    remediation: fc.constantFrom("off", "plan", "auto"),
    applies_to: fc.record({ where: condition, types: fc.constantFrom(["campaign"], ["*"]) }, { requiredKeys: [] }),
    rules: fc
      .tuple(
        fc.subarray(KEYS, { minLength: 1 }).chain((keys) => fc.tuple(...keys.map(keyRule))),
        otherRule,
      )
      .map(([keys, other]) => [...keys, other]),
  });
const policies = fc.tuple(policyOf("p"), policyOf("q"), policyOf("r"));
type Policies = Parameters<Parameters<typeof policies.map>[0]>[0];

const tags = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...KEYS, "owner", "TEAM", "Envronment", "tmp-1"), fc.constantFrom(...VALUES)), {
    selector: ([key]) => key,
  })
  .map(tagsFrom);
const surroundings = fc.constantFrom(
  undefined,
  around([], { name: "b", tags: tagsFrom([["Team", "a"]]) }),
  around([
    {
      type: "solution",
      name: "s",
      tags: tagsFrom([
        ["Team", "a"],
        ["Owner", "b"],
      ]),
    },
  ]),
  around([{ type: "solution", name: "s", tags: null }], { name: "z", tags: tagsFrom([]) }),
);
const subjects = fc
  .tuple(tags, surroundings, fc.constantFrom("home", "prod-1"), fc.constantFrom(null, new Date("2026-01-01")))
  .map(([tags, above, name, created_at]) => subject(tags, resource({ name, created_at }), above));

function setOf(
  policies: Policies,
  turn: <Item>(items: readonly Item[]) => readonly Item[] = (items) => items,
): PolicySet {
  const files = policies.map((policy) => ({
    path: `${policy.id}.yaml`,
    text: JSON.stringify({ ...policy, rules: turn(policy.rules) }),
  }));
  return compilePolicies([...turn([...files, TABLE])]);
}

/** All that a set says of a subject and would do about it, in an order of its own. */
function answer(set: PolicySet, on: Subject): string[] {
  const { violations, unknowns, rules } = judge(set, on);
  const said = violations.map((violation) => [violation, fixFor(set, violation, on)]);
  return [...said, ...unknowns, ...explain(set, on), { rules }].map((one) => JSON.stringify(one)).sort();
}

describe("for any policies and resources", () => {
  test("what is said, and what would be done, is the same in whatever order files, rules and tags stand", () => {
    let violations = 0;
    fc.assert(
      fc.property(policies, subjects, (policies, on) => {
        const turned = { ...on, tags: tagsFrom(Object.entries(on.tags).toReversed()) };
        const set = setOf(policies);
        expect(
          answer(
            setOf(policies, (items) => items.toReversed()),
            turned,
          ),
        ).toEqual(answer(set, on));
        violations += judge(set, on).violations.length;
      }),
      { numRuns: 200 },
    );
    expect(violations).toBeGreaterThan(100);
  });

  test("the policies of others change nothing of what one says", () => {
    fc.assert(
      fc.property(policies, subjects, (policies, on) => {
        const [first] = policies;
        const alone = compilePolicies([{ path: "p.yaml", text: JSON.stringify(first) }, TABLE]);
        const ofFirst = judge(setOf(policies), on);
        const own = <Item extends { policy_id: string }>(items: readonly Item[]) =>
          items.filter(({ policy_id }) => policy_id === "p");
        // Which key looks like which depends on the keys that are known.
        const named = ({ rule_id, key, kind }: { rule_id: string; key: string; kind: string }) => [rule_id, key, kind];
        expect(own(ofFirst.violations).map(named)).toEqual(judge(alone, on).violations.map(named));
        expect(own(ofFirst.unknowns)).toEqual(judge(alone, on).unknowns);
      }),
      { numRuns: 100 },
    );
  });

  test("asked twice, with other resources in between, a set says the same; and so does one made anew", () => {
    fc.assert(
      fc.property(policies, fc.array(subjects, { minLength: 2, maxLength: 6 }), (policies, all) => {
        const set = setOf(policies);
        const first = all.map((on) => answer(set, on));
        expect(
          all
            .toReversed()
            .map((on) => answer(set, on))
            .toReversed(),
        ).toEqual(first);
        expect(all.map((on) => answer(setOf(policies), on))).toEqual(first);
      }),
      { numRuns: 100 },
    );
  });

  test("a change makes its rule pass and leaves it nothing to change; made twice it is made once", () => {
    let changes = 0;
    fc.assert(
      fc.property(policies, subjects, (policies, on) => {
        const set = setOf(policies);
        for (const violation of judge(set, on).violations) {
          const fix = fixFor(set, violation, on);
          if (fix.kind !== "change") continue;
          changes += 1;
          const after: Tags = apply(on.tags, fix);
          expect(apply(after, fix)).toEqual(after);
          const again = { ...on, tags: after };
          expect(judge(set, again).violations).not.toContainEqual(
            expect.objectContaining({ policy_id: violation.policy_id, rule_id: violation.rule_id, key: violation.key }),
          );
          expect(fixFor(set, violation, again)).toMatchObject({ kind: "review" });
        }
      }),
      { numRuns: 300 },
    );
    expect(changes).toBeGreaterThan(100);
  });
});
