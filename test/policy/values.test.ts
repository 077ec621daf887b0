import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Surroundings } from "../../src/inventory/surroundings.ts";
import { compilePolicies } from "../../src/policy/load.ts";
import { cleanText } from "../../src/policy/repair-value.ts";
import type { Tags } from "../../src/tags/tags.ts";
import { apply, around, judgeAndFix, policy, problemsOf, resource } from "./build.ts";

/** What one rule writes to a campaign with these tags: the tags after, or why a person has to decide. */
function repaired(rule: string, tags: Tags, on = resource(), surroundings?: Surroundings): object | string {
  const { fixes } = judgeAndFix(policy([rule]), tags, on, surroundings);
  const [fix] = fixes;
  if (fix?.kind === "review") return fix.reason;
  return { ...fixes.reduce(apply, tags) };
}

const group = (tags: Tags | null) => ({ type: "dataset-group", name: "shop", tags }) as const;
const solution = (tags: Tags | null) => ({ type: "solution", name: "home", tags }) as const;

describe("a missing value is inherited from the nearest resource above that has one which passes", () => {
  const RULE = "{id: r, key: C, required: true, pattern: 'CC-[0-9]', fix: {missing: {inherit: true, otherwise: CC-0}}}";

  test.each([
    ["its parent has one", [solution({ C: "CC-1" }), group({ C: "CC-2" })], { C: "CC-1" }],
    ["its parent has none", [solution({}), group({ C: "CC-2" })], { C: "CC-2" }],
    ["its parent has one that does not pass", [solution({ C: "x" }), group({ C: "CC-2" })], { C: "CC-2" }],
    ["its parent has an empty one", [solution({ C: "" }), group({ C: "CC-2" })], { C: "CC-2" }],
    ["nobody has one: otherwise", [solution({}), group({})], { C: "CC-0" }],
    ["it has no parent: otherwise", [], { C: "CC-0" }],
    [
      "one on the way could not be read: a person, and not `otherwise`",
      [solution(null), group({ C: "CC-2" })],
      "the value cannot be told: the tags of solution home are not known: AccessDeniedException",
    ],
    ["one above it could not be read, and is not needed", [solution({ C: "CC-1" }), group(null)], { C: "CC-1" }],
  ])("%s", (_, ancestors, expected) => {
    expect(repaired(RULE, {}, resource(), around(ancestors))).toEqual(expected);
  });

  test("parents that were not looked up are no reason for `otherwise`", () => {
    expect(repaired(RULE, {})).toBe("the value cannot be told: its parents were not looked up");
  });

  test("the fix names what it rests on, to be read anew, and where the value comes from", () => {
    const surroundings = around([solution({}), group({ C: "CC-2" })]);
    const [fix] = judgeAndFix(policy([RULE]), {}, resource(), surroundings).fixes;
    expect(fix).toMatchObject({
      kind: "change",
      from: "dataset-group shop",
      reads_from: [
        { arn: expect.stringContaining("solution/home"), key: "C", value: null },
        { arn: expect.stringContaining("dataset-group/shop"), key: "C", value: "CC-2" },
      ],
    });
  });

  test("a value that rests on nobody having one rests on that as well", () => {
    const [fix] = judgeAndFix(policy([RULE]), {}, resource(), around([group({})])).fixes;
    expect(fix).toMatchObject({ from: null, reads_from: [{ key: "C", value: null }] });
  });
});

describe("a missing value is taken from a tag of the account", () => {
  const RULE = "{id: r, key: Team, required: true, fix: {missing: {account_tag: team, otherwise: nobody}}}";
  test.each([
    [{ name: "a", tags: { team: "search" } }, { Team: "search" }],
    [{ name: "a", tags: { Team: "search" } }, { Team: "nobody" }],
    [{ name: "a", tags: { team: "" } }, { Team: "nobody" }],
    [undefined, "the value cannot be told: its account was not looked up"],
  ])("%j", (account, expected) => {
    expect(repaired(RULE, {}, resource(), around([], account))).toEqual(expected);
  });
});

