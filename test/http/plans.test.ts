import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Plan, PlanAction, PlanMade } from "../../src/http/plan-schemas.ts";
import { pageOf, Problem } from "../../src/http/schemas.ts";
import { loadPlan } from "../../src/remediation/store.ts";
import { exportPlan } from "../../src/reports/plan-export.ts";
import { POLICY, setOf, World } from "../remediation/world.ts";
import { describeOnBoth } from "../support/database.ts";
import { openApp } from "./open-app.ts";

const SET = setOf(
  POLICY,
  "version: 1\nid: who\nrules:\n  - {id: owner, key: Owner, format: email, required: true}\n  - {id: secret, key: Secret, required: true, sensitive: true}",
);
const ANA = "ana@example.com";
const BO = "bo@example.com";

const noWorker = () => Promise.reject(new Error("nobody applies plans here"));

describeOnBoth("plans through the API on %s", (kind) => {
  let world: World;
  let app: ReturnType<typeof openApp>["app"];
  beforeAll(async () => {
    world = await World.open(kind);
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    await world.reset(SET);
    app = openApp(world.database, { now: world.now }).app;
  });

  function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    return app.request(`/api/v1${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }
  const get = async (path: string) => (await send("GET", path)).json();
  async function made(body: object = {}) {
    const response = await send("POST", "/plans", { requested_by: ANA, ...body });
    const answer = PlanMade.parse(await response.json());
    return { response, ...answer };
  }
  async function problem(method: string, path: string, body?: unknown) {
    const answer = await send(method, path, body);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    return Problem.parse(await answer.json());
  }
  const owners = (arn = "*") => ({ values: [{ arn, key: "Owner", value: "a@example.com" }] });

  test("one is made, found where Location says, approved by its hash, and applied", async () => {
    const arn = world.create({ Environment: "dev", Secret: "s" });
    await world.scan();
    const { response, plan, review_total } = await made(owners());
    expect([response.status, review_total]).toEqual([201, 0]);
    const location = response.headers.get("location")!.replace("/api/v1", "");
    expect(Plan.parse(await get(location))).toEqual(plan);
    expect(plan).toMatchObject({
      state: "proposed",
      created_by: ANA,
      counts: { planned: 1, blocked: 1 },
      remaining: 1,
    });
    const actions = pageOf(PlanAction).parse(await get(`${location}/actions`));
    expect(actions.items).toMatchObject([
      { arn, changes: [{ key: "Owner", before: null, after: "a@example.com" }], given: ["Owner"], state: "planned" },
    ]);
    expect(await problem("POST", `${location}/approve`, { approved_by: BO, hash: "other" })).toMatchObject({
      status: 409,
    });
    const approval = { approved_by: BO, hash: plan?.hash, note: "GOV-12" };
    const approved = Plan.parse(await (await send("POST", `${location}/approve`, approval)).json());
    expect(approved).toMatchObject({ state: "approved", approved_by: BO, approved_note: "GOV-12" });
    await world.apply(plan!.id);
    expect(Plan.parse(await get(location))).toMatchObject({ state: "applied", counts: { verified: 1 }, remaining: 0 });
    expect(world.tags(arn)).toMatchObject({ Owner: "a@example.com" });
  });

  test("filters narrow it; what needs a person and what nothing asks for is said; nothing to do is 200", async () => {
    const [wanted, other] = [world.create({ "temp:x": "1" }, { region: "eu-west-1" }), world.create({ "temp:x": "1" })];
    await world.scan();
    const { plan, review_total } = await made({
      rule: ["p/no-leftovers"],
      region: ["eu-west-1"],
      type: ["dataset-group"],
    });
    const { items } = pageOf(PlanAction).parse(await get(`/plans/${plan?.id}/actions`));
    expect(items.map(({ arn, changes }) => [arn, changes.length])).toEqual([[wanted, 1]]);
    expect(review_total).toBe(0);
    const all = await made({ arn: [other] });
    expect(all.review.map(({ rule_id }) => rule_id).sort()).toEqual(["owner", "secret"]);
    const none = await made({ values: [{ arn: wanted, key: "CostCenter", value: "CC-0001" }] });
    expect([none.response.status, none.plan]).toEqual([200, null]);
    expect(none.idle).toEqual([{ at: "values/0", arn: wanted, key: "CostCenter" }]);
  });

  test("what is wrong with values is a problem that names each of them", async () => {
    const arn = world.create({});
    await world.scan();
    const { status, errors } = await problem("POST", "/plans", {
      requested_by: ANA,
      values: [
        { key: "Owner", value: "nobody" },
        { arn: `${arn}x`, key: "Owner", value: "a@example.com" },
        { key: "Ownr", value: "a" },
      ],
    });
    expect(status).toBe(400);
    expect(errors?.map(({ pointer }) => pointer)).toEqual(["values/0", "values/1", "values/2"]);
    expect(await problem("POST", "/plans", { requested_by: ANA, rule: ["p/none"] })).toMatchObject({ status: 400 });
    const scan_id = "019aaf00-0000-7000-8000-000000000000";
    expect(await problem("POST", "/plans", { requested_by: ANA, scan_id })).toMatchObject({
      status: 400,
      errors: [{ pointer: "scan", detail: expect.stringContaining(scan_id) as string }],
    });
    expect(await problem("POST", "/plans", { ...owners() })).toMatchObject({ status: 400 });
    expect(pageOf(Plan).parse(await get("/plans")).items).toEqual([]);
  });

  test("the list is paged and filtered by state, the newest first; what nobody used in time has expired", async () => {
    const ids: string[] = [];
    for (const name of ["a", "b", "c"]) {
      world.create({ Note: name });
      await world.scan();
      ids.unshift((await made()).plan!.id);
    }
    const first = pageOf(Plan).parse(await get("/plans?page_size=2"));
    expect(first.items.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    const second = pageOf(Plan).parse(await get(`/plans?page_size=2&page_token=${first.next_page_token}`));
    expect([second.items.map(({ id }) => id), second.total]).toEqual([ids.slice(2), { count: 3, type: "EXACT" }]);
    await send("POST", `/plans/${ids[0]}/reject`, { rejected_by: BO, note: "no" });
    world.later(24 * 8);
    const rejected = pageOf(Plan).parse(await get("/plans?state=rejected"));
    expect(rejected.items).toMatchObject([{ id: ids[0], rejected_by: BO, rejected_note: "no" }]);
    const expired = pageOf(Plan).parse(await get("/plans?state=expired"));
    expect(expired.items.map(({ state }) => state)).toEqual(["expired", "expired"]);
    expect(pageOf(Plan).parse(await get("/plans?state=proposed")).items).toEqual([]);
    const actions = pageOf(PlanAction).parse(await get(`/plans/${ids[0]}/actions?page_size=1`));
    expect(actions.items).toHaveLength(1);
    expect(actions.next_page_token).not.toBeNull();
  });

  test("a part is approved; another person has to where the configuration says so", async () => {
    const [one, two] = [world.create({}), world.create({ Note: "n" })];
    await world.scan();
    const { plan } = await made(owners());
    app = openApp(world.database, {
      now: world.now,
      plans: { activeSet: async () => SET, approval: { by: "another", hours: 1 }, requestApply: noWorker },
    }).app;
    const approve = `/plans/${plan?.id}/approve`;
    const { hash } = plan!;
    expect(await problem("POST", approve, { approved_by: ANA, hash })).toMatchObject({ status: 409 });
    expect(await problem("POST", approve, { approved_by: BO, hash, only: ["arn:x"] })).toMatchObject({ status: 400 });
    const answer = await send("POST", approve, { approved_by: BO, hash, without: [two] });
    expect(Plan.parse(await answer.json())).toMatchObject({ state: "approved", counts: { skipped: 1 } });
    await world.apply(plan!.id);
    expect([world.tags(one), world.tags(two)]).toEqual([{ Owner: "a@example.com" }, { Note: "n" }]);
  });

  test("a repeated key makes one plan; values that must not be shown are masked", async () => {
    world.create({ Owner: "a@example.com", Environment: "dev" });
    await world.scan();
    const wish = { requested_by: ANA, values: [{ key: "Secret", value: "hush" }] };
    const headers = { "Idempotency-Key": "k1" };
    const [first, second] = [await send("POST", "/plans", wish, headers), await send("POST", "/plans", wish, headers)];
    const [text, again] = [await first.text(), await second.text()];
    expect(again).toBe(text);
    const { plan } = PlanMade.parse(JSON.parse(text));
    const shown = JSON.stringify(await get(`/plans/${plan?.id}/actions`));
    expect(shown).toContain('"after":"***"');
    expect(shown + text).not.toContain("hush");
  });

  test("the whole of it is exported as the command line prints it, sensitive values masked", async () => {
    world.create({ Environment: "dev" });
    await world.scan();
    const { plan } = await made({ values: [{ key: "Secret", value: "hush" }] });
    const loaded = (await loadPlan(world.database, plan!.id))!;
    const types = { json: "application/json", csv: "text/csv", "aws-cli": "text/x-shellscript" } as const;
    for (const [format, type] of Object.entries(types)) {
      const answer = await send("GET", `/plans/${plan?.id}/export?format=${format}`);
      expect(answer.headers.get("content-type")).toBe(`${type}; charset=utf-8`);
      const text = await answer.text();
      expect(text).toBe(exportPlan(loaded, format as keyof typeof types, (key) => key === "Secret", world.now()));
      expect(text).toContain("Secret");
      expect(text).not.toContain("hush");
    }
    expect(await problem("GET", `/plans/${plan?.id}/export?format=xml`)).toMatchObject({ status: 400 });
  });

  test("what is not there is 404", async () => {
    const id = "019aaf00-0000-7000-8000-000000000000";
    for (const path of [`/plans/${id}`, `/plans/${id}/actions`, `/plans/${id}/export`]) {
      expect(await problem("GET", path)).toMatchObject({ status: 404 });
    }
    expect(await problem("POST", `/plans/${id}/approve`, { approved_by: BO, hash: "" })).toMatchObject({ status: 404 });
    expect(await problem("POST", `/plans/${id}/reject`, { rejected_by: BO })).toMatchObject({ status: 404 });
  });
});
