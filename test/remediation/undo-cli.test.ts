import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { apply } from "../../src/cli/apply.ts";
import { endOne, listOpen } from "../../src/cli/fights.ts";
import { listThem, showOne } from "../../src/cli/plans.ts";
import { undo } from "../../src/cli/undo.ts";
import { openApp } from "../http/open-app.ts";
import { ACTOR, POLICY, setOf, World } from "./world.ts";
import { ANYONE } from "./world-settings.ts";

describe("undo and fights, on the command line and over HTTP", () => {
  let world: World;
  let printed = "";
  beforeAll(async () => {
    world = await World.open("pglite");
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    await world.reset();
    printed = "";
  });

  const out = (text: string) => void (printed += text);
  const deps = () => ({ ...world.deps(), now: world.time, actor: ACTOR, approval: ANYONE, color: false, out });
  const idOf = (text: string) => /tagwarden apply (\S+)/.exec(text)?.[1] ?? "";

  async function applied(...all: Record<string, string>[]): Promise<{ plan_id: string; arns: string[] }> {
    const arns = all.map((tags) => world.create(tags));
    await world.scan();
    const plan_id = await world.planned();
    await world.apply(plan_id);
    world.later(1);
    return { plan_id, arns };
  }

  test("undo shows what goes back and what stays, and the next command, and writes nothing", async () => {
    const { plan_id, arns } = await applied({ "cost-center": "CC-1234", "temp:x": "1" });
    world.sandbox.setTags(arns[0] ?? "", { CostCenter: "CC-1234", Environment: "staging" });
    await world.scan();
    const { writes } = world;
    await undo(deps(), plan_id, {});
    expect(printed).toMatch(/- CostCenter {3}CC-1234 {2}→ \(absent\)/);
    expect(printed).toContain("= Environment  stays: changed since");
    expect(printed).toMatch(
      /would put back 1 resource\. Nothing is written yet\.\nNext: tagwarden apply [0-9a-f-]{36}\n$/,
    );
    expect(world.writes).toBe(writes);

    const id = idOf(printed);
    expect(await apply({ ...deps(), now: world.now, confirm: null }, id, {})).toBe(0);
    expect(world.tags(arns[0] ?? "")).toEqual({ "cost-center": "CC-1234", "temp:x": "1", Environment: "staging" });
    printed = "";
    await showOne(deps(), id, {});
    expect(printed).toContain(`Undoes plan ${plan_id}`);
    await listThem(deps(), {});
    expect(printed).toMatch(/undo +applied/);
  });

  test("undo keeps to the actions and resources that are asked for, by the numbers that plans show prints", async () => {
    const { plan_id, arns } = await applied({ CostCenter: "CC-0001" }, { CostCenter: "CC-0002" });
    await showOne(deps(), plan_id, {});
    const number = Number(new RegExp(`#(\\d) ${arns[1]?.split(":").at(-1)}`).exec(printed)?.[1]);
    printed = "";
    await undo(deps(), plan_id, { action: [number], json: true });
    const json = JSON.parse(printed) as { plan: unknown; actions: { arn: string }[] };
    expect(json.plan).toMatchObject({ kind: "undo", undoes_plan_id: plan_id, state: "proposed" });
    expect(json.actions.map(({ arn }) => arn)).toEqual([arns[1]]);
    await expect(undo(deps(), plan_id, { action: [2] })).rejects.toThrow("has the actions 0 to 1");
    await expect(undo(deps(), plan_id, { arn: ["arn:none"] })).rejects.toThrow("no action for it");
    await expect(undo(deps(), "none", {})).rejects.toThrow('There is no plan "none"');
  });

  test("where nothing was written, or nothing is left, undo says so and makes no plan", async () => {
    const arn = world.create({ CostCenter: "CC-0001" });
    await world.scan();
    const plan_id = await world.planned();
    await undo(deps(), plan_id, {});
    expect(printed).toContain("wrote nothing there");
    await world.apply(plan_id);
    world.later(1);
    world.sandbox.setTags(arn, { CostCenter: "CC-0001", Environment: "staging" });
    await world.scan();
    printed = "";
    await undo(deps(), plan_id, {});
    expect(printed).toContain("nothing is left to undo: Environment: changed since");
    expect(printed).toContain("can be put back");
    expect(idOf(printed)).toBe("");
  });

  test("undo masks sensitive values", async () => {
    await world.reset(setOf(POLICY.replace("    key: CostCenter", "    sensitive: true\n    key: CostCenter")));
    const { plan_id } = await applied({ "cost-center": "CC-1234", Environment: "prod" });
    await undo(deps(), plan_id, {});
    await undo(deps(), plan_id, { json: true });
    expect(printed).not.toContain("CC-1234");
    expect(printed).toContain("***");
  });

  async function fought(): Promise<string> {
    const arn = world.create({ CostCenter: "CC-0001" });
    for (let i = 0; i < 2; i++) {
      await world.scan();
      await world.apply(await world.planned());
      world.later(24);
      world.sandbox.setTags(arn, { CostCenter: "CC-0001" });
    }
    await world.scan();
    return arn;
  }

  test("fights list and fights end: a fight ends once, and needs a reason", async () => {
    await listOpen(deps(), {});
    expect(printed).toContain("Nobody fights over a key");
    const arn = await fought();
    printed = "";
    await listOpen(deps(), {});
    expect(printed).toMatch(new RegExp(`${arn} +Environment +p/environment +2 +\\S+Z +not known`));
    const by = { actor: ACTOR, reason: "it is settled", now: world.time };
    await expect(endOne(deps(), arn, "Environment", { ...by, reason: " " })).rejects.toThrow("say why");
    expect(await endOne(deps(), arn, "CostCenter", by)).toBe(1);
    expect(await endOne(deps(), arn, "Environment", by)).toBe(0);
    expect(await endOne(deps(), arn, "Environment", by)).toBe(1);
    printed = "";
    await listOpen(deps(), { json: true });
    expect(JSON.parse(printed)).toEqual([]);
  });

  test("over HTTP a fight is a finding, with a page that says how to end it, and can be ended", async () => {
    const arn = await fought();
    const { app } = openApp(world.database, { now: world.now });
    const listed = (await (await app.request("/api/v1/findings?policy_id=tagwarden")).json()) as {
      items: { id: string; detail: { fight: unknown } }[];
    };
    expect(listed.items).toMatchObject([{ arn, key: "Environment", kind: "fight", detail: { fight: { reverts: 2 } } }]);
    const page = await (await app.request(`/findings/${listed.items[0]?.id}`)).text();
    expect(page).toContain(`tagwarden fights end ${arn} Environment`);
    const end = (body: Record<string, string>) =>
      app.request("/api/v1/fights/end", {
        method: "POST",
        body: JSON.stringify({ arn, key: "Environment", ended_by: "ana@example.com", reason: "settled", ...body }),
        headers: { "Content-Type": "application/json" },
      });
    expect((await end({ reason: "" })).status).toBe(400);
    expect((await end({})).status).toBe(200);
    expect((await end({})).status).toBe(409);
    const events = await (await app.request(`/api/v1/findings/${listed.items[0]?.id}/events`)).json();
    expect(events).toMatchObject({
      items: [
        { event: "opened", cause: "reverted" },
        { event: "resolved", cause: "ended", actor: "ana@example.com", detail: { fight: { end_reason: "settled" } } },
      ],
    });
  });
});