describe("a missing value is looked up in a table beside the policies", () => {
  const TEAMS =
    "account_id,name,owner\n111122223333,prod-*,ann@example.com\n111122223333,*,bob@example.com\n4*,*,cat@example.com\n";
  const rule = (lookup: string, rest = "") =>
    `version: 1\nid: p\nrules: [{id: r, key: Owner, required: true, fix: {missing: {lookup: ${lookup}${rest}}}}]\n`;
  const look = (
    on: object,
    text = rule("{file: teams.csv, by: [account_id, name], column: owner}"),
    tags: Tags = {},
  ) => {
    const set = compilePolicies([
      { path: "p.yaml", text },
      { path: "teams.csv", text: TEAMS },
      {
        path: "stages.lookup.yaml",
        text: "- {tags.Stage: poc, owner: dan@example.com}\n- {tags.Stage: '', owner: x@example.com}\n",
      },
    ]);
    const { fixes } = judgeAndFix(set, tags, resource(on));
    return fixes[0]?.kind === "review" ? fixes[0].reason : fixes.reduce(apply, tags)["Owner"];
  };

  test("by the first row that matches", () => {
    expect(look({ name: "prod-home" })).toBe("ann@example.com");
    expect(look({ name: "dev-home" })).toBe("bob@example.com");
    expect(look({ account_id: "444455556666" })).toBe("cat@example.com");
    expect(look({ account_id: "999988887777" })).toBe("there is no value to write: teams.csv has no row for it");
  });

  test("by another tag, from YAML; an empty cell matches nothing", () => {
    const text = rule("{file: stages.lookup.yaml, by: tags.Stage, column: owner}");
    expect(look({}, text, { Stage: "poc" })).toBe("dan@example.com");
    expect(look({}, text, { Stage: "" })).toContain("no row for it");
    expect(look({}, text, {})).toContain("no row for it");
  });

  test("otherwise", () => {
    const text = rule("{file: teams.csv, by: account_id, column: owner}", ", otherwise: root@example.com");
    expect(look({ account_id: "999988887777" }, text)).toBe("root@example.com");
  });

  test("rows that name what they match are found as fast as there are many, and come in their order", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("a", "b", "a*", "*", "c"), { maxLength: 8 }),
        fc.constantFrom("a", "ab", "c"),
        (names, name) => {
          const text = `name,owner\n${names.map((cell, index) => `${cell},o${index}@example.com`).join("\n")}\n`;
          const set = compilePolicies([
            { path: "p.yaml", text: rule("{file: t.csv, by: name, column: owner}") },
            { path: "t.csv", text },
          ]);
          const { fixes } = judgeAndFix(set, {}, resource({ name }));
          const matches = (cell: string) => (cell.endsWith("*") ? name.startsWith(cell.slice(0, -1)) : cell === name);
          const first = names.findIndex(matches);
          expect(fixes[0]).toMatchObject(
            first < 0 ? { kind: "review" } : { changes: [{ key: "Owner", after: `o${first}@example.com` }] },
          );
        },
      ),
    );
  });

  test.each([
    ["a,b\n1\n", "teams.csv:2:1: not valid CSV"],
    ['a\r,b\r\n"x\r\ny",1\r\n1\r\n', "teams.csv:4:1: not valid CSV"],
    ["", "teams.csv:1:1: is empty: its first line names the columns"],
    ["a,a\n", "teams.csv:1:1: the column `a` is there twice"],
    ["account_id,owners\n", "p.yaml:3:111: teams.csv has no column `owner`. Did you mean `owners`?"],
  ])("a table that cannot be used is refused: %j", (table, problem) => {
    const text = rule("{file: teams.csv, by: account_id, column: owner}");
    expect(() =>
      compilePolicies([
        { path: "p.yaml", text },
        { path: "teams.csv", text: table },
      ]),
    ).toThrow(problem);
  });

  test("another table is another set of policies", () => {
    const idWith = (table: string) =>
      compilePolicies([
        { path: "p.yaml", text: rule("{file: t.csv, by: name, column: owner}") },
        { path: "t.csv", text: table },
      ]).id;
    expect(idWith("name,owner\na,x\n")).not.toBe(idWith("name,owner\na,y\n"));
    expect(idWith("name,owner\na,x\n")).toBe(idWith("name,owner\r\na , x\r\n"));
  });
});

