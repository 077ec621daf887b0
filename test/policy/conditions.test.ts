import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Surroundings } from "../../src/inventory/surroundings.ts";
import { compileCondition } from "../../src/policy/condition.ts";
import { Facts } from "../../src/policy/facts.ts";
import { judge } from "../../src/policy/judge.ts";
import { tagsFrom, type Tags } from "../../src/tags/tags.ts";
import { around, found, NOW, policy, resource, subject } from "./build.ts";

const TAGS = { Environment: "prod", "cost-center": "CC-1", Size: "12", "aws:internal": "x" };
const CAMPAIGN = resource({
  created_at: new Date("2026-01-01T00:00:00Z"),
  summary: { trainingType: "AUTOMATIC", minTps: 4 },
});
const AROUND = around([{ type: "dataset-group", name: "shop", tags: { Owner: "ann@example.com" } }], {
  name: "retail-prod",
  tags: { Team: "search" },
});

/** What a condition says of a campaign with these tags: true, false, or why not. */
function says(text: string, tags: Tags = TAGS, surroundings: Surroundings = AROUND): boolean | string {
  const answer = compileCondition(text).evaluate(new Facts(subject(tags, CAMPAIGN, surroundings)));
  return "value" in answer ? answer.value : answer.error;
}

describe("a condition looks at", () => {
  test.each([
    ["tags.Environment == 'prod'", true],
    ["tags['cost-center'].startsWith('CC-')", true],
    ["'Environment' in tags && !('Owner' in tags)", true],
    ["has(tags.Environment) && !has(tags.Owner)", true],
    ["size(tags) == 3", true],
    ["int(tags.Size) > 10", true],
    ["tags.exists(key, key.lowerAscii() == 'environment')", true],
    ["tags.all(key, tags[key] != '')", true],
    ["resource.type == 'campaign' && resource.name == 'prod-home' && resource.status == 'ACTIVE'", true],
    ["resource.account_id == '111122223333' && resource.region.startsWith('us-')", true],
    ["resource.training_type == 'AUTOMATIC' && resource.recipe_arn == null", true],
    ["resource.summary.minTps > 3.0", true],
    ["resource.age > days(58) && resource.age < duration('1440h')", true],
    ["resource.created_at < timestamp('2026-02-01T00:00:00Z')", true],
    ["now - resource.created_at > days(1)", true],
    ["resource.parent.name == 'shop' && resource.parent.type == 'dataset-group'", true],
    ["resource.lineage.dataset_group.tags.Owner.endsWith('@example.com')", true],
    ["'Owner' in resource.parent.tags", true],
    ["resource.lineage.solution.name == null", true],
    ["account.name == 'retail-prod' && account.tags.Team == 'search' && account.id == '111122223333'", true],
    ["now.getFullYear() == 2026", true],
    ["resource.name.substring(0, 4) == 'prod' && resource.name.indexOf('-') == 4", true],
    ["size(tags) - 1 + 2 == 4 && 'a' + 'b' == 'ab'", true],
    ["resource.created_at + days(400) > now", true],
    ["resource.name.matches('^(prod|live)-') && !resource.name.matches('^home')", true],
  ])("%s", (text, expected) => expect(says(text)).toBe(expected));
});

describe("what is absent is null, which compares as false and is never an error", () => {
  test.each([
    ["tags.Nope == 'prod'", false],
    ["tags.Nope == null", true],
    ["tags.Nope != 'prod'", true],
    ["tags.Nope < 'x' || tags.Nope > 'x' || tags.Nope <= 'x' || tags.Nope >= 'x'", false],
    ["'x' < tags.Nope || 'x' > tags.Nope", false],
    ["tags.Nope in ['a', 'b']", false],
    ["tags.Nope.startsWith('a') || tags.Nope.endsWith('a') || tags.Nope.contains('a')", false],
    ["tags.Nope.matches('.*')", false],
    ["tags.Nope.lowerAscii() == 'x'", false],
    ["size(tags.Nope) > 0", false],
    ["int(tags.Nope) > 4 || int(tags.Nope) < 4 || double(tags.Nope) < 1.0", false],
    ["tags.Nope.trim() < '5' || tags.Nope.substring(1) < '5' || tags.Nope.indexOf('a') < 1", false],
    ["tags.Nope.lowerAscii().startsWith('a')", false],
    ["now - resource.updated_at < days(1)", false],
    ["resource.updated_at + days(1) < now", false],
    ["tags.Nope + 'x' == 'x'", false],
    ["timestamp(tags.Nope) < now", false],
    ["resource.updated_at < now", false],
    ["now - resource.updated_at > days(1)", false],
    ["resource.lineage.solution.tags.Owner == 'x'", false],
    ["'Owner' in resource.lineage.solution.tags", false],
    ["resource.domain == 'ECOMMERCE'", false],
  ])("%s", (text, expected) => expect(says(text)).toBe(expected));
});

