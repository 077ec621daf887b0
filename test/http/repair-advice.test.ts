import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { advise } from "../../src/http/dashboard/repair-advice.ts";
import type { Surroundings } from "../../src/inventory/surroundings.ts";
import { compilePolicies, type PolicySet } from "../../src/policy/load.ts";
import type { FindingRow, ResourceRow } from "../../src/reports/store.ts";

const SET = compilePolicies([
  {
    path: "p.yaml",
    text: `
version: 1
id: p
title: Policy
rules:
  - id: cost-center
    key: CostCenter
    required: true
    aliases: [costcenter]
    fix: {variant: rename, missing: {value: "CC 1: a"}}
  - id: owner
    key: Owner
    required: true
`,
  },
]);

const NOW = new Date("2026-03-02T12:00:00Z");

const ARN = "arn:aws:personalize:us-east-1:111122223333:campaign/it's $HOME";
const resource = (changes: Partial<ResourceRow> = {}) =>
  ({
    arn: ARN,
    account_id: "111122223333",
    region: "us-east-1",
    type: "campaign",
    name: "shop",
    service_status: "ACTIVE",
    created_at: null,
    tags: {},
    stack: null,
    ...changes,
  }) as ResourceRow;
const finding = (changes: Partial<FindingRow> = {}) =>
  ({
    arn: ARN,
    region: "us-east-1",
    policy_id: "p",
    rule_id: "cost-center",
    key: "CostCenter",
    kind: "missing",
    state: "open",
    sensitive: false,
    ...changes,
  }) as FindingRow;

/** The advice on a resource that is judged as it is shown, with what stands around it. */
function asked(set: PolicySet, about: FindingRow, shown: ResourceRow, around?: Surroundings) {
  const { service_status: status, tags, ...rest } = shown;
  const subject = { resource: { ...rest, status, updated_at: null, summary: {} }, tags: tags ?? {}, now: NOW };
  return advise(set, about, shown, { ...subject, ...(around && { around }) });
}

/** The words that a shell makes of a command. */
function words(command: string): string[] {
  const script = `aws() { printf '%s\\0' "$@"; }; ${command}`;
  return execFileSync("sh", ["-c", script], { encoding: "utf8" }).split("\0").slice(0, -1);
}

test("a known value comes as a command that a shell reads as it is meant", () => {
  const advice = asked(SET, finding(), resource());
  expect(advice?.note).toBeNull();
  expect(words(advice!.commands[0]!)).toEqual([
    "personalize",
    "tag-resource",
    "--region",
    "us-east-1",
    "--resource-arn",
    ARN,
    "--tags",
    '[{"tagKey":"CostCenter","tagValue":"CC 1: a"}]',
  ]);
});

test("a rename writes first, then removes", () => {
  const advice = asked(SET, finding({ kind: "variant" }), resource({ tags: { costcenter: "a b" } }));
  expect(advice?.commands.map((command) => words(command)[1])).toEqual(["tag-resource", "untag-resource"]);
  expect(words(advice!.commands[1]!).at(-1)).toBe('["costcenter"]');
});

test("no command where a person has to choose, a stack manages it, a value is masked, or tags were never read", () => {
  const none = (f: Partial<FindingRow>, r: Partial<ResourceRow>) => asked(SET, finding(f), resource(r));
  expect(none({ rule_id: "owner", key: "Owner" }, {})).toMatchObject({
    commands: [],
    note: expect.stringContaining("A person has to choose"),
  });
  expect(none({}, { stack: "shop" })).toMatchObject({ commands: [], note: expect.stringContaining("stack shop") });
  expect(none({ kind: "variant" }, { tags: { costcenter: "***" } })?.commands).toEqual([]);
  expect(none({ sensitive: true }, {})?.commands).toEqual([]);
  expect(none({}, { tags: null })?.commands).toEqual([]);
  expect(none({ state: "resolved" }, {})).toBeNull();
});

const INHERIT = (more = "") =>
  compilePolicies([
    {
      path: "p.yaml",
      text: `version: 1
id: p
managed: "'ManagedBy' in tags"
rules:
  - {id: cost-center, key: CostCenter, required: true, fix: {missing: {account_tag: CostCenter}}}
${more}`,
    },
  ]);
const AROUND: Surroundings = {
  lineage: { known: true, ancestors: [] },
  account: { known: true, name: "shop", tags: { CostCenter: "CC-1" } },
};

test("a value comes from where the policy says, unless it might be one that nobody may see", () => {
  expect(asked(INHERIT(), finding(), resource(), AROUND)?.commands.map(words)[0]?.at(-1)).toBe(
    '[{"tagKey":"CostCenter","tagValue":"CC-1"}]',
  );
  const hidden = INHERIT("  - {id: contact, key: Contact, values: [a], sensitive: true}\n");
  expect(asked(hidden, finding(), resource(), AROUND)).toEqual({
    commands: [],
    note: expect.stringContaining("no command is shown") as string,
  });
});

test("what a policy calls managed elsewhere is left alone", () => {
  expect(asked(INHERIT(), finding(), resource({ tags: { ManagedBy: "cdk" } }), AROUND)).toEqual({
    commands: [],
    note: expect.stringContaining("managed elsewhere") as string,
  });
});
