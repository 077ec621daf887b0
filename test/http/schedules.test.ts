import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { OpenDatabase } from "../../src/db/client.ts";
import { Schedule, ScheduleSlot } from "../../src/http/schedule-schemas.ts";
import { pageOf, Problem } from "../../src/http/schemas.ts";
import { schedule_slots, schedules } from "../../src/scan/schema.ts";
import { newRow } from "../../src/scan/schedules/store.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";
import { openApp } from "./open-app.ts";

const NEW = { id: "nightly", cron: "30 2 * * *", time_zone: "Europe/Berlin", created_by: "ana@example.com" };

describeOnBoth("schedules through the API on %s", (kind) => {
  let opened: OpenDatabase;
  let app: ReturnType<typeof openApp>["app"];
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
  });
  afterAll(() => opened.close());
  beforeEach(async () => {
    await emptyTables(opened.database);
    app = openApp(opened.database).app;
  });

  function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    return app.request(`/api/v1${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }
  const make = (body: object = {}, headers = {}) => send("POST", "/schedules", { ...NEW, ...body }, headers);
  const made = async (body: object = {}) => Schedule.parse(await (await make(body)).json());
  const change = (body: object, version = 1) =>
    send("PATCH", "/schedules/nightly", { updated_by: "bo@example.com", ...body }, { "If-Match": `"${version}"` });
  async function problem(response: Response | Promise<Response>) {
    const answer = await response;
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    const body = Problem.parse(await answer.json());
    expect(body.status).toBe(answer.status);
    return body;
  }
  const list = async (query = "") => pageOf(Schedule).parse(await (await send("GET", `/schedules${query}`)).json());

  test("one is made with every default, says when it comes next, and is found where Location says", async () => {
    const response = await make();
    expect(response.status).toBe(201);
    const body = Schedule.parse(await response.json());
    expect(body).toMatchObject({
      id: "nightly",
      origin: "api",
      jitter_seconds: 0,
      catch_up: "latest",
      overlap: "skip",
      enabled: true,
      accounts: null,
      created_by: "ana@example.com",
      updated_by: "ana@example.com",
      last_slot: null,
      last_outcome: null,
      version: 1,
    });
    expect(Date.parse(body.next_slot ?? "")).toBeGreaterThan(Date.now());
    expect(body.next_starts_at).toBe(body.next_slot);
    expect(response.headers.get("etag")).toBe('"1"');
    const found = await app.request(response.headers.get("location") ?? "");
    expect(found.headers.get("etag")).toBe('"1"');
    expect(Schedule.parse(await found.json())).toEqual(body);
  });

  test("with jitter the next slot begins later, within its bound", async () => {
    const { next_slot, next_starts_at } = await made({ jitter_seconds: 3600 });
    const later = Date.parse(next_starts_at ?? "") - Date.parse(next_slot ?? "");
    expect(later).toBeGreaterThanOrEqual(0);
    expect(later).toBeLessThan(3_600_000);
  });

  test.each([
    ["a cron expression that is none", { cron: "61 2 * * *" }, "cron", 'The minute, "61", is none'],
    ["a time that never comes", { cron: "0 0 30 2 *" }, "cron", "never comes"],
    ["a zone that is none", { time_zone: "Mars/Base" }, "time_zone", "not a time zone"],
    ["a jitter beyond the next slot", { cron: "*/5 * * * *", jitter_seconds: 300 }, "jitter_seconds", "300 s apart"],
    ["a policy that is none", { overlap: "both" }, "overlap", "Invalid option"],
    ["an id with a space", { id: "every night" }, "id", "lower-case letters"],
    ["an account that is none", { accounts: ["12"] }, "accounts/0", "twelve digits"],
    ["a type that is none", { types: ["campain"] }, "types/0", "Invalid option"],
    ["nobody who made it", { created_by: undefined }, "created_by", "Invalid input"],
  ])("%s is refused, and the field is named", async (_, body, pointer, detail) => {
    const refused = await problem(make(body));
    expect(refused).toMatchObject({ status: 400, type: "/problems/validation-failed" });
    expect(refused.errors?.map((error) => error.pointer)).toEqual([pointer]);
    expect(refused.detail).toContain(detail);
    expect(await opened.database.select().from(schedules)).toEqual([]);
  });

  test("a word that is not known is refused with the nearest, and what cannot be scanned with the reason", async () => {
    expect((await problem(make({ timezone: "UTC" }))).detail).toContain("Did you mean time_zone?");
    expect((await problem(send("GET", "/schedules?origin=confg"))).detail).toContain("Did you mean config?");
    expect(await problem(make({ regions: ["mars-1"] }))).toMatchObject({
      type: "/problems/request-refused",
      detail: "Amazon Personalize is not offered in region mars-1.",
    });
  });

  test("an id is taken once; repeated with the same Idempotency-Key it is the same schedule", async () => {
    const key = { "Idempotency-Key": "gov-12" };
    expect((await make({}, key)).status).toBe(201);
    expect((await make({}, key)).status).toBe(201);
    expect(await problem(make())).toMatchObject({ status: 409, detail: "There is a schedule with this id." });
    expect((await problem(make({ cron: "0 4 * * *" }, key))).type).toBe("/problems/idempotency-key-reused");
  });

  test("a change names the version that was looked at, or it is refused; what is left out stays", async () => {
    await made({ accounts: ["111122223333"], jitter_seconds: 60 });
    const without = send("PATCH", "/schedules/nightly", { updated_by: "bo", enabled: false });
    expect((await problem(without)).status).toBe(428);
    expect((await problem(change({ enabled: false }, 7))).status).toBe(412);
    expect((await problem(change({}))).detail).toBe("Say what is to be different.");
    expect((await problem(change({ cron: "* * * * *" }))).errors).toMatchObject([{ pointer: "jitter_seconds" }]);
    expect((await problem(change({ regions: ["mars-1"] }))).status).toBe(422);
    const changed = await change({ enabled: false, accounts: null });
    expect(changed.headers.get("etag")).toBe('"2"');
    expect(Schedule.parse(await changed.json())).toMatchObject({
      enabled: false,
      accounts: null,
      jitter_seconds: 60,
      next_slot: null,
      updated_by: "bo@example.com",
      created_by: "ana@example.com",
      version: 2,
    });
    expect((await problem(change({ enabled: true }))).detail).toContain("version 2 now");
  });

  test("one of the configuration is shown, and changed only in its file", async () => {
    const terms = { ...(await made({ id: "other" })), types: null };
    const { id: _, ...rest } = terms;
    await opened.database.insert(schedules).values(newRow("nightly", "config", rest, "tagwarden.yaml", new Date()));
    expect((await list("?origin=config")).items.map(({ id }) => id)).toEqual(["nightly"]);
    const detail = "The configuration file, tagwarden.yaml, says it: change it there.";
    expect(await problem(change({ enabled: false }))).toMatchObject({ status: 409, detail });
    expect(await problem(send("DELETE", "/schedules/nightly"))).toMatchObject({ status: 409, detail });
  });

  test("the list is by id, narrows, says by what, and pages follow each other", async () => {
    for (const id of ["c", "a", "b"]) await made({ id, enabled: id !== "b" });
    expect((await list()).items.map(({ id }) => id)).toEqual(["a", "b", "c"]);
    const enabled = await list("?enabled=true&origin=api");
    expect(enabled.items.map(({ id }) => id)).toEqual(["a", "c"]);
    expect(enabled.applied_filters).toEqual({ origin: ["api"], enabled: ["true"] });
    const first = await list("?page_size=2");
    const second = await list(`?page_size=2&page_token=${first.next_page_token}`);
    expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(["a", "b", "c"]);
    expect(first.total).toEqual({ count: 3, type: "EXACT" });
  });

  test("its slots are listed, the latest first, also when it is gone", async () => {
    await made();
    const slot = (day: number) => new Date(Date.UTC(2026, 2, day, 1, 30));
    const scan_id = "019ccccc-0000-7000-8000-000000000000";
    await opened.database.insert(schedule_slots).values([
      { schedule_id: "nightly", slot: slot(1), outcome: "started", scan_id, caught_up: 2, decided_at: slot(1) },
      { schedule_id: "nightly", slot: slot(2), outcome: "skipped_overlap", caught_up: 0, decided_at: slot(2) },
      { schedule_id: "other", slot: slot(3), outcome: "started", caught_up: 0, decided_at: slot(3) },
    ]);
    const last = Schedule.parse(await (await send("GET", "/schedules/nightly")).json());
    expect(last).toMatchObject({
      last_slot: slot(2).toISOString(),
      last_outcome: "skipped_overlap",
      last_scan_id: null,
    });
    const slots = async (query = "") =>
      pageOf(ScheduleSlot).parse(await (await send("GET", `/schedules/nightly/slots${query}`)).json());
    const first = await slots("?page_size=1");
    expect(first.items).toMatchObject([{ slot: slot(2).toISOString(), outcome: "skipped_overlap" }]);
    expect((await slots(`?page_size=1&page_token=${first.next_page_token}`)).items).toMatchObject([
      { slot: slot(1).toISOString(), outcome: "started", scan_id, caught_up: 2, error: null },
    ]);
    expect((await slots("?outcome=started")).total.count).toBe(1);
    expect((await slots("?outcome=failed")).items).toEqual([]);

    const gone = await send("DELETE", "/schedules/nightly");
    expect(gone.status).toBe(204);
    expect((await slots()).total.count).toBe(2);
    expect((await problem(send("GET", "/schedules/nightly"))).status).toBe(404);
    expect((await problem(send("DELETE", "/schedules/nightly"))).status).toBe(404);
    expect((await problem(send("GET", "/schedules/none/slots"))).status).toBe(404);
  });
});
