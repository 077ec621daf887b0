import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Resource } from "../../src/inventory/resource.ts";
import { NOT_LOOKED_UP } from "../../src/inventory/surroundings.ts";
import { judge } from "../../src/policy/judge.ts";
import { countUserTags, withChanges } from "../../src/remediation/change-tags.ts";
import { endBeforeReading } from "../../src/remediation/decide.ts";
import { planResource } from "../../src/remediation/plan.ts";
import { filler, setOf } from "./world.ts";

const NOW = new Date("2026-03-01T00:00:00Z");
const SET = setOf(
  `
version: 1
id: p
rules:
  - {id: owner, key: Owner, aliases: [owner], required: true, pattern: '[a-z]+', fix: {variant: rename}}
  - {id: team, key: Team, aliases: [team], required: "tags.Owner != null", values: [one, two]}
  - {id: no-root, assert: "!('Owner' in tags) || tags.Owner != 'root'"}
`,
  "version: 1\nid: q\nrules: [{id: other, key: Owner, values: [a, b, root]}]",
);
const RESOURCE: Resource = {
  arn: "arn:aws:personalize:us-east-1:111122223333:campaign/x",
  account_id: "111122223333",
  region: "us-east-1",
  type: "campaign",
  name: "x",
  status: "ACTIVE",
  created_at: null,
  updated_at: null,
  summary: {},
};
const keys = fc.constantFrom("Owner", "owner", "Team", "team", "Note", "aws:x", "__proto__");
const values = fc.constantFrom("a", "b", "one", "two", "root", "", "ODD");

test("a value that is overwritten counts as lost, also where another key is given the same one", () => {
  const set = setOf(`version: 1\nid: p\nrules: [{id: pair, assert: "tags.Env == 'prod' && tags.Stage == 'dev'"}]`);
  const values = new Map([
    ["Env", "prod"],
    ["Stage", "dev"],
  ]);
  const draft = (tags: Record<string, string>, overwrite = false) => {
    const findings = [{ finding_id: "f", policy_id: "p", rule_id: "pair", key: "", kind: "assertion" as const }];
    const plannable = { resource: RESOURCE, tags, unread: null, stack: null, around: NOT_LOOKED_UP, findings };
    return planResource(set, plannable, { mode: "plan", now: NOW, given: () => ({ values, overwrite, from: "" }) });
  };
  expect(draft({ Env: "dev" }).actions).toEqual([]);
  expect(draft({ Env: "dev" }).review).toMatchObject([
    { reason: "`Env` has a value already, and the plan does not say that it may be overwritten" },
  ]);
  expect(draft({ Env: "dev" }, true).actions).toMatchObject([{ changes: [{ key: "Env" }, { key: "Stage" }] }]);
  expect(draft({ Env: "prod" }).actions).toMatchObject([{ changes: [{ key: "Stage", after: "dev" }] }]);
});

test("whatever is given: only keys that were given change or give way, nothing is overwritten unless said, the rules pass, and it is still asked for", () => {
  let planned = 0;
  fc.assert(
    fc.property(
      fc.dictionary(keys, values),
      fc.dictionary(fc.constantFrom("Owner", "Team"), values),
      fc.boolean(),
      fc.constantFrom(0, 45, 46, 47),
      (some, wanted, overwrite, fill) => {
        const tags: Record<string, string> = { ...filler(fill), ...some };
        const findings = judge(SET, { resource: RESOURCE, tags, now: NOW }).violations.map((violation) => {
          const { policy_id, rule_id, key, kind } = violation;
          return { finding_id: `${rule_id}/${key}`, policy_id, rule_id, key, kind };
        });
        const given = { values: new Map(Object.entries(wanted)), overwrite, from: "given by someone" };
        const plannable = {
          resource: RESOURCE,
          tags,
          unread: null,
          stack: null,
          fights: [],
          around: NOT_LOOKED_UP,
          findings,
        };
        const { actions } = planResource(SET, plannable, { mode: "plan", now: NOW, given: () => given });
        for (const action of actions) {
          planned++;
          const after = withChanges(tags, action.changes);
          expect(countUserTags(after)).toBeLessThanOrEqual(50);
          for (const { key, before, after: value } of action.changes) {
            if (value === null) expect([key, "Owner" in wanted]).toEqual(["owner", true]);
            else expect([value, action.given.includes(key)]).toEqual([wanted[key], true]);
            const elsewhere = value === null && action.changes.some((one) => one.after === before);
            const kept = before === null || before === "" || elsewhere;
            if (!overwrite && value === null && tags["Owner"] === before) continue;
            if (!overwrite) expect(kept).toBe(true);
          }
          const left = judge(SET, { resource: RESOURCE, tags: after, now: NOW }).violations;
          for (const { rule_id, key } of action.reasons)
            expect(left.some((one) => one.rule_id === rule_id && one.key === key)).toBe(false);
          const open = new Map(action.reasons.map(({ finding_id }) => [finding_id, { exempt: false }]));
          const known = {
            resource: RESOURCE,
            stack: null,
            tags,
            around: NOT_LOOKED_UP,
            policy_set_id: SET.id,
            open,
            fights: [],
          };
          expect(endBeforeReading(action, known, { set: SET, mode: "plan", now: NOW })).toBeNull();
        }
      },
    ),
    { numRuns: 2000 },
  );
  expect(planned).toBeGreaterThan(100);
});
