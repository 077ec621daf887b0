import { eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Database, OpenDatabase } from "../../src/db/client.ts";
import { exemptionHistory } from "../../src/exemptions/store.ts";
import { activateSet, previewActivation } from "../../src/findings/activate.ts";
import { covered_findings } from "../../src/findings/db/covered.ts";
import { loadKnown } from "../../src/findings/db/known.ts";
import { digestOfState } from "../../src/findings/digest.ts";
import { findingId } from "../../src/findings/identity.ts";
import { findings, held_closures } from "../../src/findings/schema.ts";
import { resources } from "../../src/inventory/schema.ts";
import { compilePolicies } from "../../src/policy/load.ts";
import { policy_rules, policy_sets } from "../../src/policy/schema.ts";
import { compareSets } from "../../src/policy/compare.ts";
import { activeSet } from "../../src/policy/store.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";
import { exemptNow } from "../support/exemptions.ts";
import {
  after,
  ENV,
  events,
  findingsByName,
  LIMITS,
  gone,
  OWNER,
  policyFiles,
  policySet,
  read,
  resourceOf,
  scan,
  SET,
  snapshot,
  START,
  story,
  UNIT,
  unread,
} from "./world.ts";

const web = resourceOf("web");
const LOOSE = policySet(OWNER, ENV.replace("values: [dev, prod]", "values: [dev, prod, qa]"));

describe("which rules come, change and go", () => {
  test("are named, in order", () => {
    const next = policySet("{id: env, key: Env, required: true}", "{id: team, key: Team, required: true}");
    expect(compareSets(SET, next)).toEqual({
      added: ["p/team"],
      changed: ["p/env"],
      removed: ["p/owner"],
      renamed: [],
    });
  });

  test("a default said aloud, a title and an owner are no change; a scope is one", () => {
    const aloud = SET.files[0]!.text.replace(
      "title: Tags",
      "title: Other\nowner: finops@example.com\nremediation: plan",
    );
    expect(compareSets(SET, compilePolicies([{ path: "q.yaml", text: aloud }]))).toEqual({
      added: [],
      changed: [],
      removed: [],
      renamed: [],
    });
    const scoped = SET.files[0]!.text.replace("rules:", "applies_to: {types: [campaign]}\nrules:");
    expect(compareSets(SET, compilePolicies([{ path: "p.yaml", text: scoped }])).changed).toEqual(["p/owner", "p/env"]);
  });

  test("a rule with a former name is the same rule, and has changed only if it says something else", () => {
    const renamed = policySet(ENV.replace("id: env", "id: stage, formerly: [env]"), OWNER);
    const from = { from: "p/env", to: "p/stage" };
    expect(compareSets(SET, renamed)).toEqual({ added: [], changed: [], removed: [], renamed: [from] });
    const stricter = policySet(ENV.replace("id: env", "id: stage, formerly: [env]").replace("dev, prod", "dev"), OWNER);
    expect(compareSets(SET, stricter)).toEqual({ added: [], changed: ["p/stage"], removed: [], renamed: [from] });
    const policy = compilePolicies([
      { path: "q.yaml", text: SET.files[0]!.text.replace("id: p\n", "id: q\nformerly: [p]\n") },
    ]);
    expect(compareSets(SET, policy).renamed).toEqual([
      { from: "p/owner", to: "q/owner" },
      { from: "p/env", to: "q/env" },
    ]);
  });

  test("a table that a rule looks up is part of what it says", () => {
    const look =
      "{id: owner, key: Owner, required: true, fix: {missing: {lookup: {file: t.csv, by: name, column: o}}}}";
    const withTable = (text: string) => ({ files: [...policyFiles(look, ENV), { path: "t.csv", text }] });
    expect(compareSets(withTable("name,o\na,b\n"), withTable("name,o\na,c\n")).changed).toEqual(["p/owner"]);
  });
});

