import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Resource } from "../../src/inventory/resource.ts";
import { NOT_LOOKED_UP } from "../../src/inventory/surroundings.ts";
import { judge } from "../../src/policy/judge.ts";
import { compilePolicies, type PolicySet } from "../../src/policy/load.ts";
import { countUserTags, withChanges } from "../../src/remediation/change-tags.ts";
import { type Draft, planHash, planResource, type PlanOptions } from "../../src/remediation/plan.ts";
import { formatActions, formatReview } from "../../src/remediation/plan-text.ts";
import type { Reason } from "../../src/remediation/schema.ts";
import { filler, GOOD, POLICY, SET, setOf } from "./world.ts";

const NOW = new Date("2026-03-01T00:00:00Z");
const RESOURCE: Resource = {
  arn: "arn:aws:personalize:us-east-1:111122223333:campaign/prod",
  account_id: "111122223333",
  region: "us-east-1",
  type: "campaign",
  name: "prod",
  status: "ACTIVE",
  created_at: null,
  updated_at: null,
  summary: {},
};

/** Plans one campaign with these tags and everything that is wrong with it. */
function draftOf(tags: Record<string, string>, set: PolicySet = SET, more: Partial<PlanOptions> = {}): Draft {
  return planResource(set, plannableOf(tags, set), { mode: "plan", now: NOW, ...more });
}

function plannableOf(tags: Record<string, string>, set: PolicySet) {
  const findings = judge(set, { resource: RESOURCE, tags, now: NOW }).violations.map(
    ({ policy_id, rule_id, key, kind }) => ({
      finding_id: `${policy_id}/${rule_id}/${key}`,
      policy_id,
      rule_id,
      key,
      kind,
    }),
  );
  return { resource: RESOURCE, tags, unread: null, stack: null, around: NOT_LOOKED_UP, findings };
}

const MISSING = {
  finding_id: "f",
  policy_id: "p",
  rule_id: "environment",
  key: "Environment",
  kind: "missing",
} as const;

/** A second policy beside the usual one. */
function withRules(...rules: string[]): PolicySet {
  return setOf(POLICY, ["version: 1", "id: q", "title: Q", "rules:", ...rules.map((rule) => `  - ${rule}`)].join("\n"));
}