test("tags of AWS itself are not there", () => expect(says("'aws:internal' in tags")).toBe(false));

test("parentheses mean what they say", () => {
  expect(says("3 - (2 - 1) == 2")).toBe(true);
  expect(says("(('Environment') in (tags)) == !(('Owner') in tags)")).toBe(true);
  expect(says("(true ? 'a' : 'b') + 'c' == 'ac'")).toBe(true);
});

test("an error says where, and never what a tag holds", () => {
  const secret = "s3cr3t";
  expect(says("int(tags.Environment) > 1", { Environment: secret })).toBe(
    "int conversion error in int(tags.Environment) > 1",
  );
  expect(says("timestamp(tags.Environment) < now", { Environment: secret })).not.toContain(secret);
  expect(says("resource.name.matches(tags.Environment)", { Environment: "(s3cr3t" })).toBe(
    "invalid pattern in resource.name.matches(tags.Environment)",
  );
});

test("an error on one side of `||` and `&&` does not matter where the other side decides", () => {
  expect(says("int(tags.Environment) > 1 || true")).toBe(true);
  expect(says("false && int(tags.Environment) > 1")).toBe(false);
});

test("a pattern that would hold a backtracking engine for hours is matched at once", () => {
  expect(says("tags.Long.matches('^(a+)+$')", { Long: `${"a".repeat(200)}b` })).toBe(false);
});

describe("a rule with a condition", () => {
  const DATA_CLASS = `{id: r, key: DataClass, required: "tags.Environment == 'prod'", values: [public, internal]}`;

  test("requires a key only where it holds, and judges the value everywhere", () => {
    const set = policy([DATA_CLASS]);
    expect(found(judge(set, subject({ Environment: "prod" })))).toEqual(["r DataClass missing"]);
    expect(found(judge(set, subject({ Environment: "dev" })))).toEqual([]);
    expect(found(judge(set, subject({ Environment: "dev", DataClass: "x" })))).toEqual(["r DataClass invalid"]);
  });

  test("takes an empty value for none only where the key is required", () => {
    const set = policy([`{id: r, key: Note, required: "tags.Environment == 'prod'"}`]);
    expect(found(judge(set, subject({ Environment: "prod", Note: "" })))).toEqual(["r Note invalid"]);
    expect(found(judge(set, subject({ Environment: "dev", Note: "" })))).toEqual([]);
  });

  test("asserts something about the tags together, and shows those that it looked at", () => {
    const set = policy([
      `{id: r, assert: "!('Owner' in tags) || tags.Owner != 'root@example.com'", message: Name a team.}`,
    ]);
    const [violation] = judge(set, subject({ Owner: "root@example.com", Other: "x" })).violations;
    expect(violation).toMatchObject({ kind: "assertion", key: "", detail: { message: "Name a team." } });
    expect({ ...violation?.detail.observed }).toEqual({ Owner: "root@example.com" });
    expect(judge(set, subject({ Owner: "ann@example.com" })).violations).toEqual([]);
  });

  test("that cannot be evaluated is unknown, and never a pass", () => {
    const set = policy([`{id: r, key: K, required: "int(tags.Size) > 1"}`, `{id: a, assert: "int(tags.Size) > 1"}`]);
    const judgement = judge(set, subject({ Size: "big" }));
    expect(judgement.violations).toEqual([]);
    expect(judgement.unknowns).toEqual([
      { policy_id: "p", rule_id: "r", reason: "required: int conversion error in int(tags.Size) > 1" },
      { policy_id: "p", rule_id: "a", reason: "assert: int conversion error in int(tags.Size) > 1" },
    ]);
    expect(judgement.rules).toBe(2);
  });

  test("a policy applies where its condition holds; where that cannot be told all its rules are unknown", () => {
    const set = policy(
      ["{id: r, key: K, required: true}"],
      [`applies_to: {where: "resource.status == 'ACTIVE' && int(tags.Size) > 1"}`],
    );
    expect(found(judge(set, subject({ Size: "2" })))).toEqual(["r K missing"]);
    expect(judge(set, subject({ Size: "1" })).rules).toBe(0);
    expect(judge(set, subject({ Size: "big" }))).toMatchObject({
      rules: 1,
      violations: [],
      unknowns: [
        {
          rule_id: "r",
          reason: "applies_to.where: int conversion error in resource.status == 'ACTIVE' && int(tags.Size) > 1",
        },
      ],
    });
  });
});

