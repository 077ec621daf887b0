import { asc, sql } from "drizzle-orm";
import * as fc from "fast-check";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Database, OpenDatabase } from "../../src/db/client.ts";
import { activateSet } from "../../src/findings/activate.ts";
import { digestOfState } from "../../src/findings/digest.ts";
import { finding_events, findings, held_closures } from "../../src/findings/schema.ts";
import { confirmHeld, rejectHeld } from "../../src/findings/db/decide-held.ts";
import { driftOf, sizeOf } from "../../src/findings/db/rollup-drift.ts";
import { resolveRepaired } from "../../src/findings/db/repaired.ts";
import { UnitRecorder } from "../../src/findings/store.ts";
import { isDigestOf } from "../../src/inventory/reading-digest.ts";
import type { Observation } from "../../src/inventory/resource.ts";
import { resources, scan_units, scans, service_readings, units } from "../../src/inventory/schema.ts";
import { storedDigests } from "../../src/inventory/store.ts";
import { stackOf } from "../../src/tags/stack.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";
import {
  after,
  ended,
  ENV,
  findingsByName,
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
  UNIT,
  unread,
} from "./world.ts";

const web = resourceOf("web");
const GOOD = { Owner: "a", Env: "dev" };
const NO_OWNER = { Env: "dev" };

/** The observations as a reader makes them that knows the digests: those that are as stored say so. */
async function recognized(database: Database, observations: Observation[]): Promise<Observation[]> {
  const digests = await storedDigests(database, UNIT);
  return observations.map((one) => {
    const digest = digests.get(one.resource.arn);
    if (digest === undefined || one.outcome !== "read" || one.reading.source !== "index") return one;
    const { in_index, reading } = one;
    const seen = { ...one.resource, in_index, tags: reading.tags, stack: stackOf(reading.tags) };
    return isDigestOf(digest, seen) ? { ...one, stored_digest: digest } : one;
  });
}