describe("a missing value is made of the resource's fields", () => {
  const rule = (template: string, rest = "") =>
    `{id: r, key: K, required: true, fix: {missing: {template: "${template}"${rest}}}}`;
  test.each([
    ["{resource.name}/{resource.type}", {}, { K: "prod-home/campaign" }],
    ["{resource.name.upperAscii()}", {}, { K: "PROD-HOME" }],
    ["team-{tags.Team}", { Team: "search" }, { Team: "search", K: "team-search" }],
    ["team-{tags.Team}", {}, "there is no value to write: something in the template is absent"],
    ["{resource.parent.name}", {}, { K: "shop" }],
    ["{account.name}", {}, { K: "retail" }],
    ["{'a' + 1}", {}, undefined],
  ])("%s", (template, tags, expected) => {
    const surroundings = around([group({})], { name: "retail", tags: {} });
    if (expected === undefined) expect(problemsOf(`version: 1\nid: p\nrules: [${rule(template)}]\n`)).toHaveLength(1);
    else expect(repaired(rule(template), tags as Tags, resource(), surroundings)).toEqual(expected);
  });

  test("one that the rule or AWS would refuse is not written", () => {
    const long = resource({ name: "x".repeat(200) });
    expect(repaired(rule("{resource.name}{resource.name}"), {}, long)).toBe(
      "there is no value to write: the template gives a value that the rule refuses",
    );
    expect(repaired(rule("{resource.name}{resource.name}", ", otherwise: none"), {}, long)).toEqual({ K: "none" });
  });
});

describe("a value that is not allowed", () => {
  const rule = (invalid: string, values = "[dev, staging, prod]") =>
    `{id: r, key: E, values: ${values}, fix: {invalid: ${invalid}}}`;
  test.each([
    ["is cleaned up", "{clean: {trim: true, case: lower}}", " Prod ", { E: "prod" }],
    ["is mapped after that", "{clean: {trim: true}, map: {Production: prod}}", " Production", { E: "prod" }],
    [
      "is mapped as it is where the clean one is not named",
      "{clean: {case: lower}, map: {PRD: prod}}",
      "PRD",
      { E: "prod" },
    ],
    ["is mapped in any case", "{map: {production: prod}, ignore_case: true}", "PRODUCTION", { E: "prod" }],
    [
      "is matched by the first pattern",
      "{patterns: [{pattern: '(?i)prod.*', value: prod}, {pattern: '.*', value: dev}]}",
      "Prod-1",
      { E: "prod" },
    ],
    [
      "is matched as a whole",
      "{patterns: [{pattern: 'prod', value: prod}]}",
      "prod-1",
      "the rule does not say what this value should be",
    ],
    ["becomes `otherwise`", "{map: {x: prod}, otherwise: dev}", "y", { E: "dev" }],
    [
      "stays, where nothing names it",
      "{map: {x: prod}, clean: {trim: true}}",
      "y",
      "the rule does not say what this value should be",
    ],
  ])("%s", (_, invalid, value, expected) => expect(repaired(rule(invalid), { E: value })).toEqual(expected));

  test("that contradicts a resource above it is allowed, and so is nothing for a map", () => {
    const text =
      "{id: r, key: E, values: [dev, prod], agrees_with: parent, fix: {invalid: {clean: {case: lower}, otherwise: dev}}}";
    expect(repaired(text, { E: "prod" }, resource(), around([group({ E: "dev" })]))).toBe(
      "the value is allowed, and contradicts that of a resource above it",
    );
  });

  test.each([
    ["missing: {value: dev}", {}],
    ["invalid: {clean: {case: lower}}", { E: "DEV" }],
    ["variant: rename", { e: "dev" }],
  ])("is not repaired into a contradiction of a resource above it: %s", (fix, tags) => {
    const text = `{id: r, key: E, required: true, any_case: true, values: [dev, prod], agrees_with: parent, fix: {${fix}}}`;
    expect(repaired(text, tags as unknown as Tags, resource(), around([group({ E: "prod" })]))).toBe(
      "the rule would not pass after the change: `E` is not what dataset-group shop has.",
    );
    expect(repaired(text, tags as unknown as Tags, resource(), around([group({ E: "dev" })]))).toEqual({ E: "dev" });
    expect(repaired(text, tags as unknown as Tags, resource(), around([group(null)]))).toBe(
      "the rule could not be judged after the change: the tags of dataset-group shop are not known: AccessDeniedException",
    );
  });

  test.each([
    ["  a b ", { trim: true }, "a b"],
    ["Ann Lee", { trim: false, case: "upper" }, "ANN LEE"],
    ["ANN lee", { trim: false, case: "title" }, "Ann Lee"],
    ["ann_lee  x.y", { trim: false, separators: "-" }, "ann-lee-x-y"],
    ["a-b", { trim: false, separators: "" }, "ab"],
  ] as const)("%j cleaned by %j", (text, clean, expected) => expect(cleanText(text, clean)).toBe(expected));

  test("cleaning twice changes nothing", () => {
    const clean = fc.record({
      trim: fc.boolean(),
      case: fc.constantFrom("lower" as const, "upper" as const, "title" as const),
      separators: fc.constantFrom("-", "_", " ", ""),
    });
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("a", "B", " ", "-", "_", "é", "1") }), clean, (text, how) => {
        expect(cleanText(cleanText(text, how), how)).toBe(cleanText(text, how));
      }),
    );
  });
});