describe("what was not looked up, or could not be read, makes a rule unknown that asks for it", () => {
  const rule = (text: string) => policy([`{id: r, assert: "${text}"}`]);
  const reasonOf = (text: string, surroundings?: Surroundings) =>
    judge(rule(text), subject({}, resource(), surroundings)).unknowns[0]?.reason;

  test.each([
    ["resource.parent.name == 'x'", undefined, "assert: its parents were not looked up"],
    ["account.name == 'x'", undefined, "assert: its account was not looked up"],
    [
      "resource.lineage.dataset_group.tags.Owner == 'x'",
      around([{ type: "dataset-group", name: "shop", tags: null }]),
      "assert: the tags of dataset-group shop are not known: AccessDeniedException",
    ],
  ])("%s", (text, surroundings, reason) => expect(reasonOf(text, surroundings)).toBe(reason));

  test("and no other rule", () => {
    const set = policy([`{id: r, assert: "resource.parent.name == 'x'"}`, "{id: k, key: K, required: true}"]);
    const judgement = judge(set, subject({}));
    expect(found(judgement)).toEqual(["k K missing"]);
    expect(judgement.unknowns).toHaveLength(1);
  });

  test("the id of the account needs no reading", () => {
    expect(reasonOf("account.id == '111122223333'")).toBeUndefined();
  });
});

describe("agrees_with: parent", () => {
  const set = policy(["{id: r, key: CostCenter, pattern: 'CC-[0-9]+', agrees_with: parent}"]);
  const group = (tags: Tags | null) => ({ type: "dataset-group", name: "shop", tags }) as const;
  const solution = (tags: Tags | null) => ({ type: "solution", name: "home", tags }) as const;
  const verdict = (tags: Tags, surroundings: Surroundings) => {
    const judgement = judge(set, subject(tags, resource(), surroundings));
    return judgement.unknowns[0]?.reason ?? found(judgement).join();
  };

  test.each([
    ["the same value", { CostCenter: "CC-1" }, around([group({ CostCenter: "CC-1" })]), ""],
    ["another value", { CostCenter: "CC-2" }, around([group({ CostCenter: "CC-1" })]), "r CostCenter invalid"],
    ["no value of its own", {}, around([group({ CostCenter: "CC-1" })]), ""],
    ["no parent that has one", { CostCenter: "CC-2" }, around([group({})]), ""],
    ["no parent", { CostCenter: "CC-2" }, around([]), ""],
    ["a parent whose value does not pass", { CostCenter: "CC-2" }, around([group({ CostCenter: "x" })]), ""],
    [
      "the nearest that has one counts",
      { CostCenter: "CC-2" },
      around([solution({ CostCenter: "CC-2" }), group({ CostCenter: "CC-1" })]),
      "",
    ],
    [
      "one without is passed over",
      { CostCenter: "CC-2" },
      around([solution({}), group({ CostCenter: "CC-1" })]),
      "r CostCenter invalid",
    ],
    [
      "a parent that could not be read",
      { CostCenter: "CC-2" },
      around([solution(null), group({ CostCenter: "CC-2" })]),
      "the tags of solution home are not known: AccessDeniedException",
    ],
    [
      "a value that does not pass is invalid whatever the parent has",
      { CostCenter: "x" },
      around([group(null)]),
      "r CostCenter invalid",
    ],
  ])("%s", (_, tags, surroundings, expected) => expect(verdict(tags as Tags, surroundings)).toBe(expected));

  test("the finding names the parent, and no value of it", () => {
    const [violation] = judge(
      set,
      subject({ CostCenter: "CC-2" }, resource(), around([group({ CostCenter: "CC-1" })])),
    ).violations;
    expect(violation?.detail).toMatchObject({
      message: "`CostCenter` is not what dataset-group shop has.",
      expected: "the same value as on dataset-group shop",
    });
  });
});

test("judging is the same whatever the order of tags, and changes nothing", () => {
  const set = policy([
    `{id: a, assert: "tags.all(k, tags[k] != 'x') || size(tags) < 2"}`,
    `{id: b, key: A, required: "'B' in tags", any_case: true, values: ['a*', b]}`,
    "{id: c, forbidden: ['t*'], any_case: true}",
  ]);
  const key = fc.constantFrom("A", "a", "B", "T1", "t2");
  const value = fc.constantFrom("", "x", "ab", "b");
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(key, value), { selector: ([name]) => name }), (pairs) => {
      const one = tagsFrom(pairs);
      const other = tagsFrom(pairs.toReversed());
      const before = JSON.stringify(one);
      expect(judge(set, subject(other))).toEqual(judge(set, subject(one)));
      expect(JSON.stringify(one)).toBe(before);
    }),
  );
});

test("age is reckoned from the instant of judging", () => {
  const set = policy([`{id: r, assert: "resource.age < days(90)"}`]);
  const at = (now: Date) => judge(set, { resource: CAMPAIGN, tags: {}, now }).violations.length;
  expect(at(NOW)).toBe(0);
  expect(at(new Date("2026-05-01T00:00:00Z"))).toBe(1);
});
