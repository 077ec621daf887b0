import { describe, expect, test } from "vitest";
import { fixFor, ruleOf, type Fix } from "../../src/policy/fix.ts";
import type { Tags } from "../../src/tags/tags.ts";
import { judgeAndFix, policy, resource, subject } from "./build.ts";

const COST_CENTER =
  "{id: r, key: CostCenter, aliases: [cost-center, costcenter], required: true, pattern: 'CC-\\d+', fix: {variant: rename, missing: {value: CC-0}, invalid: {map: {'17': CC-17, '': CC-0}}}}";

/** A fix in one line: `CostCenter=CC-1, -costcenter`, or the reason for a person. */
function words(fix: Fix): string {
  if (fix.kind !== "change") return fix.kind === "off" ? "off" : `review: ${fix.reason}`;
  return fix.changes.map(({ key, after }) => (after === null ? `-${key}` : `${key}=${after}`)).join(", ");
}

describe("what a rule asks for", () => {
  const DIFFERENT = "review: the spellings of the key have different values";
  const REFUSED = "review: the value of the other spelling is not allowed";
  const cases: [what: string, rule: string, tags: Tags, asked: string[]][] = [
    ["nothing where nothing is wrong", COST_CENTER, { CostCenter: "CC-1" }, []],
    ["the default where the key is missing", COST_CENTER, { Owner: "x" }, ["CostCenter=CC-0"]],
    [
      "no default beside a key that looks like it",
      COST_CENTER,
      { CostCentre: "CC-1" },
      ["review: `CostCentre` looks like `CostCenter`; declare it as an alias, or let a person decide"],
    ],
    [
      "the default beside such a key, when the rule says so",
      "{id: r, key: CostCenter, required: true, fix: {missing: {value: CC-0, despite_near_miss: true}}}",
      { CostCentre: "CC-1" },
      ["CostCenter=CC-0"],
    ],
    ["another spelling is renamed", COST_CENTER, { costcenter: "CC-1" }, ["CostCenter=CC-1, -costcenter"]],
    [
      "several spellings that say the same are one",
      COST_CENTER,
      { costcenter: "CC-1", "cost-center": "CC-1" },
      ["CostCenter=CC-1, -cost-center, -costcenter"],
    ],
    [
      "several spellings that differ are for a person",
      COST_CENTER,
      { costcenter: "CC-1", "cost-center": "CC-2" },
      [DIFFERENT],
    ],
    [
      "another spelling beside the key goes, when it says the same",
      COST_CENTER,
      { costcenter: "CC-1", CostCenter: "CC-1" },
      ["-costcenter"],
    ],
    [
      "another spelling beside the key that differs is for a person",
      COST_CENTER,
      { costcenter: "CC-1", CostCenter: "CC-2" },
      [DIFFERENT],
    ],
    ["a value that fails is not carried over", COST_CENTER, { costcenter: "x" }, [REFUSED]],
    ["not even one that the map names", COST_CENTER, { costcenter: "17" }, [REFUSED]],
    ["nor an empty one", COST_CENTER, { costcenter: "" }, [REFUSED]],
    ["a value that the map names is replaced", COST_CENTER, { CostCenter: "17" }, ["CostCenter=CC-17"]],
    ["an empty value, too, when it is named", COST_CENTER, { CostCenter: "" }, ["CostCenter=CC-0"]],
    [
      "a value that the map does not name is for a person",
      COST_CENTER,
      { CostCenter: "18" },
      ["review: the rule does not say what this value should be"],
    ],
    [
      "an invalid value beside another spelling that already says what the map says",
      COST_CENTER,
      { CostCenter: "17", costcenter: "CC-17" },
      ["CostCenter=CC-17, -costcenter"],
    ],
    [
      "an invalid value beside another spelling that says something else is for a person",
      COST_CENTER,
      { CostCenter: "", costcenter: "CC-9" },
      ["review: another spelling of the key has a different value"],
    ],
    [
      "an invalid value beside another spelling is for a person where spellings are",
      "{id: r, key: K, aliases: [k], values: [a], fix: {invalid: {map: {A: a}}}}",
      { K: "A", k: "a" },
      ["review: another spelling of the key is there as well"],
    ],
    [
      "forbidden keys are taken off, one by one",
      "{id: r, forbidden: ['tmp-*'], fix: {forbidden: remove}}",
      { "tmp-a": "", "tmp-b": "" },
      ["-tmp-a", "-tmp-b"],
    ],
    ["too many tags are for a person", "{id: r, max_tags: 0}", { a: "" }, ["review: a person chooses which tags go"]],
  ];
  test.each(cases)("%s", (_, rule, tags, asked) => {
    expect(judgeAndFix(policy([rule]), tags).fixes.map(words)).toEqual(asked);
  });

  test.each([
    ["{id: r, key: K, required: true}", {}, "the rule has no value to write where the key is missing"],
    ["{id: r, key: K, aliases: [k]}", { k: "" }, "the rule leaves other spellings to a person"],
    ["{id: r, key: K, values: [a]}", { K: "b" }, "the rule does not say what this value should be"],
    ["{id: r, forbidden: [k]}", { k: "" }, "the rule leaves forbidden keys to a person"],
  ])("a person, when it does not say: %s", (rule, tags, reason) => {
    expect(judgeAndFix(policy([rule]), tags as Tags).fixes).toEqual([{ kind: "review", reason }]);
  });
});