describe("a plan", () => {
  test("merges what several rules want of a resource into one action", () => {
    const { actions, review, blocked } = draftOf({ "cost-center": "CC-1234", "temp:x": "1", Note: "n" });
    expect(actions).toMatchObject([
      {
        changes: [
          { key: "CostCenter", before: null, after: "CC-1234" },
          { key: "Environment", before: null, after: "dev" },
          { key: "cost-center", before: "CC-1234", after: null },
          { key: "temp:x", before: "1", after: null },
        ],
        decided_on: { costcenter: null },
      },
    ]);
    expect(actions[0]?.reasons.map(({ rule_id }) => rule_id)).toEqual(["cost-center", "environment", "no-leftovers"]);
    expect([review, blocked]).toEqual([[], []]);
  });

  test("says of every changed key which rules ask for it, and where its value comes from", () => {
    const set = withRules("{id: no-cost, forbidden: ['cost-*', 'temp:*'], fix: {forbidden: remove}}");
    const { actions } = draftOf({ "cost-center": "CC-1234", "temp:x": "1" }, set);
    expect(actions[0]?.origins).toEqual({
      CostCenter: { rules: ["p/cost-center"], from: "cost-center" },
      Environment: { rules: ["p/environment"], from: "the rule" },
      "cost-center": { rules: ["p/cost-center", "q/no-cost"], from: "another spelling of CostCenter" },
      "temp:x": { rules: ["p/no-leftovers", "q/no-cost"], from: "a forbidden key" },
    });
  });

  test("its hash is another when a value comes from elsewhere, or an undo leaves out another key", () => {
    const [action] = draftOf({ "cost-center": "CC-1234" }).actions;
    const hash = planHash([action!]);
    const { CostCenter } = action!.origins;
    const others = [
      { ...action!, origins: { ...action!.origins, CostCenter: { ...CostCenter!, from: "given by someone" } } },
      { ...action!, origins: { ...action!.origins, CostCenter: { ...CostCenter!, rules: ["q/other"] } } },
      { ...action!, left_out: { Environment: "changed since" } },
    ];
    for (const other of others) expect(planHash([other])).not.toBe(hash);
    expect(planHash([{ ...action!, origins: Object.fromEntries(Object.entries(action!.origins).toReversed()) }])).toBe(
      hash,
    );
  });

  test("does not remove the only copy of a value that another rule would rename", () => {
    const set = withRules("{id: old-names, forbidden: ['cost-*'], fix: {forbidden: remove}}");
    const tags = { Environment: "prod", "cost-center": "CC-1234" };
    const only = (rule_id: string) => ({ selected: (_: unknown, finding: Reason) => finding.rule_id === rule_id });

    const { actions, review } = draftOf(tags, set, only("old-names"));
    expect(actions).toEqual([]);
    expect(review).toMatchObject([
      { rule_id: "old-names", reason: expect.stringContaining("p/cost-center") as string },
    ]);

    expect(draftOf(tags, set).actions).toMatchObject([
      {
        changes: [
          { key: "CostCenter", after: "CC-1234" },
          { key: "cost-center", after: null },
        ],
      },
    ]);
    expect(draftOf({ ...tags, CostCenter: "CC-1234" }, set, only("old-names")).actions).toMatchObject([
      { changes: [{ key: "cost-center", after: null }] },
    ]);
  });

  test("gives to a person what the policy leaves open, with the reason", () => {
    const { actions, review } = draftOf({ Environment: "weird", CostCenter: "CC-0001" });
    expect(actions).toEqual([]);
    expect(review).toMatchObject([
      { rule_id: "environment", kind: "invalid", reason: expect.stringContaining("value") },
    ]);
  });

  test("gives to a person what two rules want differently, and does the rest", () => {
    const set = withRules("{id: stage, key: Environment, required: true, fix: {missing: {value: staging}}}");
    const { actions, review } = draftOf({ "cost-center": "CC-1234" }, set);
    expect(actions[0]?.changes.map(({ key }) => key)).toEqual(["CostCenter", "cost-center"]);
    expect(review.map(({ reason }) => reason)).toEqual([
      "p/environment and q/stage want different values for Environment",
      "p/environment and q/stage want different values for Environment",
    ]);
  });

  test("two rules that want the same value are one change with two reasons", () => {
    const set = withRules("{id: stage, key: Environment, required: true, fix: {missing: {value: dev}}}");
    const { actions } = draftOf({ CostCenter: "CC-0001" }, set);
    expect(actions).toMatchObject([{ changes: [{ key: "Environment", after: "dev" }], reasons: [{}, {}] }]);
  });

  test("does not write what another rule refuses, even when that rule is content now", () => {
    const set = withRules("{id: never-dev, key: Environment, values: [prod]}");
    const { actions, review } = draftOf({ CostCenter: "CC-0001" }, set);
    expect(actions).toEqual([]);
    expect(review).toMatchObject([{ rule_id: "environment", reason: expect.stringContaining("q/never-dev") }]);
  });

  test("does not remove a key that another rule needs", () => {
    const set = withRules("{id: keep, key: 'temp:x', required: true}");
    const { actions, review } = draftOf({ Environment: "dev", "temp:x": "1" }, set);
    expect(actions).toEqual([]);
    expect(review).toMatchObject([{ rule_id: "no-leftovers", reason: expect.stringContaining("q/keep") }]);
  });

  test("does not write a key that another rule would rename", () => {
    const set = withRules("{id: stage, key: Stage, aliases: [Environment]}");
    const { actions, review } = draftOf({ CostCenter: "CC-0001" }, set);
    expect(actions).toEqual([]);
    expect(review).toMatchObject([{ rule_id: "environment", reason: expect.stringContaining("q/stage") }]);
  });

  describe("plans later what depends on a key that it changes", () => {
    const TEAM = "{id: team, key: Team, values: [search, video], fix: {invalid: {map: {Srch: search}}}}";
    const TABLE = { path: "owners.csv", text: "tags.Team,owner\nSrch,old@example.com\nsearch,new@example.com\n" };
    const policyWith = (owner: string, head = "") =>
      compilePolicies([
        { path: "team.yaml", text: `version: 1\nid: t\nrules: [${TEAM}]\n` },
        { path: "owner.yaml", text: `version: 1\nid: o\n${head}rules: [${owner}]\n` },
        TABLE,
      ]);
    const owner = (missing: string, required = "true") =>
      `{id: owner, key: Owner, required: ${required}, fix: {missing: ${missing}}}`;
    const BY_TEAM = "{lookup: {file: owners.csv, by: tags.Team, column: owner}}";

    test.each([
      ["a template", policyWith(owner('{template: "{tags.Team}@example.com"}'))],
      ["one that takes the key from a text", policyWith(owner(`{template: "{tags['Te' + 'am']}@example.com"}`))],
      ["one in a second source", policyWith(owner('{account_tag: x, otherwise: {template: "{tags.Team}@x"}}'))],
      ["a table", policyWith(owner(BY_TEAM))],
      ["the rule's condition", policyWith(owner("{value: a}", "\"tags.Team == 'Srch'\""))],
      ["the policy's condition", policyWith(owner("{value: a}"), "applies_to: {where: \"tags.Team == 'Srch'\"}\n")],
    ])("by %s", (_, set) => {
      const around = { ...NOT_LOOKED_UP, account: { known: true, name: "a", tags: {} } } as const;
      const plannable = { ...plannableOf({ Team: "Srch" }, set), around };
      const { actions, review } = planResource(set, plannable, { mode: "plan", now: NOW });
      expect(actions).toMatchObject([{ changes: [{ key: "Team", after: "search" }] }]);
      expect(review).toMatchObject([
        { rule_id: "owner", reason: "it depends on Team, which another rule changes: plan again after that" },
      ]);
    });

    test("also where a loop finds the key only then", () => {
      const team = "{id: team, key: Team, required: true, fix: {missing: {value: search}}}";
      const set = withRules(team, owner(`{template: "{tags.exists(key, key == 'Team') ? 'team' : 'nobody'}"}`));
      const { actions, review } = draftOf(GOOD, set);
      expect(actions).toMatchObject([{ changes: [{ key: "Team" }] }]);
      expect(review).toMatchObject([
        { rule_id: "owner", reason: expect.stringContaining("depends on Team") as string },
      ]);
    });

    test("and not what comes out the same", () => {
      const set = policyWith(owner("{value: a}", "\"tags.Team in ['Srch', 'search']\""));
      expect(draftOf({ Team: "Srch" }, set).actions).toMatchObject([{ changes: [{ key: "Owner" }, { key: "Team" }] }]);
    });

    test.each([
      [owner('{template: "{tags.Team}@example.com"}')],
      [owner(BY_TEAM)],
      [owner("{value: a}", "\"tags.Team == 'search'\"")],
    ])("the decision rests on the key where nothing changes it: %s", (rule) => {
      expect(draftOf({ Team: "search", Note: "n" }, policyWith(rule)).actions).toMatchObject([
        { changes: [{ key: "Owner" }], decided_on: { Team: "search" } },
      ]);
      expect(Object.keys(draftOf({ Team: "search", Note: "n" }, policyWith(rule)).actions[0]!.decided_on)).toEqual([
        "Team",
      ]);
    });
  });

  test("a filter by rule plans that rule alone, and still sees who disagrees", () => {
    const selected: PlanOptions["selected"] = (_, { rule_id }) => rule_id === "environment";
    expect(draftOf({ "temp:x": "1" }, SET, { selected }).actions[0]?.changes.map(({ key }) => key)).toEqual([
      "Environment",
    ]);
    const set = withRules("{id: stage, key: Environment, required: true, fix: {missing: {value: staging}}}");
    const draft = draftOf({}, set, { selected });
    expect(draft.actions).toEqual([]);
    expect(draft.review).toHaveLength(1);
  });

  test("a tag of a stack blocks all of it", () => {
    const { actions, blocked } = draftOf({ "aws:cloudformation:stack-name": "shop" });
    expect(actions).toEqual([]);
    expect(blocked).toMatchObject([{ note: expect.stringContaining("stack shop manages it") }]);
  });

  test.each([
    ["campaign", "which leaves the rest of it as it is"],
    ["solution", "this replaces the resource"],
    ["dataset-group", "this replaces the resource"],
    ["dataset", "this deletes the dataset and its data"],
    ["recommender", "a template has no tags for this type"],
    ["batch-segment-job", "look first whether that replaces"],
  ] as const)(
    "what a stack manages is left alone, and of a %s it is said what its template would do: %s",
    (type, says) => {
      const resource = { ...RESOURCE, type };
      const plannable = { resource, tags: {}, unread: null, stack: "shop", around: NOT_LOOKED_UP, findings: [MISSING] };
      const { actions, blocked } = planResource(SET, plannable, { mode: "plan", now: NOW });
      expect(actions).toEqual([]);
      expect(blocked).toMatchObject([{ note: expect.stringContaining(says) as string }]);
    },
  );

  test("tags that were not read are for a person", () => {
    const plannable = {
      resource: RESOURCE,
      tags: {},
      unread: "AccessDeniedException",
      stack: null,
      around: NOT_LOOKED_UP,
      findings: [MISSING],
    };
    const draft = planResource(SET, plannable, { mode: "plan", now: NOW });
    expect(draft.actions).toEqual([]);
    expect(draft.review).toMatchObject([{ reason: "its tags could not be read: AccessDeniedException" }]);
  });

  test("a policy with remediation: off is not planned and not handed to a person", () => {
    const set = setOf(POLICY.replace("remediation: plan", "remediation: off"));
    expect(draftOf({}, set)).toEqual({ actions: [], blocked: [], review: [] });
  });

  test("the hash is of what is done and why, whatever the order", () => {
    const { actions } = draftOf({ "cost-center": "CC-1234", "temp:x": "1" });
    const [action] = actions;
    if (!action) throw new Error("no action");
    const turned = { ...action, changes: action.changes.toReversed(), reasons: action.reasons.toReversed() };
    expect(planHash([turned])).toBe(planHash(actions));
    const [first, ...others] = action.changes;
    expect(planHash([{ ...action, changes: [{ ...first!, after: "CC-1235" }, ...others] }])).not.toBe(
      planHash(actions),
    );
    expect(planHash([{ ...action, decided_on: { costcenter: "" } }])).not.toBe(planHash(actions));
    expect(planHash([{ ...action, protected: true }])).not.toBe(planHash(actions));
  });
});