describe("any_case", () => {
  const RULE = "{id: r, key: CostCenter, any_case: true, required: true, fix: {variant: rename}}";
  test.each([
    [{ costcenter: "1" }, { CostCenter: "1" }],
    [{ COSTCENTER: "1", costCenter: "1" }, { CostCenter: "1" }],
    [{ costcenter: "1", CostCenter: "2" }, "the spellings of the key have different values"],
    [{ "cost-center": "1" }, "the rule has no value to write where the key is missing"],
  ])("%j", (tags, expected) => expect(repaired(RULE, tags as unknown as Tags)).toEqual(expected));

  test("forbids keys in any case, as they are", () => {
    const rule = "{id: r, forbidden: ['temp:*', Password], any_case: true, fix: {forbidden: remove}}";
    expect(repaired(rule, { "TEMP:x": "1", password: "2", Temp: "3" })).toEqual({ Temp: "3" });
  });
});

test("`*` in an allowed value stands for any run of characters", () => {
  const rule = "{id: r, key: E, values: ['cc-*', '*@example.com', none], fix: {invalid: {otherwise: none}}}";
  for (const value of ["cc-", "cc-12", "ann@example.com", "none"])
    expect(repaired(rule, { E: value })).toEqual({ E: value });
  for (const value of ["CC-1", "ann@example.org", "None"]) expect(repaired(rule, { E: value })).toEqual({ E: "none" });
});

test("a repair makes its rule pass, or a person decides; and made twice it changes nothing", () => {
  const rules = [
    "{id: r, key: K, required: true, any_case: true, values: ['a*', b], fix: {variant: rename, missing: {inherit: true, otherwise: b}, invalid: {clean: {trim: true, case: lower}, map: {X: b}}}}",
    "{id: r, key: K, required: \"'L' in tags\", aliases: [M], pattern: '[ab]+', fix: {variant: rename, missing: {template: '{tags.L}'}, invalid: {patterns: [{pattern: '.*a.*', value: a}]}}}",
    "{id: r, forbidden: ['L*'], any_case: true, fix: {forbidden: remove}}",
  ];
  const tags = fc.dictionary(fc.constantFrom("K", "k", "L", "l", "M"), fc.constantFrom("", "a", "b", " A ", "X", "zz"));
  const above = fc.constantFrom(
    around([]),
    around([group({ K: "ab" })]),
    around([group({ K: "zz" })]),
    around([group(null)]),
  );
  fc.assert(
    fc.property(fc.constantFrom(...rules), tags, above, (rule, before, surroundings) => {
      const set = policy([rule]);
      const first = judgeAndFix(set, before, resource(), surroundings);
      const changes = first.fixes.filter(({ kind }) => kind === "change");
      const after = changes.reduce(apply, before as Tags);
      const second = judgeAndFix(set, after, resource(), surroundings);
      expect(second.fixes.filter(({ kind }) => kind === "change")).toEqual([]);
      if (changes.length === first.fixes.length) expect(second.found).toEqual([]);
    }),
  );
});