describe("who may repair", () => {
  const rule = "{id: r, key: K, required: true, fix: {missing: {value: a}}}";
  const guarded = "{id: r, key: K, required: true, protected: true, fix: {missing: {value: a}}}";

  test("nobody, under `remediation: off`", () => {
    expect(judgeAndFix(policy([rule], ["remediation: off"]), {}).fixes).toEqual([{ kind: "off" }]);
  });

  test.each([
    ["plan", rule, { protected: false, auto: false }],
    ["auto", rule, { protected: false, auto: true }],
    ["plan", guarded, { protected: true, auto: false }],
    ["auto", guarded, { protected: true, auto: false }],
  ])("%s, %s", (remediation, text, expected) => {
    expect(judgeAndFix(policy([text], [`remediation: ${remediation}`]), {}).fixes).toMatchObject([expected]);
  });
});

test("a change names every key that decided it", () => {
  const [fix] = judgeAndFix(policy([COST_CENTER]), { costcenter: "CC-1", Other: "x" }).fixes;
  expect(fix).toMatchObject({ reads: ["CostCenter", "cost-center", "costcenter"] });
});

describe("a violation that is not there any more is for a person, with the reason", () => {
  const set = policy([COST_CENTER], ["applies_to: {types: [campaign]}"]);
  const violation = { policy_id: "p", rule_id: "r", key: "CostCenter", kind: "missing" as const };
  const gone = (changes: object, tags: Tags = {}, on = resource()) => {
    const fix = fixFor(set, { ...violation, ...changes }, subject(tags, on));
    return fix.kind === "review" ? fix.reason : fix.kind;
  };

  test("it is a change while it holds", () => expect(gone({})).toBe("change"));
  test.each([
    ["the tags pass", {}, { CostCenter: "CC-1" }, resource(), "the tags no longer violate the rule in this way"],
    [
      "the tags violate it in another way",
      {},
      { costcenter: "CC-1" },
      resource(),
      "the tags no longer violate the rule in this way",
    ],
    ["it is about another key", { key: "Owner" }, {}, resource(), "the tags no longer violate the rule in this way"],
    ["the rule is gone", { rule_id: "old" }, {}, resource(), "no active policy has this rule"],
    ["the policy is gone", { policy_id: "old" }, {}, resource(), "no active policy has this rule"],
    ["the policy is about others", {}, {}, resource({ type: "filter" }), "the policy is no longer about this resource"],
    [
      "the resource is being deleted",
      {},
      {},
      resource({ status: "DELETE PENDING" }),
      "the policy is no longer about this resource",
    ],
  ])("%s", (_, changes, tags, on, reason) => expect(gone(changes, tags as Tags, on)).toBe(reason));

  test("a rule is found by its name", () => {
    expect(ruleOf(set, "p", "r")?.key).toBe("CostCenter");
    expect(ruleOf(set, "p", "x")).toBeUndefined();
    expect(ruleOf(set, "x", "r")).toBeUndefined();
  });
});
