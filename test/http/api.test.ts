import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { z } from "zod";
import type { OpenDatabase } from "../../src/db/client.ts";
import { log } from "../../src/log.ts";
import * as schemas from "../../src/http/schemas.ts";
import { scan_targets } from "../../src/scan/schema.ts";
import { describeOnBoth, openTestDatabase } from "../support/database.ts";
import { NO_DATABASE, openApp } from "./open-app.ts";
import { NOW, seedWorld, type World } from "./seed.ts";

describeOnBoth("the API on %s", (kind) => {
  let opened: OpenDatabase;
  let world: World;
  let app: ReturnType<typeof openApp>["app"];
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
    world = await seedWorld(opened.database);
    app = openApp(opened.database).app;
  });
  afterAll(() => opened.close());

  async function get<S extends z.ZodType>(path: string, schema: S): Promise<z.infer<S>> {
    const response = await app.request(`/api/v1${path}`);
    expect(response.status, await response.clone().text()).toBe(200);
    return schema.parse(await response.json());
  }
  async function problem(path: string, init?: RequestInit) {
    const response = await app.request(`/api/v1${path}`, init);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    const body = schemas.Problem.parse(await response.json());
    expect(body.status).toBe(response.status);
    expect(body.instance).toBe(response.headers.get("x-request-id"));
    return body;
  }

  test("the summary counts what is stored, names what is incomplete, and says as of when", async () => {
    const summary = await get("/compliance/summary", schemas.Compliance);
    const { compliant, noncompliant, exempt, unknown, not_applicable } = summary;
    expect(compliant + noncompliant + exempt + unknown + not_applicable).toBe(world.arns.length);
    expect(noncompliant).toBe(world.noncompliant);
    expect(summary.ratio).toBe(Math.floor((compliant / (compliant + noncompliant)) * 1000) / 1000);
    expect(summary.incomplete.map((unit) => unit.error?.name)).toEqual([
      "AccessDeniedException",
      "AccessDeniedException",
    ]);
    expect(summary.as_of).toBe("2026-03-02T11:06:00.000Z");
  });

  test("every number of a breakdown is the number of the list it stands for", async () => {
    const whole = { schema: schemas.pageOf(schemas.ResourceItem), findings: schemas.pageOf(schemas.Finding) };
    for (const by of ["type", "account_id", "region"] as const) {
      const response = await app.request(`/api/v1/compliance/breakdown?by=${by}`);
      const { items } = (await response.json()) as { items: Record<string, string | number>[] };
      expect(items.length).toBeGreaterThan(1);
      for (const row of items) {
        schemas.BreakdownGroup.parse(row);
        const list = await get(`/resources?${by}=${row["group"]}&status=noncompliant&page_size=1`, whole.schema);
        expect(list.total).toEqual({ count: row["noncompliant"], type: "EXACT" });
      }
    }
    for (const by of ["key", "rule"] as const) {
      const { items } = (await (await app.request(`/api/v1/compliance/breakdown?by=${by}`)).json()) as {
        items: Record<string, string | number>[];
      };
      for (const row of items) {
        const list = await get(
          `/findings?${by}=${encodeURIComponent(String(row["group"]))}&page_size=1`,
          whole.findings,
        );
        expect(list.total.count).toBe(row["open_findings"]);
      }
    }
  });

  test("pages follow each other without a gap or a repetition, and the filters that apply are said", async () => {
    const seen: string[] = [];
    let token: string | null = "";
    while (token !== null) {
      const page: z.infer<ReturnType<typeof schemas.pageOf<typeof schemas.Finding>>> = await get(
        `/findings?page_size=50${token === "" ? "" : `&page_token=${token}`}`,
        schemas.pageOf(schemas.Finding),
      );
      expect(page.applied_filters).toEqual({ effective_status: ["open"] });
      expect(page.total.count).toBe(world.open);
      seen.push(...page.items.map((finding) => finding.id));
      token = page.next_page_token;
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.length).toBe(world.open);
  });

  test("a page token serves only the list it was made for", async () => {
    const page = await get("/findings?page_size=2", schemas.pageOf(schemas.Finding));
    const token = page.next_page_token!;
    expect((await problem(`/findings?page_size=2&severity=high&page_token=${token}`)).type).toBe(
      "/problems/page-token-mismatch",
    );
    expect((await problem(`/resources?page_token=${token}`)).type).toBe("/problems/page-token-mismatch");
    expect((await problem("/findings?page_token=nonsense")).status).toBe(400);
    const forged = JSON.parse(Buffer.from(token, "base64url").toString()) as { after: string[] };
    forged.after = forged.after.map(() => "'; drop table findings; --");
    const sent = Buffer.from(JSON.stringify(forged)).toString("base64url");
    expect((await problem(`/findings?page_size=2&page_token=${sent}`)).type).toBe("/problems/validation-failed");
  });

  test("page_size above the limit counts as the limit, below one is refused", async () => {
    expect((await get("/resources?page_size=100000", schemas.pageOf(schemas.ResourceItem))).items.length).toBe(360);
    for (const size of ["0", "-1", "1.5", "many"])
      expect((await problem(`/findings?page_size=${size}`)).status).toBe(400);
  });

  test("lists are any-of by comma or repetition", async () => {
    const byComma = await get("/findings?severity=high,low&page_size=1", schemas.pageOf(schemas.Finding));
    const repeated = await get("/findings?severity=high&severity=low&page_size=1", schemas.pageOf(schemas.Finding));
    const only = await get("/findings?severity=high&page_size=1", schemas.pageOf(schemas.Finding));
    expect(byComma.total).toEqual(repeated.total);
    expect(byComma.total.count).toBeGreaterThan(only.total.count);
  });

  test("an unknown parameter or word is refused with the nearest valid one, so that a typo never widens a list", async () => {
    const parameter = await problem("/findings?severty=high");
    expect(parameter.type).toBe("/problems/unknown-parameter");
    expect(parameter.errors).toEqual([
      { pointer: "severty", detail: "There is no such name here. Did you mean severity?" },
    ]);
    expect((await problem("/findings?severity=hihg")).detail).toContain("Did you mean high?");
    expect((await problem("/resources?type=campain")).detail).toContain("Did you mean campaign?");
    expect((await problem("/findings?severity=")).detail).toContain("empty");
    expect((await problem("/findings?account_id=123")).detail).toContain("twelve digits");
    expect((await problem("/compliance/breakdown?by=colour")).status).toBe(400);
    expect((await problem("/findings?q=%00")).status).toBe(400);
  });

  test("one finding with its history; one that is not there is a 404", async () => {
    const [id] = world.finding_ids;
    expect((await get(`/findings/${id}`, schemas.Finding)).id).toBe(id);
    const response = await app.request(`/api/v1/findings/${id}/events`);
    const { items } = (await response.json()) as { items: unknown[] };
    expect(schemas.FindingEvent.parse(items[0])).toMatchObject({ event: "opened", finding_id: id });
    expect((await problem(`/findings/${"0".repeat(64)}`)).status).toBe(404);
    expect((await problem("/findings/1")).status).toBe(400);
  });

  test("one resource by its ARN, with slashes encoded or not", async () => {
    const arn = world.arns[4]!;
    const encoded = await get(`/resources/${encodeURIComponent(arn)}`, schemas.ResourceWithFindings);
    expect(encoded.arn).toBe(arn);
    expect(encoded.findings.every((finding) => finding.arn === arn)).toBe(true);
    expect(await get(`/resources/${arn}`, schemas.ResourceWithFindings)).toEqual(encoded);
    expect(
      (await problem("/resources/arn%3Aaws%3Apersonalize%3Aus-east-1%3A111122223333%3Acampaign%2Fnone")).status,
    ).toBe(404);
  });

  test("scans and their units", async () => {
    const page = await get("/scans", schemas.pageOf(schemas.Scan));
    expect(page.items.map((scan) => scan.id)).toEqual([world.scan_id]);
    const scan = await get(`/scans/${world.scan_id}`, schemas.Scan);
    const units = await get(`/scans/${world.scan_id}/units?page_size=500`, schemas.pageOf(schemas.ScanUnit));
    expect(units.items.length).toBe(scan.units);
    expect(units.total).toEqual({ count: scan.units, type: "EXACT" });
    const denied = await get(`/scans/${world.scan_id}/units?state=denied,failed`, schemas.pageOf(schemas.ScanUnit));
    expect(denied.items.map(({ state, type }) => `${state} ${type}`)).toEqual([
      "denied campaign",
      "denied recommender",
    ]);
    expect(denied.applied_filters).toEqual({ state: ["denied", "failed"] });
    expect(scan.calls_per_second).toBeCloseTo(412 / 360, 5);
    expect((await problem(`/scans/${world.scan_id}/units?state=lost`)).detail).toContain('"lost" is not known');
    expect((await problem("/scans/7")).status).toBe(400);
    for (const list of ["units", "targets"])
      expect((await problem(`/scans/019ccccc-0000-7000-8000-00000000ffff/${list}`)).status).toBe(404);
  });

  test("the targets of a scan, each with who works on it, page by page", async () => {
    const row = (account_id: string, region: string, rank: number) => ({
      scan_id: world.scan_id,
      account_id,
      region,
      rank,
      partition: "aws",
      expected: 0,
      api_calls: { total: 7, throttled: 1, ListCampaigns: 7 },
      warnings: ["no permission to use the index"],
    });
    await opened.database.insert(scan_targets).values([
      { ...row("111122223333", "us-east-1", 2), state: "queued" },
      { ...row("111122223333", "eu-west-1", 0), state: "ended", attempts: 1, started_at: NOW, finished_at: NOW },
      {
        ...row("444455556666", "us-east-1", 1),
        state: "running",
        attempts: 2,
        lease_owner: "worker-1:7:0abc0def",
        lease_expires_at: NOW,
        started_at: NOW,
      },
    ]);
    const schema = schemas.pageOf(schemas.ScanTarget);
    const path = `/scans/${world.scan_id}/targets`;
    const first = await get(`${path}?page_size=2`, schema);
    expect(first.items.map(({ account_id, region }) => `${account_id} ${region}`)).toEqual([
      "111122223333 eu-west-1",
      "111122223333 us-east-1",
    ]);
    expect(first.total).toEqual({ count: 3, type: "EXACT" });
    const second = await get(`${path}?page_size=2&page_token=${first.next_page_token}`, schema);
    expect(second).toMatchObject({
      next_page_token: null,
      items: [{ lease_owner: "worker-1:7:0abc0def", attempts: 2 }],
    });
    const running = await get(`${path}?state=running`, schema);
    expect(running.items).toEqual(second.items);
    expect((await problem(`${path}?state=running&page_token=${first.next_page_token}`)).type).toBe(
      "/problems/page-token-mismatch",
    );
  });

  test("hostile values of every parameter end as an answer or as a problem of the caller, never as an error of ours", async () => {
    const hostile = [
      "'",
      "\\",
      "%",
      "$1",
      "1e309",
      "'; drop table findings; --",
      "\u202e",
      "\ud83d\ude00",
      "a".repeat(5000),
      "[]",
      "null",
    ];
    for (const name of ["q", "rule", "key", "arn", "owner", "region", "page_token", "page_size", "sort", "state"]) {
      for (const value of hostile) {
        const response = await app.request(`/api/v1/findings?${name}=${encodeURIComponent(value)}`);
        expect([200, 400], `${name}=${value}`).toContain(response.status);
      }
    }
  });
});

