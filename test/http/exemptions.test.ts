import { eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { OpenDatabase } from "../../src/db/client.ts";
import { exemptions } from "../../src/exemptions/schema.ts";
import { Exemption, ExemptionWithHistory } from "../../src/http/exemption-schemas.ts";
import { pageOf, Problem } from "../../src/http/schemas.ts";
import { seeder } from "../reports/seed.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";
import { exemptNow, expireNow } from "../support/exemptions.ts";
import { openApp } from "./open-app.ts";

const DAY = 24 * 3_600_000;
const inDays = (days: number) => new Date(Date.now() + days * DAY).toISOString();
const NEW = {
  policy_id: "cost",
  rule_id: "cost-center",
  names: ["poc-*"],
  tags: { Stage: "poc" },
  reason: "Proofs of concept are not billed",
  ticket: "GOV-12",
  requested_by: "ana@example.com",
  approved_by: "bo@example.com",
};

describeOnBoth("exemptions through the API on %s", (kind) => {
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
  const make = (body: object = {}, headers = {}) =>
    send("POST", "/exemptions", { ...NEW, expires_at: inDays(30), ...body }, headers);
  const made = async (body: object = {}) => Exemption.parse(await (await make(body)).json());
  async function problem(response: Response | Promise<Response>) {
    const answer = await response;
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    const body = Problem.parse(await answer.json());
    expect(body.status).toBe(answer.status);
    return body;
  }
  const list = async (query = "") => pageOf(Exemption).parse(await (await send("GET", `/exemptions${query}`)).json());

  test("one is made, covers at once, and is found where Location says", async () => {
    const seed = seeder(opened.database);
    await seed.finding(await seed.resource({ name: "poc-1", tags: { Stage: "poc" } }));
    await seed.finding(await seed.resource({ name: "poc-2", tags: { Stage: "prod" } }));
    const expires_at = inDays(30);
    const response = await make({ expires_at });
    expect(response.status).toBe(201);
    const body = Exemption.parse(await response.json());
    expect(body).toMatchObject({
      ...NEW,
      expires_at,
      source: "api",
      status: "active",
      accounts: null,
      covered_findings: 1,
      unused: false,
    });
    expect(response.headers.get("etag")).toBe('"1"');
    const found = await app.request(response.headers.get("location")!);
    expect(found.headers.get("etag")).toBe('"1"');
    expect(ExemptionWithHistory.parse(await found.json())).toMatchObject({
      ...body,
      history: [{ event: "created", actor: "ana@example.com", version: 1, after: { names: ["poc-*"] } }],
    });
    const findings = (await (await send("GET", "/findings?effective_status=exempt")).json()) as { items: unknown[] };
    expect(findings.items).toMatchObject([{ name: "poc-1", exemption_ids: [body.id], exempt_until: expires_at }]);
  });

  test("a day ends at its end, in UTC", async () => {
    const day = inDays(30).slice(0, 10);
    const end = new Date(new Date(day).getTime() + DAY).toISOString();
    expect(await made({ expires_at: day })).toMatchObject({ expires_at: end });
  });

  test.each([
    ["nothing in its scope", { policy_id: undefined, rule_id: undefined, names: undefined, tags: undefined }, "scope"],
    ["more than 180 days", { expires_at: inDays(182) }, "expires_at"],
    ["an end that has been", { expires_at: inDays(-1) }, "expires_at"],
    ["no end", { expires_at: undefined }, "expires_at"],
    ["an end that is none", { expires_at: "soon" }, "expires_at"],
    ["nobody who accepts it", { approved_by: undefined }, "approved_by"],
    ["an account that is none", { accounts: ["12"] }, "accounts/0"],
    ["a type that is none", { types: ["campain"] }, "types/0"],
    ["a pattern that means everything", { names: ["*"] }, "names/0"],
    ["an empty list", { regions: [] }, "regions"],
  ])("%s is refused, and the field is named", async (_, body, pointer) => {
    const refused = await problem(make(body));
    expect(refused).toMatchObject({ status: 400, type: "/problems/validation-failed" });
    expect(refused.errors?.map((error) => error.pointer)).toEqual([pointer]);
    expect(await opened.database.select().from(exemptions)).toEqual([]);
  });

  test("a word that is not known is refused with the nearest", async () => {
    expect((await problem(make({ acounts: [] }))).detail).toContain("Did you mean accounts?");
    expect((await problem(send("GET", "/exemptions?state=active"))).type).toBe("/problems/unknown-parameter");
    expect((await problem(send("GET", "/exemptions?status=actve"))).detail).toContain("Did you mean active?");
    expect((await problem(send("GET", "/exemptions?expiring_within_days=soon"))).status).toBe(400);
  });

  test("repeated with the same Idempotency-Key, it is made once; with another body it is refused", async () => {
    const body = { expires_at: inDays(30) };
    const key = { "Idempotency-Key": "gov-12" };
    const first = await make(body, key);
    const second = await make(body, key);
    expect(second.status).toBe(201);
    expect(second.headers.get("location")).toBe(first.headers.get("location"));
    expect(await opened.database.select().from(exemptions)).toHaveLength(1);
    expect((await problem(make({ ...body, reason: "another" }, key))).type).toBe("/problems/idempotency-key-reused");
  });

  test("the list narrows, says by what, and pages follow each other", async () => {
    const first = await made({ expires_at: inDays(5), accounts: ["111122223333"] });
    const second = await made({ expires_at: inDays(60) });
    const over = await exemptNow(opened.database, { rule_id: "owner" });
    await expireNow(opened.database, over);
    const all = await list();
    expect(all.items.map(({ id }) => id)).toEqual([first.id, second.id]);
    expect(all.applied_filters).toEqual({ status: ["active", "pending"] });
    expect((await list("?status=all")).total.count).toBe(3);
    expect((await list("?status=expired")).items.map(({ id }) => id)).toEqual([over]);
    const narrowed = await list(
      "?expiring_within_days=14&unused=true&policy_id=cost&rule_id=cost-center&account_id=111122223333",
    );
    expect(narrowed.items.map(({ id }) => id)).toEqual([first.id]);
    expect(narrowed.applied_filters).toEqual({
      status: ["active", "pending"],
      expiring_within_days: ["14"],
      unused: ["true"],
      policy_id: ["cost"],
      rule_id: ["cost-center"],
      account_id: ["111122223333"],
    });
    const page = await list("?page_size=1");
    const next = await list(`?page_size=1&page_token=${page.next_page_token}`);
    expect([...page.items, ...next.items].map(({ id }) => id)).toEqual([first.id, second.id]);
    expect((await problem(send("GET", `/exemptions?status=all&page_token=${page.next_page_token}`))).type).toBe(
      "/problems/page-token-mismatch",
    );
  });

  test("a change names the version that was looked at, or it is refused", async () => {
    const { id } = await made();
    const body = { changed_by: "eve@example.com", reason: "moved to summer" };
    expect((await problem(send("PATCH", `/exemptions/${id}`, body))).status).toBe(428);
    expect((await problem(send("PATCH", `/exemptions/${id}`, body, { "If-Match": '"7"' }))).status).toBe(412);
    expect((await problem(send("PATCH", `/exemptions/${id}`, body, { "If-Match": "*" }))).status).toBe(412);
    const nothing = send("PATCH", `/exemptions/${id}`, { changed_by: "eve" }, { "If-Match": '"1"' });
    expect(await problem(nothing)).toMatchObject({ status: 400, detail: "Say what is to be different." });
    const changed = await send("PATCH", `/exemptions/${id}`, body, { "If-Match": '"1"' });
    expect(changed.status).toBe(200);
    expect(changed.headers.get("etag")).toBe('"2"');
    expect(Exemption.parse(await changed.json())).toMatchObject({ reason: "moved to summer", version: 2 });
    expect((await problem(send("PATCH", `/exemptions/${id}`, body, { "If-Match": '"1"' }))).detail).toContain(
      "version 2 now",
    );
  });

  test("to end later needs somebody who accepts that; then it ends exactly when asked", async () => {
    const { id } = await made();
    const expires_at = inDays(90);
    const change = (body: object) =>
      send("PATCH", `/exemptions/${id}`, { changed_by: "eve@example.com", expires_at, ...body }, { "If-Match": '"1"' });
    expect((await problem(change({}))).errors).toMatchObject([{ pointer: "approved_by" }]);
    expect((await problem(change({ expires_at: inDays(200), approved_by: "cy@example.com" }))).errors).toMatchObject([
      { pointer: "expires_at" },
    ]);
    const changed = Exemption.parse(await (await change({ approved_by: "cy@example.com" })).json());
    expect(changed).toMatchObject({ expires_at, approved_by: "cy@example.com", requested_by: "eve@example.com" });
  });

  test("revoked, it covers nothing any more; and who did it is kept", async () => {
    const seed = seeder(opened.database);
    await seed.finding(await seed.resource());
    const { id } = await made({ names: undefined, tags: undefined });
    const counts = async () => {
      const { items } = (await (await send("GET", "/findings?state=open")).json()) as {
        items: { effective_status: string }[];
      };
      return items.map(({ effective_status }) => effective_status);
    };
    expect(await counts()).toEqual(["exempt"]);
    const revoked = await send("POST", `/exemptions/${id}/revoke`, {
      revoked_by: "bo@example.com",
      reason: "tagged by now",
    });
    expect(Exemption.parse(await revoked.json())).toMatchObject({
      status: "revoked",
      revoked_by: "bo@example.com",
      expires_in_days: null,
    });
    expect(await counts()).toEqual(["open"]);
    expect((await problem(send("POST", `/exemptions/${id}/revoke`, { revoked_by: "bo@example.com" }))).status).toBe(
      409,
    );
  });

  test("one of a file is changed in its file, which is named", async () => {
    await seeder(opened.database).exemption({ id: "poc", source: "file", file: "exemptions.yaml", rule_id: "owner" });
    const change = send("PATCH", "/exemptions/poc", { changed_by: "eve", reason: "x" }, { "If-Match": '"1"' });
    expect(await problem(change)).toMatchObject({ status: 409, detail: "exemptions.yaml says it: change it there." });
    expect((await problem(send("POST", "/exemptions/poc/revoke", { revoked_by: "eve" }))).status).toBe(409);
    const [row] = await opened.database.select().from(exemptions).where(eq(exemptions.id, "poc"));
    expect(row).toMatchObject({ version: 1, revoked_at: null });
  });

  test("one that is not there is a 404, whatever its id", async () => {
    for (const id of ["none", "019aaf00-0000-7000-8000-000000000000", "%27%3B%20drop"])
      expect((await problem(send("GET", `/exemptions/${id}`))).status).toBe(404);
    expect((await problem(send("POST", "/exemptions/none/revoke", { revoked_by: "bo" }))).status).toBe(404);
  });
});
