import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Database, OpenDatabase } from "../../src/db/client.ts";
import { activateSet } from "../../src/findings/activate.ts";
import { confirmHeld } from "../../src/findings/db/decide-held.ts";
import { recordSight, type Sight } from "../../src/findings/db/record-sight.ts";
import { isOvertaken, type Recorded } from "../../src/findings/overtaken.ts";
import { held_closures } from "../../src/findings/schema.ts";
import { resources, units } from "../../src/inventory/schema.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";
import {
  after,
  ENV,
  findingsByName,
  gone,
  policySet,
  read,
  resourceOf,
  scan,
  SET,
  START,
  story,
  UNIT,
  unread,
} from "./world.ts";

const WEB = resourceOf("web");
const FINE = { Owner: "a", Env: "dev" };

describeOnBoth("one resource, asked for alone, on %s", (kind) => {
  let opened: OpenDatabase;
  let database: Database;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
    database = opened.database;
  });
  beforeEach(async () => {
    await emptyTables(database);
    await activateSet(database, SET, "me", START);
  });
  afterAll(() => opened.close());

  const see = (sight: Partial<Extract<Sight, { outcome: "read" }>>, at = after(1), set = SET) =>
    recordSight(
      database,
      set,
      { unit: UNIT, arn: WEB.arn, outcome: "read", tags: {}, resource: null, read_at: at, ...sight },
      { actor: "event TagResource", now: at },
    );
  const miss = (at = after(1)) =>
    recordSight(
      database,
      SET,
      { unit: UNIT, arn: WEB.arn, outcome: "gone", read_at: at },
      { actor: "event DeleteCampaign", now: at },
    );

  test("opens and closes its findings, and says nothing about its unit or its neighbours", async () => {
    await scan(database, [read(WEB, FINE), read(resourceOf("other"), {})]);
    const before = await database.select().from(units);
    expect(await see({ tags: { Env: "dev" } })).toBe("recorded");
    expect((await findingsByName(database))["web/owner"]).toMatchObject({ state: "open", last_scan_id: null });
    expect(await see({ tags: FINE }, after(2))).toBe("recorded");
    expect((await findingsByName(database))["web/owner"]).toMatchObject({
      state: "resolved",
      resolution: "fixed_observed",
    });
    expect((await findingsByName(database))["other/owner"]).toMatchObject({ state: "open" });
    expect(await database.select().from(units)).toEqual(before);
  });

  test("seen twice as it is, it is written once", async () => {
    await see({ resource: WEB });
    const once = await database.select().from(resources);
    await see({ resource: WEB }, after(2));
    expect(await database.select().from(resources)).toEqual(once);
    expect(await story(database)).toEqual(["opened/observed", "opened/observed"]);
  });

  test("on its way out it is under no rule", async () => {
    await scan(database, [read(WEB, {})]);
    await see({ resource: { ...WEB, status: "DELETE IN_PROGRESS" } });
    expect((await findingsByName(database))["web/owner"]).toMatchObject({ resolution: "out_of_scope" });
    await miss(after(2));
    expect(await database.select().from(resources)).toMatchObject([{ gone_at: after(2) }]);
  });

  test("an answer that is older than the last one is left alone, unless it is about a newer resource", async () => {
    await see({ resource: WEB, tags: FINE }, after(3));
    const occasion = { actor: "event TagResource", now: after(5) };
    const untagged = { unit: UNIT, arn: WEB.arn, outcome: "read", tags: {}, resource: null } as const;
    expect(await recordSight(database, SET, { ...untagged, read_at: after(2) }, occasion)).toBe("older");
    expect(await story(database)).toEqual([]);
    await miss(after(4));
    expect(await recordSight(database, SET, { ...untagged, read_at: after(3.5) }, occasion)).toBe("older");
    expect(await database.select().from(resources)).toMatchObject([{ gone_at: after(4) }]);
    const anew = { ...WEB, created_at: after(3) };
    expect(await recordSight(database, SET, { ...untagged, resource: anew, read_at: after(3.5) }, occasion)).toBe(
      "recorded",
    );
    expect(await database.select().from(resources)).toMatchObject([{ gone_at: null, created_at: after(3) }]);
  });

  test("by policies that are no longer the active ones nothing is recorded", async () => {
    expect(await see({ resource: WEB }, after(1), policySet(ENV))).toBe("retired");
    expect(await database.select().from(resources)).toEqual([]);
  });

  test("one that was never recorded and is not there leaves no trace", async () => {
    expect(await miss()).toBe("recorded");
    expect(await database.select().from(resources)).toEqual([]);
  });

  test("what waited to be closed for it does so no longer when the service shows it still in violation", async () => {
    const all = Array.from({ length: 100 }, (_, n) => resourceOf(n === 0 ? "web" : `c-${n}`));
    await scan(
      database,
      all.map((one) => read(one, { Env: "dev" })),
    );
    // What the service did not say in this very scan is too much at once.
    const held = await scan(
      database,
      all.map((one) => read(one, FINE, { source: "service", confirmed: false, read_at: after(1) })),
      { at: after(1) },
    );
    expect(held).toMatchObject({ state: "held", held: 100 });
    await see({ tags: { Env: "dev" } }, after(2));
    expect(await database.select().from(held_closures)).toHaveLength(99);
    await confirmHeld(database, held.scan_id, { actor: "me", at: after(3) });
    expect((await findingsByName(database))["web/owner"]).toMatchObject({ state: "open" });
  });
});

describe("an observation of a scan is overtaken", () => {
  const stored = {
    ...WEB,
    absences: 0,
    gone_at: null,
    tags: {},
    created_at: WEB.created_at,
  } as unknown as NonNullable<Recorded["resource"]>;
  const began_at = after(1);
  const now = after(10);
  const overtaken = (observation: Parameters<typeof isOvertaken>[0], recorded: Partial<Recorded> = {}) =>
    isOvertaken(observation, { resource: stored, service_read_at: null, ...recorded }, began_at, now);
  const seen = read(WEB, {}, { read_at: after(2) });

  test("by an answer of the service since, and by no earlier one or one of the future", () => {
    expect(overtaken(seen, { service_read_at: after(3) })).toBe(true);
    expect(overtaken(seen, { service_read_at: after(2) })).toBe(false);
    expect(overtaken(seen, { service_read_at: after(11) })).toBe(false);
    expect(overtaken(unread(WEB), { service_read_at: after(2) })).toBe(true);
    expect(overtaken(unread(WEB), { service_read_at: after(0) })).toBe(false);
    expect(overtaken(gone(WEB), { service_read_at: after(3) })).toBe(false);
  });

  test("when the service said meanwhile that it is gone, not when lists left it out or it was gone before", () => {
    expect(overtaken(seen, { resource: { ...stored, gone_at: after(3) } })).toBe(true);
    expect(overtaken(seen, { resource: { ...stored, gone_at: after(3), absences: 2 } })).toBe(false);
    expect(overtaken(read(WEB, {}, { read_at: START }), { resource: { ...stored, gone_at: after(0.5) } })).toBe(false);
  });

  test("by another resource that took over its ARN later, and by none that had it before", () => {
    const later = { ...stored, created_at: after(3) };
    for (const observation of [seen, gone(WEB), unread(WEB)]) {
      expect(overtaken(observation, { resource: later })).toBe(true);
    }
    const anew = read({ ...WEB, created_at: after(2) }, {}, { read_at: after(2) });
    expect(overtaken(anew, { resource: { ...stored, gone_at: after(3) }, service_read_at: after(3) })).toBe(false);
    expect(overtaken(seen, { resource: null, service_read_at: after(3) })).toBe(false);
  });
});