describe("asking for a scan", () => {
  const post = (app: ReturnType<typeof openApp>["app"], body: unknown, headers: Record<string, string> = {}) =>
    app.request("/api/v1/scans", {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });

  test("is accepted, with the place to look; the same scope again is the same scan", async () => {
    const { app, asked } = openApp(NO_DATABASE);
    const first = await post(app, { regions: ["us-east-1"], types: ["campaign"], confirm: "all" });
    expect(first.status).toBe(202);
    const { scan_id, deduplicated } = (await first.json()) as { scan_id: string; deduplicated: boolean };
    expect(first.headers.get("location")).toBe(`/api/v1/scans/${scan_id}`);
    expect(deduplicated).toBe(false);
    expect(asked).toEqual([{ wish: { regions: ["us-east-1"], types: ["campaign"], confirm: "all" }, by: "api" }]);
    const again = await post(app, { regions: ["us-east-1"], types: ["campaign"], confirm: "all" });
    expect(await again.json()).toEqual({ scan_id, deduplicated: true });
    expect((await app.request("/api/v1/scans", { method: "POST" })).status).toBe(202);
  });

  test("an Idempotency-Key gives the first answer again, and is refused with another body", async () => {
    const { app } = openApp(NO_DATABASE);
    const first = await (await post(app, {}, { "Idempotency-Key": "k1" })).json();
    expect(await (await post(app, {}, { "Idempotency-Key": "k1" })).json()).toEqual(first);
    expect((await post(app, { types: ["campaign"] }, { "Idempotency-Key": "k1" })).status).toBe(422);
  });

  test("what cannot be scanned, read or understood is refused", async () => {
    const { app, asked } = openApp(NO_DATABASE);
    expect((await post(app, { regions: ["mars-1"] })).status).toBe(422);
    expect((await post(app, { region: ["us-east-1"] })).status).toBe(400);
    expect((await post(app, { types: ["campain"] })).status).toBe(400);
    expect((await post(app, "{")).status).toBe(400);
    expect((await post(app, "[".repeat(10_000))).status).toBe(400);
    expect((await post(app, {}, { "Content-Type": "text/plain" })).status).toBe(415);
    expect((await post(app, "a=b", { "Content-Type": "application/x-www-form-urlencoded" })).status).toBe(415);
    expect((await post(app, JSON.stringify({ regions: ["x".repeat(1_100_000)] }))).status).toBe(413);
    expect(asked).toEqual([]);
  });

  test("a page of another site cannot ask, with JSON or with a form", async () => {
    const { app, asked } = openApp(NO_DATABASE);
    for (const site of ["cross-site", "same-site"])
      expect((await post(app, {}, { "Sec-Fetch-Site": site })).status).toBe(403);
    expect((await post(app, {}, { Origin: "https://evil.example" })).status).toBe(403);
    expect((await post(app, {}, { Origin: "null" })).status).toBe(403);
    const form = (headers: Record<string, string>) =>
      app.request("/scans", {
        method: "POST",
        headers: { "Content-Type": "application/x-www-form-urlencoded", ...headers },
        body: "",
      });
    expect((await form({ "Sec-Fetch-Site": "cross-site" })).status).toBe(403);
    expect((await form({ Origin: "https://evil.example" })).status).toBe(403);
    expect(asked).toEqual([]);
    const own = await form({ "Sec-Fetch-Site": "same-origin", Origin: "http://localhost" });
    expect([own.status, own.headers.get("location")]).toEqual([
      303,
      "/scans/019ccccc-0000-7000-8000-000000000000?live=1",
    ]);
    expect(asked.length).toBe(1);
  });
});

