import { afterAll, beforeAll, expect, test } from "vitest";
import { verifyAudit } from "../../src/audit-log/store.ts";
import { UsageError } from "../../src/config.ts";
import { createScan } from "../../src/scan/store.ts";
import { openApp } from "../http/open-app.ts";
import { after, read, resourceOf, scan } from "../findings/world.ts";
import { describeOnBoth, openTestDatabase } from "../support/database.ts";
import { listener } from "./told.ts";

/** What changes nothing that a person decides: an event tells of what happened in AWS, and has a table of its own. */
const TELLS_ONLY = ["receiveEvent"];
/** Looked at where plans and fights are made: plans-and-fights.test.ts. */
const ELSEWHERE = ["createPlan", "approvePlan", "rejectPlan", "applyPlan", "undoPlan", "endFight"];

type Ask = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Response>;

/** Each operation that changes something: asked for, and refused. `made`: what an earlier one of the list made. */
type Case = {
  readonly operation: string;
  readonly ask: (ask: Ask, made: Made) => Promise<Response>;
  /** `action subject` of the one entry. */
  readonly told: (made: Made) => string;
  /** Asked in vain. */
  readonly refused: (ask: Ask, made: Made) => Promise<Response>;
};
type Made = { exemption: string; scan: string; held: string; held_again: string; pause: string };

const IN_A_MONTH = new Date(Date.now() + 30 * 86_400_000).toISOString();
const IN_A_YEAR = new Date(Date.now() + 365 * 86_400_000).toISOString();
const EXEMPTION = {
  policy_id: "p",
  reason: "proofs of concept",
  requested_by: "ana@example.com",
  approved_by: "bo@example.com",
  expires_at: IN_A_MONTH,
};

const CASES: readonly Case[] = [
  {
    operation: "createScan",
    ask: (ask) => ask("POST", "/scans", {}),
    told: ({ scan }) => `scan.requested ${scan}`,
    refused: (ask) => ask("POST", "/scans", { regions: ["mars-1"] }),
  },
  {
    operation: "cancelScan",
    ask: (ask, { scan }) => ask("POST", `/scans/${scan}/cancel`),
    told: ({ scan }) => `scan.cancelled ${scan}`,
    refused: (ask, { scan }) => ask("POST", `/scans/${scan}/cancel`),
  },
  {
    operation: "confirmScanHeld",
    ask: (ask, { held }) => ask("POST", `/scans/${held}/confirm`, { decided_by: "ana" }),
    told: ({ held }) => `scan.confirmed ${held}`,
    refused: (ask, { held }) => ask("POST", `/scans/${held}/confirm`, { decided_by: "ana" }),
  },
  {
    operation: "rejectScanHeld",
    ask: (ask, { held_again }) => ask("POST", `/scans/${held_again}/reject`, { decided_by: "ana", reason: "no" }),
    told: ({ held_again }) => `scan.rejected ${held_again}`,
    refused: (ask, { held_again }) => ask("POST", `/scans/${held_again}/reject`, { decided_by: "ana" }),
  },
  {
    operation: "createSchedule",
    ask: (ask) => ask("POST", "/schedules", { id: "nightly", cron: "0 3 * * *", created_by: "ana" }),
    told: () => "schedule.created nightly",
    refused: (ask) => ask("POST", "/schedules", { id: "nightly", cron: "0 4 * * *", created_by: "ana" }),
  },
  {
    operation: "updateSchedule",
    ask: (ask) => ask("PATCH", "/schedules/nightly", { cron: "0 4 * * *", updated_by: "ana" }, { "If-Match": '"1"' }),
    told: () => "schedule.changed nightly",
    refused: (ask) =>
      ask("PATCH", "/schedules/nightly", { cron: "0 5 * * *", updated_by: "ana" }, { "If-Match": '"1"' }),
  },
  {
    operation: "deleteSchedule",
    ask: (ask) => ask("DELETE", "/schedules/nightly"),
    told: () => "schedule.deleted nightly",
    refused: (ask) => ask("DELETE", "/schedules/nightly"),
  },
  {
    operation: "createExemption",
    ask: (ask) => ask("POST", "/exemptions", EXEMPTION),
    told: ({ exemption }) => `exemption.added ${exemption}`,
    refused: (ask) => ask("POST", "/exemptions", { ...EXEMPTION, expires_at: IN_A_YEAR }),
  },
  {
    operation: "updateExemption",
    ask: (ask, { exemption }) =>
      ask("PATCH", `/exemptions/${exemption}`, { ticket: "GOV-1", changed_by: "ana" }, { "If-Match": '"1"' }),
    told: ({ exemption }) => `exemption.changed ${exemption}`,
    refused: (ask, { exemption }) =>
      ask("PATCH", `/exemptions/${exemption}`, { ticket: "GOV-2", changed_by: "ana" }, { "If-Match": '"1"' }),
  },
  {
    operation: "revokeExemption",
    ask: (ask, { exemption }) => ask("POST", `/exemptions/${exemption}/revoke`, { revoked_by: "ana" }),
    told: ({ exemption }) => `exemption.revoked ${exemption}`,
    refused: (ask, { exemption }) => ask("POST", `/exemptions/${exemption}/revoke`, { revoked_by: "ana" }),
  },
  {
    operation: "pauseRemediation",
    ask: (ask) => ask("POST", "/remediation/pause", { paused_by: "ana", reason: "INC-1" }),
    told: ({ pause }) => `remediation.paused ${pause}`,
    refused: (ask) => ask("POST", "/remediation/pause", { paused_by: "bo" }),
  },
  {
    operation: "resumeRemediation",
    ask: (ask) => ask("POST", "/remediation/resume", { resumed_by: "ana" }),
    told: ({ pause }) => `remediation.resumed ${pause}`,
    refused: (ask) => ask("POST", "/remediation/resume", { resumed_by: "bo" }),
  },
];