describeOnBoth("on %s", (kind) => {
  let opened: OpenDatabase;
  let database: Database;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
    database = opened.database;
  });
  afterAll(() => opened.close());
  beforeEach(() => emptyTables(database));

  test("the first set of an empty database is stored, with its rules, and is active", async () => {
    expect(await activeSet(database)).toBeNull();
    expect(await activateSet(database, SET, "me", START)).toMatchObject({ activated: true, resources: 0, opened: 0 });
    expect(await activeSet(database)).toEqual({ id: SET.id, version: expect.any(Number) as number, files: SET.files });
    expect(await database.select().from(policy_rules).orderBy(policy_rules.position)).toMatchObject([
      { policy_id: "p", rule_id: "owner", key: "Owner", severity: "high", position: 0, title: "Tags" },
      { policy_id: "p", rule_id: "env", key: "Env", severity: "medium", position: 1 },
    ]);
  });

  test("activating the active set does nothing", async () => {
    await activateSet(database, SET, "me", START);
    const before = await database.select().from(policy_sets);
    expect(await activateSet(database, SET, "you", after(1))).toMatchObject({ activated: false });
    expect(await database.select().from(policy_sets)).toEqual(before);
  });

  test("an older set comes back as it was", async () => {
    for (const [hours, set] of [
      [0, SET],
      [1, LOOSE],
      [2, SET],
    ] as const)
      await activateSet(database, set, `at ${hours}`, after(hours));
    const rows = await database.select().from(policy_sets).where(eq(policy_sets.active, true));
    expect(rows).toMatchObject([{ id: SET.id, created_at: START, activated_at: after(2), activated_by: "at 2" }]);
  });

  test("16: what a removed rule found resolves as rule_removed, and is no fix", async () => {
    await activateSet(database, SET, "me", START);
    await scan(database, [read(web, {})]);
    expect(await activateSet(database, policySet(ENV), "me", after(1))).toMatchObject({
      resources: 1,
      resolved: 1,
      opened: 0,
    });
    expect(await findingsByName(database)).toMatchObject({
      "web/owner": { state: "resolved", resolution: "rule_removed", resolved_at: after(1) },
      "web/env": { state: "open", opened_at: START },
    });
    expect((await events(database)).at(-1)).toMatchObject({ actor: "me", scan_id: null });
  });

  test("17: what a changed rule lets pass resolves as rule_changed; what fails now opens for that cause", async () => {
    await activateSet(database, SET, "me", START);
    await scan(database, [read(web, { Owner: "a", Env: "qa" }), read(resourceOf("shop"), { Owner: "a", Env: "dev" })]);
    await activateSet(database, LOOSE, "me", after(1));
    expect((await findingsByName(database))["web/env"]).toMatchObject({ resolution: "rule_changed" });
    await activateSet(database, policySet(OWNER, ENV.replace("dev, prod", "prod")), "me", after(2));
    expect(await findingsByName(database)).toMatchObject({
      "web/env": { state: "open", opened_cause: "rule_restored", reopen_count: 1 },
      "shop/env": { state: "open", opened_cause: "rule_changed", reopen_count: 0 },
    });
  });

  test("17: the next scan by the same set has nothing to add", async () => {
    const world = [
      read(web, { Env: "qa" }),
      read(resourceOf("shop"), { Owner: "a", Env: "dev" }),
      unread(resourceOf("dark")),
    ];
    await activateSet(database, SET, "me", START);
    await scan(database, world, { outcome: { state: "partial" } });
    await activateSet(database, LOOSE, "me", after(1));
    const before = await snapshot(database);
    await scan(database, world, { at: after(2), set: LOOSE, outcome: { state: "partial" } });
    expect(await snapshot(database)).toBe(before);
  });

  test("17: standing follows: under no rule any longer, and back", async () => {
    const text = SET.files[0]!.text.replace("rules:", "applies_to: {types: [dataset]}\nrules:");
    const elsewhere = compilePolicies([{ path: "p.yaml", text }]);
    await activateSet(database, SET, "me", START);
    await scan(database, [read(web, { Env: "dev" })]);
    await activateSet(database, elsewhere, "me", after(1));
    expect(await database.select().from(resources)).toMatchObject([{ standing: "not_applicable" }]);
    await activateSet(database, SET, "me", after(2));
    expect(await database.select().from(resources)).toMatchObject([{ standing: "judged" }]);
    expect(await story(database)).toEqual(["opened/observed", "resolved/rule_changed", "reopened/rule_restored"]);
  });

  test("17: what is gone, or was never read, is not judged; what could not be read last time is judged by the time before", async () => {
    await activateSet(database, policySet(OWNER), "me", START);
    await scan(
      database,
      [read(web, { Owner: "a" }), read(resourceOf("old"), { Owner: "a" }), unread(resourceOf("dark"))],
      { set: policySet(OWNER) },
    );
    await scan(database, [unread(web), gone(resourceOf("old")), unread(resourceOf("dark"))], {
      set: policySet(OWNER),
      at: after(1),
    });
    await activateSet(database, SET, "me", after(2));
    expect(Object.keys(await findingsByName(database))).toEqual(["web/env"]);
    const rows = await database.select().from(resources).orderBy(resources.arn);
    expect(rows.map(({ name, standing }) => [name, standing])).toEqual([
      ["dark", "unknown"],
      ["old", "judged"],
      ["web", "unknown"],
    ]);
  });

  describe("a rule that has another name", () => {
    const RENAMED = policySet(OWNER, ENV.replace("id: env", "id: stage, formerly: [env]"));

    test("keeps its findings, open and resolved, with their history and what waits to be closed", async () => {
      await activateSet(database, SET, "me", START);
      await scan(database, [read(web, { Owner: "a", Env: "qa" }), read(resourceOf("shop"), { Owner: "a" })]);
      await scan(database, [read(web, { Owner: "a", Env: "dev" }), read(resourceOf("shop"), { Owner: "a" })], {
        at: after(1),
      });
      const before = await findingsByName(database);
      const waiting = before["shop/env"]!;
      await database.insert(held_closures).values({
        ...UNIT,
        scan_id: waiting.last_scan_id!,
        finding_id: waiting.id,
        resolution: "fixed_observed",
        held_at: START,
      });
      expect(await activateSet(database, RENAMED, "me", after(2))).toMatchObject({
        renamed: 2,
        opened: 0,
        reopened: 0,
        resolved: 0,
        changed: 0,
      });
      const now = await findingsByName(database);
      for (const [name, former] of [
        ["web/stage", "web/env"],
        ["shop/stage", "shop/env"],
      ] as const) {
        const { id, policy_id, rule_id, ...rest } = now[name]!;
        const { id: _, policy_id: __, rule_id: ___, ...restBefore } = before[former]!;
        expect(rest).toEqual(restBefore);
        expect(id).toBe(findingId(now[name]!));
        expect([policy_id, rule_id]).toEqual(["p", "stage"]);
      }
      expect(Object.keys(now)).toHaveLength(2);
      const ids = new Set(Object.values(now).map(({ id }) => id));
      expect((await events(database)).every(({ finding_id }) => ids.has(finding_id))).toBe(true);
      expect(await database.select().from(held_closures)).toMatchObject([{ finding_id: now["shop/stage"]!.id }]);
    });

    test("the next scan goes on with them", async () => {
      await activateSet(database, SET, "me", START);
      const world = [read(web, { Owner: "a", Env: "qa" })];
      await scan(database, world);
      await activateSet(database, RENAMED, "me", after(1));
      const before = await snapshot(database);
      await scan(database, world, { at: after(2), set: RENAMED });
      expect(await snapshot(database)).toBe(before);
    });

    test("and is as quick as ever: it recognizes them without loading them", async () => {
      await activateSet(database, SET, "me", START);
      await scan(database, [read(web, { Owner: "a", Env: "qa" })]);
      await activateSet(database, RENAMED, "me", after(1));
      const { resource, findings: found } = (await loadKnown(database, [web.arn])).get(web.arn)!;
      const [row] = await database.select({ digest: resources.digest }).from(resources);
      expect(row!.digest).toBe(digestOfState(resource!, found));
    });

    test("a preview does not take them for closed and opened", async () => {
      await activateSet(database, SET, "me", START);
      await scan(database, [read(web, { Owner: "a", Env: "qa" })]);
      expect(await previewActivation(database, RENAMED, LIMITS.mass_close, after(1))).toMatchObject({
        opens: 0,
        closes: 0,
      });
    });

    test("a whole policy that has another name keeps those of all its rules", async () => {
      const text = SET.files[0]!.text.replace("id: p\n", "id: q\nformerly: [p]\n");
      await activateSet(database, SET, "me", START);
      await scan(database, [read(web, {})]);
      await activateSet(database, compilePolicies([{ path: "q.yaml", text }]), "me", after(1));
      const rows = await database.select().from(findings).orderBy(findings.rule_id);
      expect(rows).toMatchObject([
        { policy_id: "q", rule_id: "env", state: "open" },
        { policy_id: "q", rule_id: "owner", state: "open" },
      ]);
      expect(await story(database)).toEqual(["opened/observed", "opened/observed"]);
    });

    test("exemptions follow, by policy, by rule and by both, and say so in their history", async () => {
      await activateSet(database, SET, "me", START);
      await scan(database, [read(web, { Owner: "a", Env: "qa" })]);
      const scopes = [{ policy_id: "p", rule_id: "env" }, { rule_id: "env" }, { key: "Env" }];
      const ids = [];
      for (const scope of scopes) ids.push(await exemptNow(database, scope));
      const covering = async () => {
        const [row] = await database.select({ covered: covered_findings.exemption_ids }).from(covered_findings);
        return row!.covered.toSorted();
      };
      expect(await covering()).toEqual(ids.toSorted());
      await activateSet(database, RENAMED, "me", after(1));
      expect(await covering()).toEqual(ids.toSorted());
      expect(await exemptionHistory(database, ids[1]!)).toMatchObject([
        { event: "created" },
        { event: "changed", actor: "me", before: { rule_id: "env" }, after: { rule_id: "stage" } },
      ]);
      expect(await exemptionHistory(database, ids[2]!)).toHaveLength(1);
    });

    test("what the new name found already stays, and the former one closes", async () => {
      const q = (head: string) => ({ path: "q.yaml", text: `version: 1\nid: q\n${head}rules: [${ENV}]\n` });
      const both = compilePolicies([...policySet(ENV).files, q("")]);
      await activateSet(database, both, "me", START);
      await scan(database, [read(web, {})], { set: both });
      const merged = compilePolicies([q("formerly: [p]\n")]);
      expect(await activateSet(database, merged, "me", after(1))).toMatchObject({ renamed: 0, resolved: 1 });
      const rows = await database.select().from(findings).orderBy(findings.policy_id);
      expect(rows).toMatchObject([
        { policy_id: "p", state: "resolved", resolution: "rule_removed" },
        { policy_id: "q", state: "open", opened_at: START },
      ]);
    });
  });

  test("an inventory larger than a batch is judged whole", { timeout: 60_000 }, async () => {
    await activateSet(database, SET, "me", START);
    const world = Array.from({ length: 2345 }, (_, index) =>
      read(resourceOf(`c-${index}`), { Owner: "a", Env: "dev" }),
    );
    await scan(database, world);
    const stricter = policySet(OWNER, ENV, "{id: team, key: Team, required: true}");
    expect(await activateSet(database, stricter, "me", after(1))).toMatchObject({ resources: 2345, opened: 2345 });
  });

  test("a preview counts by rule, changes nothing, and agrees with the activation", async () => {
    await activateSet(database, SET, "me", START);
    await scan(database, [
      read(web, { Env: "qa" }),
      read(resourceOf("shop"), { Owner: "a", Env: "qa" }),
      read(resourceOf("new"), { Owner: "a", Env: "dev" }),
    ]);
    const next = policySet(ENV.replace("values: [dev, prod]", "values: [qa]"));
    const before = await snapshot(database);
    const preview = await previewActivation(database, next, LIMITS.mass_close, after(1));
    expect(preview).toMatchObject({
      resources: 3,
      opens: 1,
      closes: 3,
      by_rule: { "p/owner": { opens: 0, closes: 1 }, "p/env": { opens: 1, closes: 2 } },
      exceeds_guard: false,
      units: [],
    });
    expect(await snapshot(database)).toBe(before);
    const { opened: opens, resolved: closes } = await activateSet(database, next, "me", after(1));
    expect({ opens, closes }).toEqual({ opens: preview.opens, closes: preview.closes });
    expect(await previewActivation(database, next, LIMITS.mass_close, after(2))).toMatchObject({
      resources: 0,
      opens: 0,
      closes: 0,
    });
  });

  test("a preview names the units that would lose too much at once", async () => {
    await activateSet(database, SET, "me", START);
    await scan(
      database,
      Array.from({ length: 60 }, (_, index) => read(resourceOf(`c-${index}`), { Env: "dev" })),
    );
    expect(await previewActivation(database, policySet(ENV), LIMITS.mass_close, after(1))).toMatchObject({
      closes: 60,
      exceeds_guard: true,
      units: [{ account_id: "111122223333", region: "eu-west-1", type: "campaign", closes: 60, open: 60 }],
    });
  });
});
