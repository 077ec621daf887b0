import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Database, OpenDatabase } from "../../src/db/client.ts";
import { findings } from "../../src/findings/schema.ts";
import * as schemas from "../../src/http/schemas.ts";
import { after, read, resourceOf, scan } from "../findings/world.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";
import { openApp } from "./open-app.ts";

describeOnBoth("what a scan held, on %s", (kind) => {
  let opened: OpenDatabase;
  let database: Database;
  let app: ReturnType<typeof openApp>["app"];
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
    database = opened.database;
  });
  afterAll(() => opened.close());
  beforeEach(async () => {
    await emptyTables(database);
    app = openApp(database, { now: () => after(10) }).app;
  });

  const world = (fixed: number, hours: number) =>
    Array.from({ length: 100 }, (_, index) =>
      read(resourceOf(`c-${index}`), index < fixed ? { Owner: "a", Env: "dev" } : { Env: "dev" }, {
        source: "index",
        read_at: after(hours),
      }),
    );
  const held = async () => {
    await scan(database, world(0, 0));
    return (await scan(database, world(60, 1), { at: after(1) })).scan_id;
  };
  const openCount = async () => (await database.select().from(findings)).filter(({ state }) => state === "open").length;
  const decide = (id: string, name: string, body: unknown, headers: Record<string, string> = {}) =>
    app.request(`/api/v1/scans/${id}/${name}`, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "Content-Type": "application/json", ...headers },
    });

  test("is confirmed: the findings close, and it is said who said so", async () => {
    const id = await held();
    const response = await decide(id, "confirm", { decided_by: "alice@example.com" });
    expect([response.status, await response.json()]).toEqual([
      200,
      { scan_id: id, decision: "confirmed", units: 1, closures: 60 },
    ]);
    expect(await openCount()).toBe(40);
    expect(await (await app.request(`/api/v1/scans/${id}/held`)).json()).toEqual({
      waiting: { units: 0, closures: 0 },
      decisions: [
        {
          scan_id: id,
          at: after(10).toISOString(),
          decision: "confirmed",
          actor: "alice@example.com",
          units: 1,
          closures: 60,
          reason: null,
        },
      ],
    });
  });

  test("is rejected: the findings stay open", async () => {
    const id = await held();
    expect(await (await app.request(`/api/v1/scans/${id}/held`)).json()).toEqual({
      waiting: { units: 1, closures: 60 },
      decisions: [],
    });
    const response = await decide(id, "reject", { decided_by: "alice@example.com", reason: "the index was broken" });
    expect(response.status).toBe(200);
    expect(await openCount()).toBe(100);
    const units = (await (await app.request(`/api/v1/scans/${id}/units`)).json()) as { items: { state: string }[] };
    expect(units.items.map(({ state }) => state)).toEqual(["rejected"]);
  });

  test("is decided once: another decision is a conflict, a repetition with the same key is the same answer", async () => {
    const id = await held();
    const key = { "Idempotency-Key": "k-1" };
    const first = await decide(id, "reject", { decided_by: "alice" }, key);
    const again = await decide(id, "reject", { decided_by: "alice" }, key);
    expect([again.status, await again.json()]).toEqual([200, await first.json()]);
    const other = await decide(id, "confirm", { decided_by: "alice" }, key);
    expect([other.status, schemas.Problem.parse(await other.json()).type]).toEqual([
      422,
      "/problems/idempotency-key-reused",
    ]);
    const late = await decide(id, "confirm", { decided_by: "bob" });
    expect([late.status, schemas.Problem.parse(await late.json()).type]).toEqual([409, "/problems/conflict"]);
    expect(await openCount()).toBe(100);
  });

  test("is not decided by nobody, nor of a scan that is not there, nor from another site", async () => {
    const id = await held();
    expect((await decide(id, "confirm", {})).status).toBe(400);
    expect((await decide(id, "confirm", { decided_by: "a", because: "b" })).status).toBe(400);
    expect((await decide("019ccccc-0000-7000-8000-000000000000", "reject", { decided_by: "a" })).status).toBe(404);
    expect((await decide(id, "confirm", { decided_by: "a" }, { "Sec-Fetch-Site": "cross-site" })).status).toBe(403);
    expect(await openCount()).toBe(100);
  });

  test("is decided on the page of the scan, with a plain form", async () => {
    const id = await held();
    const page = await (await app.request(`/scans/${id}`)).text();
    expect(page).toContain("60 closures in 1 unit wait for a decision");
    expect(page).toContain(`action="/scans/${id}/held"`);
    const post = (form: Record<string, string>) =>
      app.request(`/scans/${id}/held`, {
        method: "POST",
        body: new URLSearchParams(form),
        headers: { "Sec-Fetch-Site": "same-origin" },
      });
    expect((await post({ decision: "reject", decided_by: "" })).status).toBe(400);
    expect((await post({ decision: "maybe", decided_by: "alice" })).status).toBe(400);
    const done = await post({ decision: "reject", decided_by: "alice", reason: "" });
    expect([done.status, done.headers.get("location")]).toEqual([303, `/scans/${id}`]);
    const after_it = await (await app.request(`/scans/${id}`)).text();
    expect(after_it).not.toContain("for a decision</h2>");
    expect(after_it.replaceAll(/<[^>]+>/g, "")).toContain("alice rejected 60 closures in 1 unit");
    expect((await post({ decision: "confirm", decided_by: "alice" })).status).toBe(409);
  });
});
