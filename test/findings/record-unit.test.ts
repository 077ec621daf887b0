import { eq } from "drizzle-orm";
import * as fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Database, OpenDatabase } from "../../src/db/client.ts";
import { resolveRepaired } from "../../src/findings/db/repaired.ts";
import { UnitRecorder } from "../../src/findings/store.ts";
import type { Observation } from "../../src/inventory/resource.ts";
import { resources, scan_units, service_readings, units } from "../../src/inventory/schema.ts";
import { activateSet } from "../../src/findings/activate.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";
import {
  after,
  ended,
  ENV,
  events,
  findingsByName,
  fold,
  gone,
  judged,
  LIMITS,
  newScan,
  OWNER,
  policySet,
  read,
  resourceOf,
  scan,
  SET,
  snapshot,
  START,
  story,
  UNIT,
  unread,
} from "./world.ts";

const web = resourceOf("web");
const shop = resourceOf("shop");
const GOOD = { Owner: "a", Env: "dev" };
const NO_OWNER = { Env: "dev" };

describeOnBoth("on %s", (kind) => {
  let opened: OpenDatabase;
  let database: Database;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
    database = opened.database;
  });
  afterAll(() => opened.close());
  beforeEach(() => emptyTables(database));

  describe("the life of a finding", () => {
    test("1: observed failing for the first time, it opens", async () => {
      expect(await scan(database, [read(web, NO_OWNER)])).toMatchObject({ opened: 1, state: "complete" });
      expect((await findingsByName(database))["web/owner"]).toMatchObject({
        state: "open",
        kind: "missing",
        severity: "high",
        key: "Owner",
        policy_id: "p",
        opened_at: START,
        opened_cause: "observed",
        source: "service",
        reopen_count: 0,
      });
      expect(await story(database)).toEqual(["opened/observed"]);
    });

    test("2, I7: scanning twice with nothing changed writes no row of resources, findings or events", async () => {
      const world = [read(web, NO_OWNER), read(shop, GOOD), unread(resourceOf("dark")), gone(resourceOf("never"))];
      await scan(database, world, { outcome: { state: "partial" } });
      const before = await snapshot(database);
      const second = await scan(database, world, { at: after(1), outcome: { state: "partial" } });
      expect(second).toMatchObject({ opened: 0, changed: 0, resolved: 0, unchanged: 1 });
      expect(await snapshot(database)).toBe(before);
    });

    test("3: still failing, but otherwise, it changes and stays open", async () => {
      await scan(database, [read(web, { Owner: "a", Env: "x" })]);
      expect(await scan(database, [read(web, { Owner: "a", environment: "dev" })], { at: after(1) })).toMatchObject({
        changed: 1,
      });
      expect((await findingsByName(database))["web/env"]).toMatchObject({
        state: "open",
        kind: "variant",
        opened_at: START,
      });
      expect(await story(database)).toEqual(["opened/observed", "changed/kind, detail"]);
    });

    test("4: failing again after it was fixed, it regresses: the same finding, opened again", async () => {
      await scan(database, [read(web, NO_OWNER)]);
      await scan(database, [read(web, GOOD, { read_at: after(1) })], { at: after(1) });
      expect(await scan(database, [read(web, NO_OWNER, { read_at: after(2) })], { at: after(2) })).toMatchObject({
        reopened: 1,
      });
      const found = await findingsByName(database);
      expect(Object.keys(found)).toEqual(["web/owner"]);
      expect(found["web/owner"]).toMatchObject({
        state: "open",
        opened_cause: "regressed",
        reopen_count: 1,
        first_opened_at: START,
        opened_at: after(2),
        resolved_at: null,
      });
      expect(await story(database)).toEqual(["opened/observed", "resolved/fixed_observed", "reopened/regressed"]);
    });

    test("5: failing again after its resource was gone, it returned, which is nobody's regression", async () => {
      await scan(database, [read(web, NO_OWNER)]);
      await scan(database, [gone(web)], { at: after(1) });
      await scan(database, [read(web, NO_OWNER)], { at: after(2) });
      expect(await story(database)).toEqual(["opened/observed", "resolved/resource_gone", "reopened/returned"]);
      const [row] = await database.select().from(resources);
      expect(row).toMatchObject({ gone_at: null, absences: 0, first_seen_at: START });
    });

    test("6: failing again after its rule was away, the rule was restored", async () => {
      await activateSet(database, SET, "me", START);
      await scan(database, [read(web, NO_OWNER)]);
      await activateSet(database, policySet(ENV), "me", after(1));
      await activateSet(database, SET, "me", after(2));
      expect(await story(database)).toEqual(["opened/observed", "resolved/rule_removed", "reopened/rule_restored"]);
    });

    test("7: observed passing, it resolves", async () => {
      await scan(database, [read(web, NO_OWNER)]);
      expect(await scan(database, [read(web, GOOD, { read_at: after(1) })], { at: after(1) })).toMatchObject({
        resolved: 1,
      });
      expect((await findingsByName(database))["web/owner"]).toMatchObject({
        state: "resolved",
        resolution: "fixed_observed",
        resolved_at: after(1),
      });
    });

    test("8: what passes leaves no finding, only its inventory row", async () => {
      await scan(database, [read(web, GOOD)]);
      expect(await findingsByName(database)).toEqual({});
      expect(await database.select().from(resources)).toMatchObject([{ arn: web.arn, standing: "judged", tags: GOOD }]);
    });

    test("9: absent from two complete scans in a row, the resource is gone", async () => {
      await scan(database, [read(web, NO_OWNER), read(shop, GOOD)]);
      expect(await scan(database, [read(shop, GOOD)], { at: after(1) })).toMatchObject({ resolved: 0 });
      expect((await findingsByName(database))["web/owner"]?.state).toBe("open");
      expect(await scan(database, [read(shop, GOOD)], { at: after(2) })).toMatchObject({ resolved: 1 });
      expect((await findingsByName(database))["web/owner"]).toMatchObject({ resolution: "resource_gone" });
      const before = await snapshot(database);
      await scan(database, [read(shop, GOOD)], { at: after(3) });
      expect(await snapshot(database)).toBe(before);
    });

    test("9: absent, listed, absent is not gone", async () => {
      await scan(database, [read(web, NO_OWNER), read(shop, GOOD)]);
      await scan(database, [read(shop, GOOD)], { at: after(1) });
      await scan(database, [read(web, NO_OWNER), read(shop, GOOD)], { at: after(2) });
      await scan(database, [read(shop, GOOD)], { at: after(3) });
      expect((await findingsByName(database))["web/owner"]?.state).toBe("open");
    });

    test("9: when the service says NotFound, it is gone at once", async () => {
      await scan(database, [read(web, NO_OWNER)]);
      expect(await scan(database, [gone(web)], { at: after(1) })).toMatchObject({ resolved: 1, unchanged: 0 });
      expect((await findingsByName(database))["web/owner"]).toMatchObject({
        resolution: "resource_gone",
        source: "service",
      });
    });

    test("10: absent from the index alone, it stays open", async () => {
      await scan(database, [read(web, NO_OWNER)]);
      await scan(database, [read(web, NO_OWNER, { in_index: false })], { at: after(1) });
      expect((await findingsByName(database))["web/owner"]?.state).toBe("open");
      expect(await database.select().from(resources)).toMatchObject([{ in_index: false, absences: 0 }]);
    });

    test.each(["partial", "denied", "failed"] as const)(
      "11: a unit that is %s opens and changes, and closes nothing",
      async (state) => {
        const dark = resourceOf("dark");
        await scan(database, [read(web, NO_OWNER), read(shop, { ...GOOD, Env: "x" }), read(dark, NO_OWNER)]);
        const listed = state === "partial";
        const seen = [
          read(web, GOOD, { read_at: after(1) }),
          read(shop, { Owner: "a" }, { read_at: after(1) }),
          read(resourceOf("new"), NO_OWNER),
        ];
        const first = await scan(database, [...seen, gone(dark)], { at: after(1), outcome: { state, listed } });
        expect(first).toMatchObject({ state, opened: 1, changed: 1, resolved: 0, unchanged: 2 });
        await scan(database, seen, { at: after(2), outcome: { state, listed } });
        const found = Object.values(await findingsByName(database)).map((finding) => finding.state);
        expect(found).toEqual(["open", "open", "open", "open"]);
        expect(await story(database)).not.toContain("resolved/fixed_observed");
        // The fix was seen, and counts as soon as the unit is complete again.
        await scan(database, [...seen, read(dark, NO_OWNER)], { at: after(3) });
        expect((await findingsByName(database))["web/owner"]).toMatchObject({ resolution: "fixed_observed" });
      },
    );

    test("11: an incomplete unit says so, and when it last was complete", async () => {
      await scan(database, [read(web, NO_OWNER)]);
      const error = { name: "AccessDeniedException", message: "no", operation: "ListCampaigns" };
      const { scan_id } = await scan(database, [], {
        at: after(1),
        outcome: { state: "denied", listed: false, error },
      });
      expect(await database.select().from(units)).toMatchObject([
        {
          state: "denied",
          listed: false,
          error,
          attempted_at: after(1),
          listed_at: START,
          completed_at: START,
          last_scan_id: scan_id,
        },
      ]);
      const [row] = await database.select().from(scan_units).where(eq(scan_units.scan_id, scan_id));
      expect(row).toMatchObject({ state: "denied", listed: false, error, finished_at: after(1) });
    });

    test("12: a scan that stops before its end leaves nothing", async () => {
      const before = await snapshot(database);
      const stopped = new UnitRecorder(database, await newScan(database), UNIT, LIMITS, () => START);
      await stopped.add([judged(read(web, NO_OWNER))]);
      await expect(stopped.finish(ended(1), AbortSignal.abort(new Error("stop")))).rejects.toThrow("stop");
      expect(await snapshot(database)).toBe(before);
      expect(await database.select().from(units)).toEqual([]);
    });

    test("12: what fails in the middle of recording is undone as a whole", async () => {
      await scan(database, [read(web, GOOD)]);
      const before = await snapshot(database);
      // A key with a character that no database text can hold: the resources are written, then the findings fail.
      const broken = judged(read(resourceOf("broken"), NO_OWNER));
      const violation = { ...broken.judgement!.violations[0]!, rule_id: "bad\u0000rule" };
      const recorder = new UnitRecorder(database, await newScan(database), UNIT, LIMITS, () => START);
      await recorder.add([
        judged(read(web, NO_OWNER, { read_at: after(1) })),
        { ...broken, judgement: { ...broken.judgement!, violations: [violation] } },
      ]);
      await expect(recorder.finish(ended(2))).rejects.toThrow();
      expect(await snapshot(database)).toBe(before);
      expect(await scan(database, [read(web, NO_OWNER, { read_at: after(1) })], { at: after(2) })).toMatchObject({
        opened: 1,
      });
    });

    test("13: an older scan that ends after a newer one is discarded", async () => {
      const older = new UnitRecorder(database, await newScan(database), UNIT, LIMITS, () => after(1));
      await older.add([judged(read(web, NO_OWNER))]);
      await scan(database, [read(web, GOOD, { read_at: after(1) })], { at: after(1) });
      const before = await snapshot(database);
      expect(await older.finish(ended(1))).toMatchObject({ state: "superseded", opened: 0 });
      expect(await snapshot(database)).toBe(before);
      expect(await database.select({ state: units.state }).from(units)).toEqual([{ state: "complete" }]);
    });

    test("13: a newer scan builds on an older one that ended while it was reading", async () => {
      const olderScan = await newScan(database);
      const newer = new UnitRecorder(database, await newScan(database), UNIT, LIMITS, () => after(2));
      await newer.add([judged(read(web, NO_OWNER, { read_at: after(1) }))]);
      const older = new UnitRecorder(database, olderScan, UNIT, LIMITS, () => after(1));
      await older.add([judged(read(web, NO_OWNER))]);
      await older.finish(ended(1));
      expect(await newer.finish(ended(1))).toMatchObject({ state: "complete", opened: 0, unchanged: 1 });
      expect(await story(database)).toEqual(["opened/observed"]);
    });

    test("13: a newer scan that was overtaken by an older one says that it is incomplete, and the next is right", async () => {
      const good = read(web, GOOD, { read_at: after(1) });
      await scan(database, [good]);
      const olderScan = await newScan(database);
      const newer = new UnitRecorder(database, await newScan(database), UNIT, LIMITS, () => after(4));
      await newer.add(
        Array.from({ length: 1200 }, (_, index) =>
          judged(read(index === 0 ? web : resourceOf(`c-${index}`), GOOD, { read_at: after(3) })),
        ),
      );
      const older = new UnitRecorder(database, olderScan, UNIT, LIMITS, () => after(3));
      await older.add([judged(read(web, NO_OWNER, { read_at: after(2) }))]);
      await older.finish(ended(1));
      expect(await newer.finish(ended(1200))).toMatchObject({ state: "partial", resolved: 0 });
      expect(await database.select().from(units)).toMatchObject([
        { state: "partial", error: { name: "OvertakenError" } },
      ]);
      await scan(database, [read(web, GOOD, { read_at: after(5) })], {
        at: after(5),
        limits: { mass_close: { share: 1, count: 1000 } },
      });
      expect((await findingsByName(database))["web/owner"]?.state).toBe("resolved");
    });

    test("13: finishing the same unit of the same scan again changes nothing and says the same", async () => {
      const row = await newScan(database);
      const twice = [0, 1].map(() => new UnitRecorder(database, row, UNIT, LIMITS, () => START));
      for (const recorder of twice) await recorder.add([judged(read(web, NO_OWNER))]);
      const first = await twice[0]!.finish(ended(1));
      const before = await snapshot(database);
      expect(await twice[1]!.finish(ended(1))).toEqual(first);
      expect(await snapshot(database)).toBe(before);
    });

    test("13: a scan that judged by a set that is no longer active is discarded", async () => {
      await activateSet(database, SET, "me", START);
      const old = new UnitRecorder(database, await newScan(database), UNIT, LIMITS, () => after(2));
      await old.add([judged(read(web, NO_OWNER))]);
      await activateSet(database, policySet(ENV), "me", after(1));
      expect(await old.finish(ended(1))).toMatchObject({ state: "superseded" });
      expect(await story(database)).toEqual([]);
    });
  });

  describe("repair", () => {
    const repair = { arn: web.arn, tags: GOOD, read_at: after(1), actor: "me" };

    test("23: a verified repair resolves what it was to repair, by name, and records the tags", async () => {
      await scan(database, [read(web, { Env: "x" })]);
      const owner = (await findingsByName(database))["web/owner"]!;
      expect(
        await resolveRepaired(
          database,
          SET,
          { ...repair, tags: { Owner: "a", Env: "x" }, finding_ids: [owner.id] },
          after(1),
        ),
      ).toEqual([owner.id]);
      expect(await findingsByName(database)).toMatchObject({
        "web/owner": { state: "resolved", resolution: "fixed_by_remediation", resolved_at: after(1) },
        "web/env": { state: "open" },
      });
      expect(await database.select().from(resources)).toMatchObject([
        { tags: { Owner: "a", Env: "x" }, tags_read_at: after(1), source: "service" },
      ]);
      expect(await database.select().from(service_readings)).toEqual([{ arn: web.arn, read_at: after(1) }]);
      expect((await events(database)).at(-1)).toMatchObject({
        cause: "fixed_by_remediation",
        actor: "me",
        source: "service",
      });
    });

    test("23: what passes beside it counts as observed", async () => {
      await scan(database, [read(web, { Env: "x" })]);
      const { "web/owner": owner } = await findingsByName(database);
      await resolveRepaired(database, SET, { ...repair, finding_ids: [owner!.id] }, after(1));
      expect(await findingsByName(database)).toMatchObject({ "web/env": { resolution: "fixed_observed" } });
    });

    test("24: a repair after which the rule still fails leaves its finding open", async () => {
      await scan(database, [read(web, { Env: "x", Owner: "a" })]);
      const { "web/env": env } = await findingsByName(database);
      expect(
        await resolveRepaired(
          database,
          SET,
          { ...repair, tags: { Env: "y", Owner: "a" }, finding_ids: [env!.id] },
          after(1),
        ),
      ).toEqual([]);
      expect(await story(database)).toEqual(["opened/observed", "changed/detail"]);
    });

    test("4, 25: failing again within a week of our repair, it was reverted; later, it regressed", async () => {
      for (const [hours, cause] of [
        [24, "reverted"],
        [24 * 9, "regressed"],
      ] as const) {
        await emptyTables(database);
        await scan(database, [read(web, NO_OWNER)]);
        const { "web/owner": owner } = await findingsByName(database);
        await resolveRepaired(database, SET, { ...repair, finding_ids: [owner!.id] }, after(1));
        await scan(database, [read(web, NO_OWNER, { read_at: after(hours) })], { at: after(hours) });
        expect((await findingsByName(database))["web/owner"]).toMatchObject({ state: "open", opened_cause: cause });
      }
    });

    test("a scan that read the resource before the repair does not open the finding again", async () => {
      await scan(database, [read(web, NO_OWNER)]);
      const slow = new UnitRecorder(database, await newScan(database), UNIT, LIMITS, () => after(2));
      const { "web/owner": owner } = await findingsByName(database);
      await resolveRepaired(database, SET, { ...repair, finding_ids: [owner!.id] }, after(1));
      await slow.add([judged(read(web, NO_OWNER, { source: "index", read_at: after(0.5) }))]);
      await slow.finish(ended(1));
      expect((await findingsByName(database))["web/owner"]?.state).toBe("resolved");
    });

    test("by a set that is no longer active nothing is judged, and the tags are recorded", async () => {
      await activateSet(database, SET, "me", START);
      await scan(database, [read(web, NO_OWNER)]);
      await activateSet(database, policySet(OWNER), "me", after(1));
      const { "web/owner": owner } = await findingsByName(database);
      expect(await resolveRepaired(database, SET, { ...repair, finding_ids: [owner!.id] }, after(2))).toEqual([]);
      expect(await database.select().from(resources)).toMatchObject([{ tags: GOOD, standing: "judged" }]);
      expect((await findingsByName(database))["web/owner"]?.state).toBe("open");
    });
  });

  describe("readings", () => {
    test("when the service was asked is kept apart, and never moves back", async () => {
      await scan(database, [read(web, GOOD, { read_at: after(2) }), read(shop, GOOD, { source: "index" })]);
      await scan(database, [read(web, GOOD, { read_at: after(1) })], { at: after(2), outcome: { state: "partial" } });
      expect(await database.select().from(service_readings)).toEqual([{ arn: web.arn, read_at: after(2) }]);
    });

    test("a stored reading that is used again is no new reading", async () => {
      await scan(database, [read(web, GOOD, { confirmed: false })]);
      expect(await database.select().from(service_readings)).toEqual([]);
    });

    test("an ARN that comes twice, because the list moved, counts once", async () => {
      expect(await scan(database, [read(web, NO_OWNER), read(web, NO_OWNER)])).toMatchObject({ opened: 1 });
      expect(await scan(database, [read(web, NO_OWNER), read(web, NO_OWNER)])).toMatchObject({
        opened: 0,
        unchanged: 1,
      });
    });

    test("a resource of another unit is a bug, and is refused", async () => {
      const recorder = new UnitRecorder(database, await newScan(database), UNIT, LIMITS, () => START);
      await expect(recorder.add([judged(read({ ...web, region: "us-east-1" }, GOOD))])).rejects.toThrow(
        "does not belong",
      );
    });
  });

  test(
    "findings are the fold of their events, whatever happens (I2), and only complete units close (I1)",
    { timeout: 120_000 },
    async () => {
      const names = ["a", "b", "c"];
      const sight = fc.oneof(
        fc.record({
          tags: fc.subarray(["Owner", "Env", "environment"]),
          source: fc.constantFrom("index" as const, "service" as const),
        }),
        fc.constantFrom("absent", "gone", "unread"),
      );
      const step = fc.oneof(
        {
          weight: 4,
          arbitrary: fc.record({
            world: fc.tuple(sight, sight, sight),
            state: fc.constantFrom("complete", "complete", "partial", "failed"),
          }),
        },
        { weight: 1, arbitrary: fc.constantFrom(SET, policySet(ENV), policySet(OWNER, ENV.replace("dev", "test"))) },
        { weight: 1, arbitrary: fc.constantFrom(...names) },
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
          await emptyTables(database);
          let set = SET;
          await activateSet(database, set, "me", START);
          for (const [hour, one] of steps.entries()) {
            const at = after(hour + 1);
            if (typeof one === "string") {
              const arn = resourceOf(one).arn;
              const found = Object.values(await findingsByName(database)).filter(
                (finding) => finding.arn === arn && finding.state === "open",
              );
              if (found.length > 0)
                await resolveRepaired(
                  database,
                  set,
                  { arn, tags: GOOD, read_at: at, actor: "me", finding_ids: found.map(({ id }) => id) },
                  at,
                );
            } else if ("policies" in one) {
              set = one;
              await activateSet(database, set, "me", at);
            } else {
              const world = one.world.flatMap((sight, index): Observation[] => {
                const resource = resourceOf(names[index]!);
                if (sight === "absent") return [];
                if (sight === "gone") return [gone(resource)];
                if (typeof sight === "string") return [unread(resource)];
                return [
                  read(resource, Object.fromEntries(sight.tags.map((key) => [key, "dev"])), {
                    source: sight.source,
                    read_at: at,
                  }),
                ];
              });
              const { state } = one;
              const summary = await scan(database, world, { at, set, outcome: { state } });
              if (state !== "complete") expect(summary.resolved).toBe(0);
              const before = await snapshot(database);
              if (one.world.every((sight) => sight !== "absent")) {
                await scan(database, world, { at: after(hour + 1.5), set, outcome: { state } });
                expect(await snapshot(database)).toBe(before);
              }
            }
            const folded = fold(await events(database));
            const found = Object.values(await findingsByName(database));
            expect(found.length).toBe(folded.size);
            for (const finding of found) {
              const {
                account_id: _a,
                region: _r,
                type: _t,
                arn: _n,
                policy_id: _p,
                rule_id: _u,
                key: _k,
                // How far back reverts count depends on the fight over the key, another finding.
                reverts,
                ...rest
              } = finding;
              expect(reverts > 0).toBe(rest.reverted_at !== null);
              expect(rest).toEqual(folded.get(finding.id));
            }
          }
        }),
        { numRuns: kind === "postgres" ? 15 : 10 },
      );
    },
  );
});