describe("when things are wrong", () => {
  beforeAll(() => void (log.level = "silent"));

  test("without a database the process lives, is not ready, and says so without saying where the database is", async () => {
    const { app } = openApp(NO_DATABASE, { ready: async () => ({ ok: false, checks: { database: "not reachable" } }) });
    expect((await app.request("/livez")).status).toBe(200);
    const ready = await app.request("/readyz");
    expect(ready.status).toBe(503);
    expect(await ready.json()).toEqual({ status: "fail", checks: { database: "not reachable" } });
    for (const path of ["/api/v1/findings", "/api/v1/compliance/summary", "/", "/findings", "/scans"]) {
      const response = await app.request(path);
      expect(response.status, path).toBe(503);
      expect(await response.text()).not.toMatch(/10\.1\.2\.3|secret|ECONNREFUSED|node_modules/);
    }
  });

  test("an error of ours shows an id and nothing else", async () => {
    const database = new Proxy({} as never, {
      get: () => () => {
        throw new Error('Failed query: select "secret" from "findings"');
      },
    });
    const { app } = openApp(database);
    for (const path of ["/api/v1/findings", "/findings"]) {
      const response = await app.request(path);
      const text = await response.text();
      expect(response.status).toBe(500);
      expect(text).not.toMatch(/select|secret|Failed query|\.ts:/);
      expect(text).toContain(response.headers.get("x-request-id"));
    }
  });

  test("an address or method that is not there is a problem for machines and a page for people", async () => {
    const { app } = openApp(NO_DATABASE);
    expect((await app.request("/api/v1/nothing")).headers.get("content-type")).toBe("application/problem+json");
    expect((await app.request("/nothing")).headers.get("content-type")).toMatch("text/html");
    const method = await app.request("/api/v1/findings", { method: "DELETE" });
    expect([method.status, method.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  });

  test("bound to loopback, another host name is not answered", async () => {
    const { app } = openApp(NO_DATABASE);
    const ask = (host: string) => app.request(`http://${host}/livez`, {}, { loopback_only: true });
    expect((await ask("rebound.example:8080")).status).toBe(421);
    for (const host of ["localhost:8080", "127.0.0.1:8080", "[::1]:8080"]) expect((await ask(host)).status).toBe(200);
    expect((await app.request("http://tagwarden.example/livez")).status).toBe(200);
  });

  test("every answer forbids scripts, frames and guesses of types", async () => {
    const { app } = openApp(NO_DATABASE);
    for (const path of ["/", "/api/v1/findings", "/livez", "/nothing"]) {
      const { headers } = await app.request(path);
      expect(headers.get("content-security-policy")).toBe(
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
      );
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("x-frame-options")).toBe("DENY");
      expect(headers.get("permissions-policy")).toContain("camera=()");
    }
  });
});
