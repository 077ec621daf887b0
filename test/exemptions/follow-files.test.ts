import { eq, sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { OpenDatabase } from "../../src/db/client.ts";
import { rowsOf } from "../../src/db/rows.ts";
import type { FileExemption } from "../../src/exemptions/check.ts";
import { describeFileChanges } from "../../src/exemptions/file-changes.ts";
import { exemptions } from "../../src/exemptions/schema.ts";
import { exemptionHistory, followFiles } from "../../src/exemptions/store.ts";
import { exemption, exemptionsPage } from "../../src/reports/db/exemptions.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";
import { askedFor, exemptNow, expireNow } from "../support/exemptions.ts";

const DAY = 24 * 3_600_000;
const inDays = (days: number) => new Date(Date.now() + days * DAY);
const ABOUT = { folder: "policies", actor: "arn:aws:iam::111122223333:role/tagwarden" };

/** An exemption as a file says it. */
const said = (id: string, more: Partial<FileExemption> = {}): FileExemption => ({
  ...askedFor({ rule_id: "owner" }, { expires_at: inDays(30) }),
  id,
  file: "exemptions.yaml",
  line: 3,
  column: 5,
  ...more,
});

describeOnBoth("what files of exemptions say, brought into the database, on %s", (kind) => {
  let opened: OpenDatabase;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
  });
  afterAll(() => opened.close());
  beforeEach(() => emptyTables(opened.database));

  const follow = async (...entries: FileExemption[]) =>
    describeFileChanges(await followFiles(opened.database, entries, ABOUT));
  const stored = async (id: string) => (await exemption(opened.database, id))!;
  const events = async (id: string) =>
    (await exemptionHistory(opened.database, id)).map(({ event, note }) =>
      note === null ? event : `${event}: ${note}`,
    );

  test("what is new is recorded under its own id, and the same again changes nothing", async () => {
    const entries = [said("poc"), said("legacy", { arns: ["arn:aws:personalize:*:campaign/a"], starts_at: inDays(1) })];
    expect(await follow(...entries)).toBe("2 new (poc, legacy)");
    expect(await stored("poc")).toMatchObject({
      source: "file",
      file: "exemptions.yaml",
      status: "active",
      version: 1,
    });
    expect(await stored("legacy")).toMatchObject({ status: "pending" });
    const versions = () => rowsOf(opened.database, sql`select xmin::text, e::text from exemptions e order by id`);
    const before = await versions();
    expect(await follow(...entries)).toBe("");
    expect(await versions()).toEqual(before);
    expect(await exemptionHistory(opened.database, "poc")).toMatchObject([{ event: "created", actor: ABOUT.actor }]);
  });

  test("what changed is changed, with what was before", async () => {
    const { expires_at } = said("poc");
    await follow(said("poc", { expires_at }));
    expect(await follow(said("poc", { expires_at, reason: "later", key: "Owner" }))).toBe("1 changed (poc)");
    expect(await stored("poc")).toMatchObject({ reason: "later", key: "Owner", version: 2 });
    expect((await exemptionHistory(opened.database, "poc"))[1]).toMatchObject({
      event: "changed",
      before: { key: null, reason: said("poc").reason },
      after: { key: "Owner", reason: "later" },
    });
  });

  test("lists in another order, and the same in another file, are no change", async () => {
    const { expires_at } = said("poc");
    await follow(said("poc", { expires_at, accounts: ["111122223333", "444455556666"] }));
    const same = said("poc", { expires_at, accounts: ["444455556666", "111122223333"], file: "team/exemptions.yaml" });
    expect(await follow(same)).toBe("");
    expect(await stored("poc")).toMatchObject({ version: 1, file: "team/exemptions.yaml" });
    expect(await events("poc")).toEqual(["created"]);
  });

  test("what no file says any more is revoked; said again, it covers again from now on", async () => {
    await follow(said("poc"), said("other"));
    expect(await follow(said("other"))).toMatch(/1 revoked \(poc\)/);
    expect(await stored("poc")).toMatchObject({ status: "revoked", revoked_by: ABOUT.actor });
    expect(await follow(said("other"))).not.toMatch(/poc/);
    expect(await follow(said("other"), said("poc"))).toMatch(/1 said again \(poc\)/);
    expect(await stored("poc")).toMatchObject({ status: "active", version: 3, revoked_at: null });
    expect(await events("poc")).toEqual(["created", "revoked: exemptions.yaml does not say it any more", "restored"]);
  });

  test("extended, also after it expired, it begins anew and ends exactly when asked", async () => {
    await follow(said("poc", { expires_at: inDays(2) }));
    await opened.database
      .update(exemptions)
      .set({ starts_at: inDays(-100) })
      .where(eq(exemptions.id, "poc"));
    const longer = inDays(120);
    await follow(said("poc", { expires_at: longer }));
    expect(await stored("poc")).toMatchObject({ expires_at: longer, status: "active" });
    expect((await stored("poc")).starts_at.getTime()).toBeGreaterThan(Date.now() - DAY);

    await expireNow(opened.database, "poc");
    expect((await stored("poc")).status).toBe("expired");
    const end = inDays(150);
    await follow(said("poc", { expires_at: end }));
    expect(await stored("poc")).toMatchObject({ expires_at: end, status: "active" });
  });

  test("what has expired does nothing: it is not recorded, and left as it was when it is taken out", async () => {
    expect(await follow(said("old", { expires_at: inDays(-1) }))).toBe("");
    expect(await exemption(opened.database, "old")).toBeNull();
    const entry = said("poc");
    await follow(entry);
    await expireNow(opened.database, "poc");
    const { expires_at } = await stored("poc");
    expect(await follow({ ...entry, expires_at })).toBe("");
    expect(await follow()).toBe("");
    expect(await events("poc")).toEqual(["created"]);
  });

  test("an end that is moved into the past ends it", async () => {
    await follow(said("poc"), said("began-before"));
    await opened.database
      .update(exemptions)
      .set({ starts_at: inDays(-10) })
      .where(eq(exemptions.id, "began-before"));
    await follow(said("poc", { expires_at: inDays(-1) }), said("began-before", { expires_at: inDays(-1) }));
    expect((await stored("began-before")).status).toBe("expired");
    expect((await stored("poc")).status).toBe("revoked");
    expect((await events("poc")).at(-1)).toBe("revoked: exemptions.yaml lets it end before it began");
  });

  test("a beginning that is taken away is now", async () => {
    const { expires_at } = said("poc");
    await follow(said("poc", { expires_at, starts_at: inDays(3) }));
    expect((await stored("poc")).status).toBe("pending");
    await follow(said("poc", { expires_at }));
    expect((await stored("poc")).status).toBe("active");
  });

  test("those made through the API stay, and their ids are taken: then nothing at all is recorded", async () => {
    const id = await exemptNow(opened.database, { rule_id: "owner" });
    await follow();
    expect((await stored(id)).status).toBe("active");
    await expect(follow(said("poc"), said(id, { line: 12 }))).rejects.toThrow(
      `policies/exemptions.yaml:12:5: the exemption id \`${id}\` is taken by one that was made through the API`,
    );
    expect((await exemptionsPage(opened.database)).items.map((item) => item.id)).toEqual([id]);
  });

  test("a dry run says the same and does nothing", async () => {
    const changes = await followFiles(opened.database, [said("poc")], { ...ABOUT, dry_run: true });
    expect(describeFileChanges(changes)).toBe("1 new (poc)");
    expect((await exemptionsPage(opened.database)).items).toEqual([]);
  });

  test("two that bring the same at the same time bring it once", async () => {
    const poc = said("poc");
    await Promise.all([1, 2, 3].map(() => follow(poc)));
    expect(await events("poc")).toEqual(["created"]);
  });
});
