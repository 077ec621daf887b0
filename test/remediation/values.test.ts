import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { apply } from "../../src/cli/apply.ts";
import { setOption } from "../../src/cli/given-values.ts";
import { plan } from "../../src/cli/plan.ts";
import { plan_actions, plans } from "../../src/remediation/schema.ts";
import { workFolder } from "../support/cli.ts";
import { describeOnBoth } from "../support/database.ts";
import { exemptNow } from "../support/exemptions.ts";
import { ACTOR, ANYONE, filler, GOOD, POLICY, setOf, World } from "./world.ts";

/** Beside the usual rules: a key whose value only a person knows, and one that is conditional on nothing but itself. */
const SET = setOf(
  POLICY,
  `
version: 1
id: who
title: Who answers
rules:
  - {id: owner, key: Owner, required: true, format: email}
  - {id: team, key: Team, aliases: [team], fix: {variant: rename}, pattern: '[a-z]+'}
  - {id: no-root, assert: "!('Owner' in tags) || tags.Owner != 'root@example.com'"}
`,
);
const OWNED = { ...GOOD, Owner: "a@example.com" };

describeOnBoth("values from people, on %s", (kind) => {
  let world: World;
  let folder: string;
  let printed = "";
  beforeAll(async () => {
    world = await World.open(kind);
    folder = await workFolder();
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    await world.reset(SET);
    printed = "";
  });

  const deps = () => ({
    ...world.deps(),
    now: world.time,
    actor: ACTOR,
    approval: ANYONE,
    color: false,
    out: (text: string) => void (printed += text),
  });
  const set = (...texts: string[]) =>
    texts.reduce<ReturnType<typeof setOption>>((all, text) => setOption(text, all), []);
  async function sheet(text: string): Promise<{ from: string; at: string }> {
    const from = join(folder, `values-${Math.random()}.csv`);
    await writeFile(from, text);
    return { from, at: from };
  }
  async function planned(options: Parameters<typeof plan>[1]): Promise<string> {
    printed = "";
    await plan(deps(), options);
    return /tagwarden apply (\S+)/.exec(printed)?.[1] ?? "";
  }
  async function applied(id: string): Promise<number> {
    printed = "";
    return apply({ ...deps(), now: world.now, confirm: null }, id, {});
  }
  const stored = () => world.database.select().from(plans);

  test("a given owner is planned, approved, written and verified like any other change", async () => {
    const arn = world.create(GOOD);
    await world.scan();
    const id = await planned({ set: set("Owner=search@example.com") });
    expect(printed).toContain(`+ Owner  (absent) → search@example.com  (given by ${ACTOR})`);
    expect(await world.action(id, arn)).toMatchObject({
      changes: [{ key: "Owner", before: null, after: "search@example.com" }],
      given: ["Owner"],
      origins: { Owner: { rules: ["who/owner"], from: `given by ${ACTOR}` } },
      reasons: [{ policy_id: "who", rule_id: "owner", kind: "missing" }],
    });
    expect(await applied(id)).toBe(0);
    expect(world.tags(arn)).toEqual({ ...GOOD, Owner: "search@example.com" });
    expect(await world.findingsOf(arn)).toMatchObject({ owner: "fixed_by_remediation" });
    expect(await applied(id)).toBe(0);
    expect(world.writes).toBe(1);
  });

  test("a plan with given values holds nothing else, and without filters reaches every resource that asks", async () => {
    const arns = [world.create({ "temp:x": "1" }), world.create({}, { region: "eu-west-1" })];
    world.create(OWNED);
    await world.scan();
    const id = await planned({ set: set("Owner=a@example.com") });
    for (const arn of arns) expect((await world.action(id, arn)).changes).toMatchObject([{ key: "Owner" }]);
    expect(await world.database.select().from(plan_actions).where(eq(plan_actions.plan_id, id))).toHaveLength(2);
  });

  test("filters are combined: rule, account, region, type, owner, ARN and pattern", async () => {
    const wanted = world.create({ ...GOOD, Team: "shop" }, { region: "eu-west-1" });
    world.create({ ...GOOD, Team: "shop" });
    world.create({ ...GOOD, Team: "video" }, { region: "eu-west-1" });
    world.create({ ...GOOD, Team: "shop" }, { region: "eu-west-1", type: "filter" });
    await world.scan();
    const id = await planned({
      set: set("Owner=a@example.com"),
      rule: ["who/owner", "p/environment"],
      account: [world.account_id],
      region: ["eu-west-1"],
      type: ["dataset-group", "dataset"],
      owner: ["shop"],
      arn: ["arn:aws:personalize:*"],
    });
    const rows = await world.database.select().from(plan_actions).where(eq(plan_actions.plan_id, id));
    expect(rows.map(({ arn }) => arn)).toEqual([wanted]);
    await planned({ set: set("Owner=a@example.com"), arn: [wanted], rule: ["p/environment"] });
    expect(printed).toContain("Nothing to plan");
    await expect(plan(deps(), { arn: [`${wanted}x`] })).rejects.toThrow(`there is no resource ${wanted}x`);
    await expect(plan(deps(), { region: ["Ireland"] })).rejects.toThrow("looks like us-east-1");
  });

  test("--scan leaves what lies in the accounts, regions and types of that scan", async () => {
    const earlier = world.create(GOOD);
    const scan = await world.scan();
    const later = world.create(GOOD, { type: "filter" });
    const last = await world.scan();
    const arnsOf = async (options: object) => {
      const id = await planned({ set: set("Owner=a@example.com"), ...options });
      const rows = await world.database.select().from(plan_actions).where(eq(plan_actions.plan_id, id));
      return rows.map(({ arn }) => arn).toSorted();
    };
    expect(await arnsOf({ scan })).toEqual([earlier]);
    expect(await arnsOf({ scan: last })).toEqual([earlier, later].toSorted());
    for (const unknown of ["019aaf00-0000-7000-8000-000000000000", "none"]) {
      await expect(plan(deps(), { scan: unknown })).rejects.toThrow(`there is no scan ${unknown}`);
    }
  });

  test("a value that is there is replaced only with --overwrite, which the plan shows", async () => {
    const arn = world.create({ ...GOOD, Owner: "nobody" });
    await world.scan();
    await planned({ set: set("Owner=a@example.com") });
    expect(printed).toContain("`Owner` has a value already");
    expect(await stored()).toEqual([]);
    const id = await planned({ set: set("Owner=a@example.com"), overwrite: true });
    expect(printed).toContain("~ Owner  nobody → a@example.com  (given by");
    expect(printed).toContain(", overwrites)");
    expect(await applied(id)).toBe(0);
    expect(world.tags(arn)).toMatchObject({ Owner: "a@example.com" });
    await expect(plan(deps(), { overwrite: true })).rejects.toThrow("use it with --set or --from");
  });

  test("an empty value may be replaced without saying so", async () => {
    const arn = world.create({ ...GOOD, Owner: "" });
    await world.scan();
    expect(await applied(await planned({ set: set("Owner=a@example.com") }))).toBe(0);
    expect(world.tags(arn)).toMatchObject({ Owner: "a@example.com" });
  });

  test("a given value takes the place of other spellings that the rule renames", async () => {
    const arn = world.create({ ...OWNED, team: "SHOP" });
    await world.scan();
    const id = await planned({ set: set("Team=shop"), overwrite: true });
    expect(await applied(id)).toBe(0);
    expect(world.tags(arn)).toEqual({ ...OWNED, Team: "shop" });
  });

  test("a value answers a condition over its key, when the condition holds after", async () => {
    const arn = world.create({ ...GOOD, Owner: "root@example.com" });
    await world.scan();
    await planned({ set: set("Owner=root@example.com"), overwrite: true });
    expect(await stored()).toEqual([]);
    expect(await applied(await planned({ set: set("Owner=a@example.com"), overwrite: true }))).toBe(0);
    expect(world.tags(arn)).toMatchObject({ Owner: "a@example.com" });
    expect(await world.findingsOf(arn)).toEqual({ "no-root": "fixed_by_remediation" });
  });

  test("what someone changed since the plan is a conflict, and stays", async () => {
    const arn = world.create({ ...GOOD, Owner: "nobody" });
    await world.scan();
    const id = await planned({ set: set("Owner=a@example.com"), overwrite: true });
    world.sandbox.setTags(arn, { ...GOOD, Owner: "someone" });
    expect(await applied(id)).toBe(3);
    expect(world.tags(arn)).toEqual({ ...GOOD, Owner: "someone" });
    expect((await world.action(id, arn)).state).toBe("conflict");
  });

  test("what is no longer asked for is skipped: exempt, or refused by the rules of now", async () => {
    const [exempt, refused] = [world.create(GOOD), world.create({ ...GOOD, Owner: "nobody" })];
    await world.scan();
    const one = await planned({ set: set("Owner=a@example.com"), arn: [exempt] });
    await exemptNow(world.database, { arns: [exempt] });
    expect(await applied(one)).toBe(0);
    expect(await world.action(one, exempt)).toMatchObject({ state: "skipped" });
    const other = await planned({ set: set("Owner=a@example.com"), arn: [refused], overwrite: true });
    await world.activate(
      setOf(POLICY, "version: 1\nid: who\nrules: [{id: owner, key: Owner, values: [b@example.com]}]"),
    );
    expect(await applied(other)).toBe(0);
    expect(await world.action(other, refused)).toMatchObject({ state: "skipped" });
    expect(world.writes).toBe(0);
  });

  test("a full resource is blocked at planning, and one of a stack too", async () => {
    const full = world.create({ ...GOOD, ...filler(48) });
    const managed = world.create({ ...GOOD, "aws:cloudformation:stack-name": "shop" });
    await world.scan();
    const free = world.create(GOOD);
    await world.scan();
    const id = await planned({ set: set("Owner=a@example.com") });
    expect(await world.action(id, full)).toMatchObject({
      state: "blocked",
      note: expect.stringContaining("51 tags") as string,
    });
    expect(await world.action(id, managed)).toMatchObject({ state: "blocked" });
    expect(await world.action(id, free)).toMatchObject({ state: "planned" });
  });

  test("a protected rule takes a value from a person, and the plan says so", async () => {
    await world.reset(
      setOf(
        "version: 1\nid: who\nremediation: auto\nrules: [{id: owner, key: Owner, required: true, protected: true}]",
      ),
    );
    const arn = world.create({});
    await world.scan();
    const id = await planned({ set: set("Owner=a") });
    expect(printed).toContain("(protected)");
    expect((await world.action(id, arn)).protected).toBe(true);
    expect((await stored()).map(({ state, mode }) => [state, mode])).toEqual([["proposed", "plan"]]);
  });

  test("everything that is wrong with values is said at once, in the order of the file, and nothing is stored", async () => {
    const [arn, ...others] = Array.from({ length: 5 }, () => world.create(GOOD));
    await world.scan();
    const { from, at } = await sheet(
      [
        "arn,key,value",
        `${arn},Owner,not an e-mail`,
        `${arn}x,Owner,a@example.com`,
        "arn:*/none-*,Owner,a@example.com",
        `${arn},aws:owner,x`,
        `${arn},Ownr,x`,
        `${others[0]},Team,${"x".repeat(257)}`,
        `${others[1]},Team,"a;b"`,
        `${others[2]},Team," one"`,
        `campaign/x,Owner,a@example.com`,
        `*,Team,one`,
        `*,Team,two`,
        `${arn},Environment`,
      ].join("\n"),
    );
    const error = await plan(deps(), { from }).then(
      () => "",
      (cause: Error) => cause.message,
    );
    expect(error.replaceAll(`${at}:`, "").split("\n")).toEqual([
      "2: who/owner refuses the value of `Owner`: it wants an e-mail address.",
      `3: there is no resource ${arn}x. What is known was listed by a scan: tagwarden scan`,
      "4: no resource matches arn:*/none-*. What is known was listed by a scan: tagwarden scan",
      '5: the key "aws:owner" begins with `aws:`, which AWS keeps for itself.',
      "6: no active rule asks for a value of `Ownr`. Did you mean `Owner`?",
      "7: the value of `Team` has 257 characters, AWS allows 256.",
      '8: the value of `Team` has the character ";"; AWS allows letters, numbers, spaces and _ . : / = + - @.',
      "9: the value of `Team` begins or ends with a space: take it away.",
      '10: "campaign/x" is neither an ARN nor a pattern that begins with arn: or *.',
      "12: another value of `Team` than at 11: keep one of them.",
      "13: 2 cells, and the first line names 3 columns. Put a cell that has a comma in it in quotes.",
    ]);
    expect(await stored()).toEqual([]);
  });

  test("two rows that reach one resource with different values contradict each other; equal ones do not", async () => {
    const arn = world.create(GOOD);
    await world.scan();
    const { from, at } = await sheet(`arn,key,value\n${arn},Owner,a@example.com\narn:aws:*,Owner,b@example.com\n`);
    await expect(plan(deps(), { from })).rejects.toThrow(
      `${at}:3: another value of \`Owner\` for ${arn} than at ${at}:2`,
    );
    const equal = await sheet(`arn,key,value\n${arn},Owner,a@example.com\narn:aws:*,Owner,a@example.com\n`);
    await planned({ from: equal.from });
    expect(await stored()).toHaveLength(1);
  });

  test("values that no finding asks for, and rows that are not filled in, are counted and said", async () => {
    const [asks, content] = [world.create(GOOD), world.create(OWNED)];
    await world.scan();
    const { from, at } = await sheet(
      `arn,key,value\n${asks},Owner,a@example.com\n${content},Owner,b@example.com\n${asks},Team,\n`,
    );
    await planned({ from });
    expect(printed).toContain(`No open finding asks for these, or it is exempt:\n  ${at}:3: Owner of ${content}\n`);
    expect(printed).toContain("1 row has no value yet.");
    expect(printed).not.toContain("b@example.com");
    const none = await sheet(`arn,key,value\n${asks},Owner,\n`);
    await planned({ from: none.from, json: true });
    expect(JSON.parse(printed)).toMatchObject({ plan: null, actions: [], empty: 1 });
  });

  test("a key that a template could not carry is a warning", async () => {
    await world.reset(setOf("version: 1\nid: who\nrules: [{id: owner, key: 'Cost Owner', required: true}]"));
    world.create({});
    world.create({}, { type: "filter" });
    await world.scan();
    await planned({ set: set("Cost Owner=a") });
    expect(printed).toContain(
      "Warning: `Cost Owner` is a legal key, but a CloudFormation template cannot set it on a dataset-group:",
    );
  });
});