test("whatever the tags: at most 50 after, aws: untouched, no value overwritten that no map names, and the rules pass", () => {
  const keys = fc.constantFrom(
    "Environment",
    "CostCenter",
    "cost-center",
    "costcenter",
    "temp:a",
    "Note",
    "aws:x",
    "__proto__",
  );
  const values = fc.constantFrom("prod", "Production", "CC-0001", "CC-0002", "", "odd");
  fc.assert(
    fc.property(fc.dictionary(keys, values), fc.constantFrom(0, 43, 44, 45, 46), (some, fill) => {
      const tags = { ...filler(fill), ...some };
      const { actions } = draftOf(tags);
      expect(actions.length).toBeLessThanOrEqual(1);
      for (const { changes, reasons } of actions) {
        const after = withChanges(tags, changes);
        expect(countUserTags(after)).toBeLessThanOrEqual(50);
        for (const { key, before, after: value } of changes) {
          expect(key.toLowerCase().startsWith("aws:")).toBe(false);
          expect(before).toBe(Object.hasOwn(tags, key) ? (tags as Record<string, string>)[key] : null);
          if (before !== null && value !== null) expect([before, value]).toEqual(["Production", "prod"]);
        }
        const left = judge(SET, { resource: RESOURCE, tags: after, now: NOW }).violations.map(
          ({ rule_id, key }) => `${rule_id} ${key}`,
        );
        for (const { rule_id, key } of reasons) expect(left).not.toContain(`${rule_id} ${key}`);
      }
    }),
  );
});