describeOnBoth("the audit log and the API, on %s", (kind) => {
  let opened: Awaited<ReturnType<typeof openTestDatabase>>;
  let app: ReturnType<typeof openApp>["app"];
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
    const { database } = opened;
    const asked = { members: null, confirm_all: false, trigger: "api", requested_by: "api" } as const;
    app = openApp(database, {
      now: () => after(10),
      requestScan: async (wish, by) => {
        if (wish.regions) throw new UsageError("Amazon Personalize is not offered in region mars-1.");
        const targets = [{ partition: "aws", account_id: "111122223333", region: "us-east-1" }];
        const made = await createScan(
          database,
          { ...asked, requested_by: by, targets, types: ["campaign"] },
          after(10),
        );
        if (!made) throw new Error("no scan");
        return { scan_id: made.scan.id, deduplicated: made.deduplicated };
      },
    }).app;
  });
  afterAll(() => opened.close());

  const ask: Ask = async (method, path, body, headers = {}) =>
    app.request(`/api/v1${path}`, {
      method,
      headers: body === undefined ? headers : { "Content-Type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });

  test("every operation that changes something is in the list of this test", async () => {
    const described = (await (await app.request("/openapi.json")).json()) as {
      paths: Record<string, Record<string, { operationId: string }>>;
    };
    const changing = Object.values(described.paths).flatMap((operations) =>
      Object.entries(operations).flatMap(([method, { operationId }]) => (method === "get" ? [] : operationId)),
    );
    expect([...CASES.map(({ operation }) => operation), ...ELSEWHERE].toSorted()).toEqual(
      changing.filter((operation) => !TELLS_ONLY.includes(operation)).toSorted(),
    );
  });

  test("what is done has exactly one entry, and what is refused, or was so before, none", async () => {
    const { database } = opened;
    const told = listener(database);
    const world = (fixed: number, hours: number) =>
      Array.from({ length: 100 }, (_, index) =>
        read(resourceOf(`c-${index}`), index < fixed ? { Owner: "a", Env: "dev" } : { Env: "dev" }, {
          source: "index",
          read_at: after(hours),
        }),
      );
    await scan(database, world(0, 0));
    const held = (await scan(database, world(60, 1), { at: after(1) })).scan_id;
    const made: Made = { exemption: "", scan: "", held, held_again: "", pause: "" };
    for (const one of CASES) {
      if (one.operation === "rejectScanHeld") {
        await scan(database, world(0, 2), { at: after(2) });
        made.held_again = (await scan(database, world(60, 3), { at: after(3) })).scan_id;
      }
      await told();
      const response = await one.ask(ask, made);
      expect(response.status, one.operation).toBeLessThan(300);
      const entries = await told();
      const body = (response.status === 204 ? {} : await response.json()) as { id?: string; scan_id?: string };
      if (one.operation === "createExemption") made.exemption = body.id ?? "";
      if (one.operation === "createScan") made.scan = body.scan_id ?? "";
      if (one.operation === "pauseRemediation") made.pause = entries[0]?.split(" ")[1] ?? "";
      expect(entries, one.operation).toEqual([one.told(made)]);
      const again = await one.refused(ask, made);
      if (again.ok) expect(await again.json(), one.operation).toMatchObject({ changed: false });
      expect(await told(), `${one.operation}, refused`).toEqual([]);
    }
    expect((await verifyAudit(database)).fault).toBeNull();
  });

  test("the list has every entry, filtered and page by page, and never the value of a tag", async () => {
    const seen: { action: string; actor: string; position: number }[] = [];
    let token = "";
    do {
      const page = (await (await ask("GET", `/audit?page_size=5${token}`)).json()) as {
        items: typeof seen;
        next_page_token: string | null;
      };
      seen.push(...page.items);
      token = page.next_page_token === null ? "" : `&page_token=${page.next_page_token}`;
    } while (token !== "");
    expect(seen.map(({ position }) => position)).toEqual(
      Array.from({ length: CASES.length }, (_, n) => CASES.length - n),
    );
    const some = (await (await ask("GET", "/audit?action=schedule.created,remediation.paused&actor=ana")).json()) as {
      items: typeof seen;
      total: unknown;
    };
    expect(some.items.map(({ action }) => action)).toEqual(["remediation.paused", "schedule.created"]);
    expect(some.total).toEqual({ count: 2, type: "EXACT" });
    expect((await ask("GET", "/audit?action=plan.aproved")).status).toBe(400);
  });

  test("the forms of the dashboard are told of as the API is", async () => {
    const told = listener(opened.database);
    await told();
    const post = (path: string) =>
      app.request(path, { method: "POST", body: new URLSearchParams(), headers: { Origin: "http://localhost" } });
    const [, id = ""] = /scans\/([^?]+)/.exec((await post("/scans")).headers.get("Location") ?? "") ?? [];
    expect(await told()).toEqual([`scan.requested ${id}`]);
    await post(`/scans/${id}/cancel`);
    expect(await told()).toEqual([`scan.cancelled ${id}`]);
    await post(`/scans/${id}/cancel`);
    expect(await told()).toEqual([]);
  });
});
