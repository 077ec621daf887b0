import { sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Database, OpenDatabase } from "../../src/db/client.ts";
import { checkExemptions } from "../../src/exemptions/check.ts";
import { activateSet } from "../../src/findings/activate.ts";
import type { Aws } from "../../src/inventory/aws/session.ts";
import { compilePolicies, type PolicySet } from "../../src/policy/load.ts";
import { wantedForRepair } from "../../src/policy/needs.ts";
import { loadPlannable } from "../../src/remediation/load.ts";
import { planChanges } from "../../src/remediation/plan.ts";
import { preview } from "../../src/reports/db/preview.ts";
import { breakdown, compliance } from "../../src/reports/store.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/server.ts";
import { snapshot } from "../findings/world.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";
import { exemptNow } from "../support/exemptions.ts";
import { awsOf, POLICIES, scanAll } from "../support/scan.ts";

const edited = (change: (text: string) => string): PolicySet => {
  const text = POLICIES.files[0]!.text;
  const changed = change(text);
  if (changed === text) throw new Error("the edit changed nothing");
  return compilePolicies([{ path: "test.yaml", text: changed }]);
};

const EDITS: [string, PolicySet][] = [
  ["fewer values that pass", edited((text) => text.replace("CC-\\d{4}", "CC-1\\d{3}"))],
  ["a rule fewer", edited((text) => text.replace(/ {2}- id: leftovers[^]*?(?= {2}- id: headroom)/, ""))],
  [
    "a rule that has another name",
    edited((text) =>
      text
        .replace("id: cost-center", "id: cost, formerly: [cost-center]")
        .replace("- id: cost, formerly: [cost-center]", "- id: cost\n    formerly: [cost-center]"),
    ),
  ],
  ["another severity", edited((text) => text.replace("severity: high", "severity: critical"))],
  [
    "a scope",
    edited((text) => text.replace("title:", "applies_to: {types: [campaign, solution, dataset-group]}\ntitle:")),
  ],
  [
    "a value that comes from above",
    edited((text) => text.replace("missing: {value: dev}", "missing: {inherit: true}")),
  ],
  [
    "a condition that cannot be known",
    edited((text) => text.replace("title:", "applies_to: {where: \"account.name == 'shop'\"}\ntitle:")),
  ],
  ["all rules other ones", edited((text) => text.replaceAll("- id: ", "- id: x-"))],
];

describeOnBoth("policies preview, on %s", (kind) => {
  let opened: OpenDatabase;
  let database: Database;
  let sandbox: Sandbox;
  let aws: Aws;
  const now = new Date();

  beforeAll(async () => {
    opened = await openTestDatabase(kind);
    database = opened.database;
    sandbox = await startSandbox({ accounts: 1, regions: ["us-east-1", "eu-west-1"], resources: 160 });
    aws = awsOf(sandbox);
    sandbox.setFaults([{ kind: "access_denied", operation: "ListFilters", region: "eu-west-1" }]);
  });
  afterAll(async () => {
    aws.close();
    await Promise.all([opened.close(), sandbox.close()]);
  });
  beforeEach(async () => {
    await emptyTables(database);
    await scanAll(database, sandbox, { aws, now: () => now });
    await exemptNow(database, { rule_id: "environment", types: ["campaign", "dataset"] });
    await exemptNow(database, { policy_id: "test", rule_id: "cost-center", regions: ["eu-west-1"] });
    sandbox.calls.reset();
  });

  const seen = async () => ({
    compliance: await compliance(database),
    accounts: await breakdown(database, "account_id"),
    snapshot: await snapshot(database),
  });
  const written = async (set: PolicySet) => {
    const pages = loadPlannable(database, {}, wantedForRepair(set.needs));
    const { actions, blocked, review } = await planChanges(set, pages, { mode: "plan", now });
    return {
      resources: actions.length,
      changes: actions.flatMap(({ changes }) => changes).length,
      blocked: blocked.length,
      review: review.length,
    };
  };

  test.each(EDITS)(
    "%s: says what activating then does, and does nothing itself",
    { timeout: 60_000 },
    async (_, set) => {
      const before = await seen();
      const writesBefore = await written(POLICIES);
      const told = await preview(database, { set, exemptions: [] }, now);
      expect(sandbox.calls.total).toBe(0);
      expect(await seen()).toEqual(before);

      const { opened: opens, reopened, changed, resolved, resources } = await activateSet(database, set, "me", now);
      const after = await seen();
      expect(told.resources).toBe(resources);
      expect(told.findings).toEqual({ opens: opens + reopened, changes: changed, closes: resolved });
      expect(before.compliance).toMatchObject(told.compliance.before);
      expect(after.compliance).toMatchObject(told.compliance.after);
      expect(told.writes).toEqual({ before: writesBefore, after: await written(set) });

      for (const { account_id, noncompliant, compliant } of told.by_account) {
        const one = ({ accounts }: typeof before) => accounts.find(({ group }) => group === account_id);
        expect(one(before)).toMatchObject({ noncompliant: noncompliant.before, compliant: compliant.before });
        expect(one(after)).toMatchObject({ noncompliant: noncompliant.after, compliant: compliant.after });
      }
      const sums = (rows: readonly { opens: number; changes: number; closes: number }[]) => ({
        opens: rows.reduce((sum, row) => sum + row.opens, 0),
        changes: rows.reduce((sum, row) => sum + row.changes, 0),
        closes: rows.reduce((sum, row) => sum + row.closes, 0),
      });
      expect(sums(told.by_rule)).toEqual(told.findings);
      expect(sums(told.by_account)).toEqual(told.findings);
      expect(sums(told.by_owner)).toEqual(told.findings);
    },
  );

  test("the active set changes nothing", async () => {
    const told = await preview(database, { set: POLICIES, exemptions: [] }, now);
    expect(told.findings).toEqual({ opens: 0, changes: 0, closes: 0 });
    expect(told.compliance.after).toEqual(told.compliance.before);
    expect(told.writes.after).toEqual(told.writes.before);
    expect([told.by_rule, told.by_account, told.by_owner]).toEqual([[], [], []]);
  });

  test("what a file exempts counts as soon as it is to be activated", async () => {
    const text = `version: 1
exemptions:
  - {id: all, policy: test, reason: a trial, requested_by: a@example.com, approved_by: b@example.com, expires: ${new Date(now.getTime() + 20 * 86_400_000).toISOString().slice(0, 10)}}
`;
    const { entries, problems } = checkExemptions([{ path: "exemptions.yaml", text }], { policies: null, now });
    expect(problems).toEqual([]);
    const told = await preview(database, { set: POLICIES, exemptions: entries }, now);
    expect(told.compliance.before.noncompliant).toBeGreaterThan(0);
    expect(told.compliance.after.noncompliant).toBe(0);
    expect(told.writes.after.resources).toBe(0);
  });

  test("owners are named by their tags, and a sensitive one is not shown", async () => {
    await database.execute(sql`update resources set tags = tags || '{"Owner": "ana"}' where type = 'campaign'`);
    const looser = edited((text) => text.replace("required: true\n    pattern", "pattern"));
    const owners = async (set: PolicySet) =>
      (await preview(database, { set, exemptions: [] }, now)).by_owner.map(({ owner }) => owner);
    expect(await owners(looser)).toContain("ana");
    const hidden = edited((text) =>
      text.replace("rules:", "rules:\n  - {id: owner, key: Owner, required: true, sensitive: true}"),
    );
    const shown = await owners(hidden);
    expect(shown).toContain(null);
    expect(shown).not.toContain("ana");
  });
});