describe("a plan as text", () => {
  const options = { color: false, isSensitive: () => false };

  test("shows before and after in aligned columns", () => {
    const { actions } = draftOf({ "cost-center": "CC-1234", Environment: "Production" });
    expect(formatActions(actions, options)).toBe(
      [
        "111122223333 us-east-1",
        "  campaign/prod  p/cost-center, p/environment",
        "    + CostCenter   (absent)   → CC-1234  (from cost-center, p/cost-center)",
        "    ~ Environment  Production → prod  (from the rule's fix of the old value, p/environment)",
        "    - cost-center  CC-1234    → (absent)  (another spelling of CostCenter, p/cost-center)",
        "",
      ].join("\n"),
    );
  });

  test("shows an empty value, takes out control characters and masks what is sensitive", () => {
    const changes = [
      { key: "A\u001b[2J", before: "", after: "x\u202ey" },
      { key: "Owner", before: "jane@example.com", after: null },
    ];
    const text = formatActions([{ ...RESOURCE, changes, origins: {}, reasons: [] }], {
      color: false,
      isSensitive: (key) => key === "Owner",
    });
    expect(text).toContain('""');
    expect(["\u001b", "\u202e"].some((character) => text.includes(character))).toBe(false);
    expect(text).not.toContain("jane");
    expect(text).toContain("***");
  });

  test("colours only when told to", () => {
    const { actions } = draftOf({});
    expect(formatActions(actions, options)).not.toContain("\u001b");
    expect(formatActions(actions, { ...options, color: true })).toContain("\u001b[32m");
  });

  test("groups what needs a person by the reason", () => {
    const { review } = draftOf({ Environment: "weird", CostCenter: "CC-0001" });
    const text = formatReview(
      Array.from({ length: 12 }, () => review[0]!),
      options,
    );
    expect(text.match(/p\/environment/g)).toHaveLength(1);
    expect(text).toContain("… and 2 more");
  });
});