describeOnBoth("on %s", (kind) => {
  let opened: OpenDatabase;
  let database: Database;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
    database = opened.database;
  });
  afterAll(() => opened.close());
  beforeEach(() => emptyTables(database));

  /** Every row is as it should be beside its digest. */
  async function expectTrueDigests(): Promise<void> {
    const found = Map.groupBy(await database.select().from(findings), ({ arn }) => arn);
    for (const { digest, ...row } of await database.select().from(resources)) {
      expect(digest).toBe(digestOfState(row, found.get(row.arn) ?? []));
    }
  }

  test("a scan that sees everything as it was loads no row and writes none, and counts what is open", async () => {
    const world = [read(web, NO_OWNER, { source: "index" }), read(resourceOf("shop"), GOOD, { source: "index" })];
    await scan(database, world);
    const before = await snapshot(database);
    const again = await recognized(database, world);
    expect(again.every((one) => one.outcome === "read" && one.stored_digest !== undefined)).toBe(true);
    // Nobody but the digest says now that the owner was missing: what counts as unchanged does not come from the findings.
    const summary = await scan(database, again, { at: after(1) });
    expect(summary).toMatchObject({ state: "complete", opened: 0, changed: 0, resolved: 0, unchanged: 1 });
    expect(await snapshot(database)).toBe(before);
  });

  test("what was as stored when it was read, and that an older scan recorded otherwise since, makes the unit incomplete", async () => {
    const good = read(web, GOOD, { source: "index" });
    await scan(database, [good]);
    const older = new UnitRecorder(database, await newScan(database), UNIT, LIMITS, () => after(3));
    const newScanRow = { ...(await newScan(database)), epoch_before: 1 };
    const seen = await recognized(database, [good]);
    await older.add([judged(read(web, NO_OWNER, { read_at: after(2) }))]);
    await older.finish(ended(1));
    const newer = new UnitRecorder(database, newScanRow, UNIT, LIMITS, () => after(4));
    await newer.add(seen.map((one) => judged(one)));
    expect(await newer.finish(ended(1))).toMatchObject({ state: "partial" });
    expect(await database.select().from(units)).toMatchObject([
      { state: "partial", error: { name: "OvertakenError" } },
    ]);
  });

  test("a repair that is recorded after the resource was seen as before stands", async () => {
    const bad = read(web, NO_OWNER, { source: "index" });
    await scan(database, [bad]);
    const { "web/owner": owner } = await findingsByName(database);
    const slow = new UnitRecorder(database, await newScan(database), UNIT, LIMITS, () => after(2));
    const seen = await recognized(database, [bad]);
    const repair = { arn: web.arn, tags: GOOD, read_at: after(1), actor: "me", finding_ids: [owner!.id] };
    await resolveRepaired(database, SET, repair, after(1));
    await slow.add(seen.map((one) => judged(one)));
    await slow.finish(ended(1));
    expect((await findingsByName(database))["web/owner"]).toMatchObject({ resolution: "fixed_by_remediation" });
    expect(await database.select().from(resources)).toMatchObject([{ tags: GOOD }]);
    await expectTrueDigests();
  });

  test(
    "with digests, without them, and with those of the reader, any history ends in the same rows, findings and events",
    { timeout: 240_000 },
    async () => {
      const names = ["a", "b", "c"];
      const sight = fc.oneof(
        {
          weight: 6,
          arbitrary: fc.record({
            tags: fc.subarray(["Owner", "Env", "environment", "aws:cloudformation:stack-name"]),
            source: fc.constantFrom("index" as const, "index" as const, "service" as const),
            in_index: fc.constantFrom(true, true, false),
            status: fc.constantFrom("ACTIVE", "ACTIVE", "ACTIVE", "DELETE PENDING"),
          }),
        },
        { weight: 2, arbitrary: fc.constantFrom("again" as const) },
        { weight: 1, arbitrary: fc.constantFrom("absent" as const, "gone" as const, "unread" as const) },
      );
      const step = fc.oneof(
        {
          weight: 6,
          arbitrary: fc.record({
            world: fc.tuple(sight, sight, sight),
            state: fc.constantFrom("complete", "complete", "complete", "partial", "failed"),
            // A guard that holds any two closures at once, or none.
            limits: fc.constantFrom({ mass_close: { share: 0, count: 1 } }, { mass_close: { share: 1, count: 1000 } }),
          }),
        },
        { weight: 1, arbitrary: fc.constantFrom(SET, policySet(ENV), policySet(OWNER, ENV.replace("dev", "test"))) },
        { weight: 1, arbitrary: fc.constantFrom(...names) },
        { weight: 1, arbitrary: fc.constantFrom("confirm", "reject") },
      );
      type Step = typeof step extends fc.Arbitrary<infer One> ? One : never;

      /** Lives a history, and returns all that is stored at its end, with every scan's summary. */
      const live = async (steps: Step[], mode: "stored" | "erased" | "recognized"): Promise<unknown> => {
        await emptyTables(database);
        let set = SET;
        await activateSet(database, set, "me", START);
        const summaries: unknown[] = [];
        const before = new Map<string, Observation>();
        let last_scan_id: string | null = null;
        for (const [hour, one] of steps.entries()) {
          const at = after(hour + 1);
          if (mode === "erased") await database.update(resources).set({ digest: null });
          if (one === "confirm" || one === "reject") {
            const decide = one === "confirm" ? confirmHeld : rejectHeld;
            if (last_scan_id !== null) await decide(database, last_scan_id, { actor: "me", at });
          } else if (typeof one === "string") {
            const { arn } = resourceOf(one);
            const open = (await database.select().from(findings)).filter((f) => f.arn === arn && f.state === "open");
            const repair = { arn, tags: GOOD, read_at: at, actor: "me", finding_ids: open.map(({ id }) => id) };
            if (open.length > 0) await resolveRepaired(database, set, repair, at);
          } else if ("policies" in one) {
            set = one;
            await activateSet(database, set, "me", at);
          } else {
            const world = one.world.flatMap((seen, index): Observation[] => {
              const name = names[index]!;
              if (seen === "absent") return [];
              if (seen === "gone") return [gone(resourceOf(name))];
              if (seen === "unread") return [unread(resourceOf(name))];
              const known = before.get(name);
              if (seen === "again") return known ? [known] : [];
              const { tags, status, ...how } = seen;
              const values = Object.fromEntries(tags.map((key) => [key, "dev"]));
              const observation = read(resourceOf(name, { status }), values, { ...how, read_at: at });
              before.set(name, observation);
              return [observation];
            });
            const observations = mode === "recognized" ? await recognized(database, world) : world;
            const { state, limits } = one;
            const { scan_id, ...summary } = await scan(database, observations, { at, set, outcome: { state }, limits });
            last_scan_id = scan_id;
            summaries.push(summary);
          }
          if (mode !== "erased") await expectTrueDigests();
          else expect(sizeOf(await driftOf(database))).toBe(0);
        }
        return { summaries, stored: await everything(database) };
      };

      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 8 }), async (steps) => {
          const full = await live(steps, "erased");
          expect(await live(steps, "stored")).toEqual(full);
          expect(await live(steps, "recognized")).toEqual(full);
        }),
        { numRuns: kind === "postgres" ? 30 : 12 },
      );
    },
  );
});

/** All rows but the digests, with scans named by their order, which is all that is the same when a history is lived again. */
async function everything(database: Database): Promise<unknown> {
  const ids = (await database.select({ id: scans.id }).from(scans).orderBy(asc(scans.epoch))).map(({ id }) => id);
  const rows = {
    resources: (await database.select().from(resources).orderBy(resources.arn)).map(
      ({ digest: _digest, ...row }) => row,
    ),
    findings: await database.select().from(findings).orderBy(findings.id),
    events: await database.select().from(finding_events).orderBy(finding_events.id),
    held: await database.select().from(held_closures).orderBy(held_closures.finding_id),
    readings: await database.select().from(service_readings).orderBy(service_readings.arn),
    units: await database.select().from(units),
    scan_units: await database
      .select()
      .from(scan_units)
      .orderBy(sql`${scan_units.started_at}, ${scan_units.finished_at}`),
  };
  return ids
    .reduce((text, id, index) => text.replaceAll(id, `scan ${index}`), JSON.stringify(rows, null, 1))
    .split("\n");
}
