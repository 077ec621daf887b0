import { existsSync } from "node:fs";
import axe from "axe-core";
import { type Browser, type Page, chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { OpenDatabase } from "../../src/db/client.ts";
import { uuidv7 } from "../../src/db/uuid.ts";
import type { HttpDeps } from "../../src/http/deps.ts";
import { type HttpServer, serveApp } from "../../src/http/server.ts";
import { scan_units, scans } from "../../src/inventory/schema.ts";
import { scan_targets } from "../../src/scan/schema.ts";
import { emptyTables, openTestDatabase } from "../support/database.ts";
import { openApp } from "./open-app.ts";
import { NOW, seedWorld, type World } from "./seed.ts";
import { seedHostile } from "./seed-hostile.ts";

const CHROMIUM = process.env["CHROMIUM_PATH"] ?? "/usr/bin/chromium";
const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** What markup of ours never has, and where every link leads. */
const INSPECT = `({
  injected: [...document.querySelectorAll("script, iframe, img, object, embed, xss, math, style, [style], base, meta[http-equiv]")].map((node) => node.outerHTML),
  handlers: [...document.querySelectorAll("*")].flatMap((node) => node.getAttributeNames().filter((name) => /^on|^xss/.test(name))),
  hrefs: [...document.querySelectorAll("a")].map((a) => a.href),
})`;

// In CI the browser has to be there: a check that did not run is no check.
describe.skipIf(!existsSync(CHROMIUM) && !process.env["CI"])("the dashboard in a browser", { timeout: 120_000 }, () => {
  let opened: OpenDatabase;
  let server: HttpServer;
  let browser: Browser;
  const changes: { -readonly [Key in keyof HttpDeps]?: HttpDeps[Key] } = {};
  beforeAll(async () => {
    opened = await openTestDatabase("pglite");
    const { app } = openApp(opened.database, {
      sandbox: true,
      policies: () => changes.policies?.() ?? { set_id: null, problem: null },
    });
    server = await serveApp(app, { host: "127.0.0.1", port: 0 });
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGS });
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    await opened?.close();
  });

  const pathsOf = (world: World) => [
    "/",
    "/findings",
    "/findings?severity=high&type=campaign",
    "/findings?effective_status=all&page_size=500",
    "/findings?effective_status=resolved",
    `/findings/${world.finding_ids[0]}`,
    "/resources",
    "/resources?status=unknown",
    `/resource?arn=${encodeURIComponent(world.arns[4]!)}`,
    `/resource?arn=${encodeURIComponent(world.arns.at(-1)!)}`,
    "/scans",
    `/scans/${world.scan_id}`,
    "/nothing-here",
    "/findings?colour=red",
  ];

  async function fresh(seed?: () => Promise<World>): Promise<World> {
    await emptyTables(opened.database);
    const nothing = {
      arns: ["arn:none"],
      finding_ids: ["0"],
      scan_id: uuidv7(NOW),
      open: 0,
      exempt: 0,
      noncompliant: 0,
    };
    return (await seed?.()) ?? nothing;
  }

  /** Opens a page and says which addresses it asked for. */
  async function visit(
    path: string,
    options: { dark?: boolean; script?: boolean; width?: number },
  ): Promise<{ page: Page; asked: string[]; bytes: number }> {
    const context = await browser.newContext({
      colorScheme: options.dark ? "dark" : "light",
      javaScriptEnabled: options.script ?? true,
      viewport: { width: options.width ?? 1200, height: 900 },
    });
    const page = await context.newPage();
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    const response = await page.goto(server.url + path);
    return { page, asked, bytes: (await response!.body()).byteLength };
  }

  async function violationsOf(page: Page): Promise<string[]> {
    await page.evaluate(axe.source);
    const found = await page.evaluate(async () => {
      const { axe } = globalThis as unknown as {
        axe: {
          run(
            options: unknown,
          ): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }>;
        };
      };
      const { violations } = await axe.run({
        resultTypes: ["violations"],
        runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
      });
      return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html} ${nodes[0]?.failureSummary}`);
    });
    return found;
  }

  const scrollWidth = (page: Page) => page.evaluate<number>("document.documentElement.scrollWidth");

  test("every page, in both themes and on a phone, full of data, has no accessibility violation", async () => {
    const world = await fresh(() => seedWorld(opened.database, 4));
    for (const options of [{ dark: false }, { dark: true }, { dark: false, width: 400 }]) {
      const { page } = await visit("/", options);
      for (const path of pathsOf(world)) {
        await page.goto(server.url + path);
        expect(await violationsOf(page), `${path} ${JSON.stringify(options)}`).toEqual([]);
      }
      await page.context().close();
    }
  });

  test("so has an empty one, one with its first scan running, and one with broken policies", async () => {
    for (const prepare of [() => fresh(), () => fresh(runningScan)]) {
      const world = await prepare();
      changes.policies = () => ({ set_id: null, problem: "policies/a.yaml:3:5: unknown field. Did you mean key?" });
      for (const dark of [false, true]) {
        const { page } = await visit("/", { dark });
        for (const path of ["/", "/findings", "/resources", "/scans", `/scans/${world.scan_id}`]) {
          await page.goto(server.url + path);
          expect(await violationsOf(page), `${path} ${dark}`).toEqual([]);
          expect(await page.textContent("main")).toContain("policies/a.yaml:3:5");
        }
        await page.context().close();
      }
      delete changes.policies;
    }
  });

  test("without script everything is there, within 150 kB, and nothing is loaded from elsewhere", async () => {
    const world = await fresh(() => seedWorld(opened.database, 4));
    for (const path of pathsOf(world)) {
      const { page, asked, bytes } = await visit(path, { script: false });
      expect(await page.locator("h1").count(), path).toBe(1);
      expect(await page.locator("script").count()).toBe(0);
      if (!path.includes("page_size=500")) expect(bytes, path).toBeLessThanOrEqual(150_000);
      expect(asked.filter((url) => !url.startsWith(server.url) && !url.startsWith("data:"))).toEqual([]);
      expect(asked.filter((url) => url.endsWith(".css")).length, path).toBe(1);
      await page.context().close();
    }
  });

  test("no page is wider than a phone", async () => {
    const world = await fresh(() => seedHostile(opened.database));
    for (const path of pathsOf(world)) {
      const { page } = await visit(path, { width: 400 });
      expect(await scrollWidth(page), path).toBeLessThanOrEqual(400);
      await page.context().close();
    }
  });

  test("the numbers of the overview are those of the API, and lead to lists of as many rows", async () => {
    const world = await fresh(() => seedWorld(opened.database, 4));
    const summary = (await (await fetch(`${server.url}/api/v1/compliance/summary`)).json()) as Record<string, number>;
    const { page } = await visit("/", { script: false });
    expect(await page.textContent(".big")).toBe(`${(summary["ratio"]! * 100).toFixed(1)}%`);
    for (const status of ["compliant", "noncompliant", "exempt", "unknown"]) {
      expect(await page.textContent(`.legend a[href$="status=${status}"] b`)).toBe(String(summary[status]));
    }
    expect(summary["noncompliant"]).toBe(world.noncompliant);
    const links = await page.locator("main td a, main .legend a").all();
    const numbers = await Promise.all(
      links.map(async (a) => [await a.getAttribute("href"), (await a.innerText()).match(/[\d,]+/)?.[0]] as const),
    );
    expect(numbers.length).toBeGreaterThan(10);
    for (const [href, number] of numbers) {
      await page.goto(server.url + href);
      expect(await page.textContent(".head p"), href!).toMatch(new RegExp(`^${number} `));
    }
    await page.context().close();
  });

  test("nothing read yet is not nothing found, and looks again by itself while the first scan runs", async () => {
    await fresh();
    const empty = await visit("/", { script: false });
    expect(await empty.page.textContent("main")).toContain("No complete scan yet");
    expect(await empty.page.locator(".big").count()).toBe(0);
    await fresh(runningScan);
    const response = await fetch(server.url);
    expect(response.headers.get("refresh")).toBe("3");
    expect(await response.text()).toContain("1 of 2 units done");
    await empty.page.context().close();
  });

  test("a scan is asked for by a button, without script", async () => {
    await fresh(() => seedWorld(opened.database, 4));
    const { page } = await visit("/", { script: false });
    const [request] = await Promise.all([
      page.waitForRequest((one) => one.method() === "POST"),
      page.click("text=Scan now"),
    ]);
    expect((await request.response())!.status()).toBe(303);
    await page.context().close();
  });

  test("a running scan tells how far it is and who works on it, and a button without script ends it", async () => {
    const world = await fresh(runningScan);
    const { page } = await visit(`/scans/${world.scan_id}`, { script: false });
    const text = (await page.textContent("main")) ?? "";
    expect(text).toContain("0 of 1 target and 1 of 2 units done, 7 resources read");
    expect(text).toContain("41 AWS calls, 3 throttled");
    expect(text).toContain("At work: worker-1:77 (1 target).");
    const [request] = await Promise.all([
      page.waitForRequest((one) => one.method() === "POST"),
      page.click("text=Cancel scan"),
    ]);
    expect((await request.response())!.status()).toBe(303);
    const [scan] = await opened.database.select().from(scans);
    expect(scan).toMatchObject({ stop_reason: "cancelled", stopped_by: "dashboard" });
    expect(await page.textContent("main")).toContain("A scan is to end");
    expect(await page.locator("text=Cancel scan").count()).toBe(0);
    await page.context().close();
  });

  test("a scan of many targets shows the first of them, what is not complete, and how many there are of each", async () => {
    const id = await fresh(runningScan).then((world) => world.scan_id);
    const accounts = Array.from({ length: 400 }, (_, i) => String(200_000_000_000 + i));
    await opened.database.update(scans).set({ targets: 401 });
    for (const type of ["campaign", "solution"] as const) {
      await opened.database.insert(scan_units).values(
        accounts.map((account_id, i) => ({
          scan_id: id,
          account_id,
          region: "us-east-1",
          type,
          state: i % 2 === 0 ? ("denied" as const) : ("complete" as const),
          error: i % 2 === 0 ? { name: "AccessDenied", message: "no", operation: "List" } : null,
        })),
      );
    }
    const { page, bytes } = await visit(`/scans/${id}`, {});
    expect(await page.locator("table.matrix tbody tr").count()).toBe(150);
    const text = (await page.textContent("main")) ?? "";
    expect(text).toContain("The first 150 targets of 401.");
    expect(text).toMatch(/Not complete \(400\)/);
    expect(text).toContain("D denied (400)");
    expect(text).toContain("✓ complete (401)");
    expect(bytes).toBeLessThan(250_000);
    expect(await violationsOf(page)).toEqual([]);
    await page.context().close();
  });

  test("filters are a form whose fields come back as they were sent", async () => {
    await fresh(() => seedWorld(opened.database, 4));
    const { page } = await visit("/findings", { script: false });
    await page.selectOption("select[name=severity]", "high");
    await page.fill("input[name=q]", "campaign");
    await page.click("text=Show");
    expect(new URL(page.url()).searchParams.get("severity")).toBe("high");
    expect(await page.inputValue("select[name=severity]")).toBe("high");
    expect(await page.inputValue("input[name=q]")).toBe("campaign");
    expect(await page.locator("tbody tr").count()).toBeGreaterThan(0);
    for (const row of await page.locator("tbody tr").all())
      expect(await row.innerText()).toMatch(/High[\s\S]*campaign/);
    await page.context().close();
  });

  test("text of tags, names and errors is never more than text", async () => {
    const world = await fresh(() => seedHostile(opened.database));
    const context = await browser.newContext();
    const page = await context.newPage();
    const alarms: string[] = [];
    page.on("dialog", (dialog) => {
      alarms.push(`dialog on ${page.url()}`);
      void dialog.dismiss();
    });
    page.on("console", (message) => {
      // A refused query is told on the console too.
      if (!message.text().includes("responded with a status of 4")) alarms.push(`${page.url()}: ${message.text()}`);
    });
    page.on("pageerror", (error) => alarms.push(String(error)));
    const queue = pathsOf(world).filter((path) => !path.includes("nothing-here") && !path.includes("colour"));
    queue.push(
      "/findings?q=%3Cscript%3Ealert(1)%3C/script%3E",
      '/resources?q="><img src=x onerror=alert(1)>',
      "/resource?arn=javascript:alert(1)",
    );
    const seen = new Set(queue);
    let pages = 0;
    while (queue.length > 0 && pages < 60) {
      const path = queue.shift()!;
      const response = await page.goto(server.url + path);
      pages++;
      expect(response!.status(), path).toBeLessThan(500);
      const found = await page.evaluate<{ injected: string[]; handlers: string[]; hrefs: string[] }>(INSPECT);
      expect(found.injected, path).toEqual([]);
      expect(found.handlers, path).toEqual([]);
      for (const href of found.hrefs) {
        expect(href.startsWith(`${server.url}/`), `${path} → ${href}`).toBe(true);
        const next = href.slice(server.url.length);
        if (next.startsWith("/openapi") || next.includes("#") || seen.has(next)) continue;
        seen.add(next);
        queue.push(next);
      }
    }
    expect(pages).toBeGreaterThan(20);
    expect(alarms).toEqual([]);
    await context.close();
  });

  async function runningScan(): Promise<World> {
    const id = uuidv7(NOW);
    const at = new Date(NOW.getTime() - 5_000);
    const target = { partition: "aws", account_id: "111122223333", region: "us-east-1" };
    await opened.database.insert(scans).values({
      id,
      state: "running",
      trigger: "start",
      requested_by: "start of the service",
      targets: 1,
      scope_hash: id,
      types: ["campaign", "solution"],
      confirm_all: false,
      created_at: at,
      started_at: at,
      heartbeat_at: at,
      warnings: [],
      api_calls: {},
    });
    const unit = { scan_id: id, account_id: target.account_id, region: target.region };
    await opened.database.insert(scan_units).values([
      { ...unit, type: "campaign", state: "complete", listed: true, resources: 7, started_at: at, finished_at: at },
      { ...unit, type: "solution", state: "running", started_at: at },
    ]);
    await opened.database.insert(scan_targets).values({
      ...target,
      scan_id: id,
      rank: 0,
      expected: 7,
      state: "running",
      attempts: 1,
      lease_owner: "worker-1:77:0a0b0c0d",
      lease_expires_at: new Date(Date.now() + 15_000),
      started_at: at,
      api_calls: { total: 41, throttled: 3 },
      warnings: [],
    });
    return { arns: [], finding_ids: [], scan_id: id, open: 0, exempt: 0, noncompliant: 0 };
  }
});
