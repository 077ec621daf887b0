import { afterAll, beforeAll, expect, test } from "vitest";
import { parseConfigFile } from "../../src/config.ts";
import type { FileExemption } from "../../src/exemptions/check.ts";
import { followFiles } from "../../src/exemptions/store.ts";
import { activateSet } from "../../src/findings/activate.ts";
import { followConfig } from "../../src/scan/schedules/follow-config.ts";
import { policySet } from "../findings/world.ts";
import { describeOnBoth, openTestDatabase } from "../support/database.ts";
import { askedFor, exemptNow } from "../support/exemptions.ts";
import { listener } from "./told.ts";

describeOnBoth("the audit log and what files say, on %s", (kind) => {
  let opened: Awaited<ReturnType<typeof openTestDatabase>>;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
  });
  afterAll(() => opened.close());

  test("each exemption that a file adds, changes, moves or takes back has one entry, and what it says again none", async () => {
    const told = listener(opened.database);
    const terms = askedFor({ key: "Owner" });
    const said = (id: string, more: Partial<FileExemption> = {}): FileExemption => ({
      ...terms,
      id,
      file: "exemptions.yaml",
      line: 3,
      column: 5,
      ...more,
    });
    const follow = async (...entries: FileExemption[]) => {
      await followFiles(opened.database, entries, { folder: ".", actor: "ana" });
      return told();
    };
    const moved = said("b", { file: "more.yaml" });
    expect(await follow(said("a"), said("b"))).toEqual(["exemption.added a", "exemption.added b"]);
    expect(await follow(said("a"), said("b"))).toEqual([]);
    expect(await follow(said("a", { reason: "another reason" }), said("b"))).toEqual(["exemption.changed a"]);
    expect(await follow(said("a", { reason: "another reason" }), moved)).toEqual(["exemption.changed b"]);
    expect(await follow(moved)).toEqual(["exemption.revoked a"]);
    expect(await follow(said("a"), moved)).toEqual(["exemption.changed a"]);
    await followFiles(opened.database, [], { folder: ".", actor: "ana", dry_run: true });
    expect(await told()).toEqual([]);
  });

  test("each schedule of the configuration that comes, changes or goes has one entry", async () => {
    const told = listener(opened.database);
    await told();
    const follow = async (text: string) => {
      await followConfig(opened.database, parseConfigFile("t.yaml", text).schedules, () => {});
      return told();
    };
    const schedules = (...lines: string[]) => `schedules:\n${lines.map((line) => `  - ${line}\n`).join("")}`;
    const nightly = '{id: nightly, cron: "30 2 * * *"}';
    const weekly = '{id: weekly, cron: "0 5 * * 1"}';
    expect(await follow(schedules(nightly, weekly))).toEqual(["schedule.created nightly", "schedule.created weekly"]);
    expect(await follow(schedules(nightly, weekly))).toEqual([]);
    expect(await follow(schedules(nightly.replace("30", "40"), weekly))).toEqual(["schedule.changed nightly"]);
    expect(await follow("schedules: []\n")).toEqual(["schedule.deleted nightly", "schedule.deleted weekly"]);
  });

  test("an activation has one entry, and each exemption that follows the new name of its rule another", async () => {
    const { database } = opened;
    await activateSet(database, policySet("{id: owner, key: Owner, required: true}"), "ana", new Date());
    const id = await exemptNow(database, { policy_id: "p", rule_id: "owner" });
    const told = listener(database);
    await told();
    const set = policySet("{id: team, formerly: [owner], key: Owner, required: true}");
    await activateSet(database, set, "ana", new Date());
    expect(await told()).toEqual([`policies.activated ${set.id}`, `exemption.changed ${id}`]);
    await activateSet(database, set, "ana", new Date());
    expect(await told()).toEqual([]);
  });
});
