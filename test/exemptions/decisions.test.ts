import { eq, sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { OpenDatabase } from "../../src/db/client.ts";
import { exemption_events, exemptions } from "../../src/exemptions/schema.ts";
import { changeExemption, createExemption, exemptionHistory, revokeExemption } from "../../src/exemptions/store.ts";
import { exemption, exemptionsPage } from "../../src/reports/db/exemptions.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";
import { askedFor, exemptNow, expireNow } from "../support/exemptions.ts";
import { seeder } from "../reports/seed.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const BY = { version: null, actor: "eve@example.com" };
const inDays = (days: number) => new Date(Date.now() + days * DAY);
/** The end of the 180th day after today, in UTC. */
const latest = () => new Date((Math.floor(Date.now() / DAY) + 181) * DAY);

describeOnBoth("decisions about exemptions, on %s", (kind) => {
  let opened: OpenDatabase;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
  });
  afterAll(() => opened.close());
  beforeEach(() => emptyTables(opened.database));

  const make = (asked: Parameters<typeof askedFor>[1], scope = { rule_id: "owner" }) =>
    createExemption(opened.database, askedFor(scope, asked), { source: "api", actor: "ana@example.com" });
  const stored = async (id: string) => (await exemption(opened.database, id))!;

  test("who decided what, and when, is kept for ever", async () => {
    const { database } = opened;
    const id = await exemptNow(database, { rule_id: "owner", accounts: ["111122223333"] });
    const first = await stored(id);
    await changeExemption(database, id, { reason: "moved to summer", ticket: null }, BY);
    const later = inDays(30);
    await changeExemption(database, id, { expires_at: later, approved_by: "cy@example.com" }, BY);
    await revokeExemption(database, id, { actor: "bo@example.com", note: "tagged by now" });

    expect(await exemptionHistory(database, id)).toMatchObject([
      {
        event: "created",
        actor: "ana@example.com",
        version: 1,
        before: null,
        after: { rule_id: "owner", accounts: ["111122223333"], approved_by: "bo@example.com", ticket: "GOV-12" },
      },
      {
        event: "changed",
        actor: "eve@example.com",
        version: 2,
        before: { reason: first.reason, ticket: "GOV-12" },
        after: { reason: "moved to summer", ticket: null },
      },
      {
        event: "changed",
        version: 3,
        before: { expires_at: first.expires_at.toISOString(), approved_by: "bo@example.com" },
        after: { expires_at: later.toISOString(), approved_by: "cy@example.com", requested_by: "eve@example.com" },
      },
      { event: "revoked", actor: "bo@example.com", version: 4, before: null, after: null, note: "tagged by now" },
    ]);
    expect(await stored(id)).toMatchObject({ status: "revoked", version: 4, revoked_by: "bo@example.com" });
  });

  test("a change that changes nothing is none", async () => {
    const id = await exemptNow(opened.database, { rule_id: "owner" });
    const { reason, expires_at } = await stored(id);
    await changeExemption(opened.database, id, { reason, expires_at }, BY);
    expect(await stored(id)).toMatchObject({ version: 1 });
    expect(await exemptionHistory(opened.database, id)).toHaveLength(1);
  });

  test.each([
    ["the end of the 180th day", () => latest(), null],
    ["a moment later", () => new Date(latest().getTime() + 1), "lasts more than 180 days"],
    ["a moment ago", () => new Date(Date.now() - 1), "has ended at"],
  ])("begun now, it may end at %s", async (_, expires_at, problem) => {
    const decided = await make({ expires_at: expires_at() });
    if (problem === null) expect(decided.outcome).toBe("done");
    else
      expect(decided).toMatchObject({
        problems: [{ field: "expires_at", message: expect.stringContaining(problem) as string }],
      });
    expect(await opened.database.select().from(exemptions)).toHaveLength(problem === null ? 1 : 0);
  });

  test("one that is to begin later counts its days from then", async () => {
    const starts_at = inDays(90);
    expect(await make({ starts_at, expires_at: inDays(269) })).toMatchObject({ outcome: "done" });
    expect(await make({ starts_at, expires_at: inDays(272) })).toMatchObject({ outcome: "invalid" });
    expect(await make({ starts_at, expires_at: inDays(89) })).toMatchObject({
      problems: [{ message: expect.stringContaining("before it begins") as string }],
    });
  });

  test("an exemption of everything is refused", async () => {
    expect(await make({}, {} as never)).toMatchObject({ outcome: "invalid", problems: [{ field: "scope" }] });
  });

  test("the table itself lets none last longer, end before it begins, or be revoked by nobody", async () => {
    const id = await exemptNow(opened.database, { rule_id: "owner" });
    const set = (change: Record<string, ReturnType<typeof sql> | Date>) =>
      opened.database.update(exemptions).set(change).where(eq(exemptions.id, id));
    const refused = (constraint: string) => ({ cause: { message: expect.stringContaining(constraint) as string } });
    await expect(set({ expires_at: new Date(latest().getTime() + 1) })).rejects.toMatchObject(
      refused("at_most_180_days"),
    );
    await expect(set({ expires_at: sql`starts_at` })).rejects.toMatchObject(refused("end_after_they_begin"));
    await expect(set({ revoked_at: new Date() })).rejects.toMatchObject(refused("revoked_by_someone"));
    await set({ expires_at: latest() });
  });

  test("to end later needs somebody who accepts that, and begins anew with exactly the end asked for", async () => {
    const { database } = opened;
    const id = await exemptNow(database, { rule_id: "owner" }, { expires_at: inDays(100) });
    await database
      .update(exemptions)
      .set({ starts_at: inDays(-79) })
      .where(eq(exemptions.id, id));
    const end = inDays(170);
    expect(await changeExemption(database, id, { expires_at: end }, BY)).toEqual({ outcome: "unapproved" });
    await changeExemption(database, id, { expires_at: end, approved_by: "cy@example.com" }, BY);
    const row = await stored(id);
    expect(row).toMatchObject({
      expires_at: end,
      approved_by: "cy@example.com",
      requested_by: "eve@example.com",
      status: "active",
    });
    expect(row.starts_at.getTime()).toBeGreaterThan(Date.now() - HOUR);
    const too_long = { expires_at: inDays(200), approved_by: "cy@example.com" };
    expect(await changeExemption(database, id, too_long, BY)).toMatchObject({ outcome: "invalid" });
    expect((await stored(id)).expires_at).toEqual(end);
  });

  test("to end earlier needs nobody, and leaves its beginning", async () => {
    const id = await exemptNow(opened.database, { rule_id: "owner" }, { expires_at: inDays(100) });
    const { starts_at } = await stored(id);
    const end = inDays(1);
    await changeExemption(opened.database, id, { expires_at: end }, BY);
    expect(await stored(id)).toMatchObject({ starts_at, expires_at: end, approved_by: "bo@example.com" });
    const needless = { expires_at: end, approved_by: "cy@example.com" };
    expect(await changeExemption(opened.database, id, needless, BY)).toMatchObject({
      problems: [{ field: "approved_by" }],
    });
    expect(await changeExemption(opened.database, id, { expires_at: inDays(-1) }, BY)).toMatchObject({
      outcome: "invalid",
    });
  });

  test("extended after it expired, it covers again from now on, until exactly the end asked for", async () => {
    const { database } = opened;
    const seed = seeder(database);
    await seed.finding(await seed.resource(), { rule_id: "owner" });
    const id = await exemptNow(database, { rule_id: "owner" });
    await expireNow(database, id);
    expect(await stored(id)).toMatchObject({
      status: "expired",
      covered_findings: 0,
      unused: false,
      expires_in_days: null,
    });
    const end = inDays(7);
    await changeExemption(database, id, { expires_at: end, approved_by: "cy@example.com" }, BY);
    expect(await stored(id)).toMatchObject({ status: "active", expires_at: end, covered_findings: 1, version: 2 });
  });

  test("one that has not begun is pending, covers nothing, and begins when it was to when it is extended", async () => {
    const { database } = opened;
    const seed = seeder(database);
    await seed.finding(await seed.resource(), { rule_id: "owner" });
    const starts_at = inDays(2);
    const id = await exemptNow(database, { rule_id: "owner" }, { starts_at, expires_at: inDays(3) });
    expect(await stored(id)).toMatchObject({ status: "pending", covered_findings: 0, unused: false });
    await changeExemption(database, id, { expires_at: inDays(9), approved_by: "cy@example.com" }, BY);
    expect(await stored(id)).toMatchObject({ status: "pending", starts_at });
  });

  test("what cannot be changed says why", async () => {
    const { database } = opened;
    const id = await exemptNow(database, { rule_id: "owner" });
    expect(await changeExemption(database, "none", { reason: "x" }, BY)).toEqual({ outcome: "not_found" });
    expect(await changeExemption(database, id, { reason: "x" }, { ...BY, version: 7 })).toEqual({
      outcome: "stale",
      version: 1,
    });
    await revokeExemption(database, id, { actor: "bo@example.com", note: null });
    expect(await revokeExemption(database, id, { actor: "bo@example.com", note: null })).toMatchObject({
      outcome: "revoked",
    });
    expect(await changeExemption(database, id, { reason: "x" }, BY)).toMatchObject({ outcome: "revoked" });

    const expired = await exemptNow(database, { rule_id: "owner" });
    await expireNow(database, expired);
    expect(await revokeExemption(database, expired, { actor: "bo@example.com", note: null })).toMatchObject({
      outcome: "expired",
    });
    await seeder(database).exemption({ id: "poc", source: "file", file: "exemptions.yaml", rule_id: "owner" });
    const of_file = { outcome: "of_file", file: "exemptions.yaml" };
    expect(await changeExemption(database, "poc", { reason: "x" }, BY)).toEqual(of_file);
    expect(await revokeExemption(database, "poc", { actor: "bo@example.com", note: null })).toEqual(of_file);
  });

  test("changes at the same time follow each other, and no version is lost", async () => {
    const id = await exemptNow(opened.database, { rule_id: "owner" });
    const reasons = Array.from({ length: 8 }, (_, n) => `reason ${n}`);
    const all = await Promise.all(
      reasons.map((reason) => changeExemption(opened.database, id, { reason }, { ...BY, version: 1 })),
    );
    expect(all.filter(({ outcome }) => outcome === "done")).toHaveLength(1);
    expect(all.filter(({ outcome }) => outcome === "stale")).toHaveLength(7);
    expect(await opened.database.select().from(exemption_events)).toHaveLength(2);
  });

  test("the list has what is not over, the one that ends first first, and narrows by what is asked", async () => {
    const { database } = opened;
    const seed = seeder(database);
    await seed.finding(await seed.resource({ name: "one" }));
    const used = await exemptNow(database, { policy_id: "cost", names: ["one"] }, { expires_at: inDays(40) });
    const soon = await exemptNow(database, { rule_id: "owner", accounts: ["111122223333"] }, { expires_at: inDays(3) });
    const pending = await exemptNow(database, { rule_id: "owner" }, { starts_at: inDays(1), expires_at: inDays(20) });
    const expired = await exemptNow(database, { policy_id: "cost" });
    await expireNow(database, expired);
    const revoked = await exemptNow(database, { policy_id: "cost" }, { expires_at: inDays(50) });
    await revokeExemption(database, revoked, { actor: "bo", note: null });

    const ids = async (filters: Parameters<typeof exemptionsPage>[1]) =>
      (await exemptionsPage(database, filters)).items.map(({ id }) => id);
    expect(await ids({})).toEqual([soon, pending, used]);
    expect(await ids({ status: ["all"] })).toEqual([expired, soon, pending, used, revoked]);
    expect(await ids({ status: ["expired", "revoked"] })).toEqual([expired, revoked]);
    expect(await ids({ unused: true })).toEqual([soon]);
    expect(await ids({ unused: false, status: ["active"] })).toEqual([used]);
    expect(await ids({ expiring_within_days: 14 })).toEqual([soon]);
    expect(await ids({ expiring_within_days: 2 })).toEqual([]);
    expect(await ids({ policy_id: ["cost"] })).toEqual([used]);
    expect(await ids({ rule_id: ["owner", "x"] })).toEqual([soon, pending]);
    expect(await ids({ account_id: ["111122223333"] })).toEqual([soon]);

    const first = await exemptionsPage(database, {}, { page_size: 2 });
    const rest = await exemptionsPage(database, {}, { page_size: 2, page_token: first.next_page_token! });
    expect([...first.items, ...rest.items].map(({ id }) => id)).toEqual([soon, pending, used]);
    expect(first.total).toEqual({ count: 3, type: "EXACT" });
    expect((await stored(soon)).expires_in_days).toBe(2);
  });
});
