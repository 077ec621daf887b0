import * as fc from "fast-check";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Database, OpenDatabase } from "../../src/db/client.ts";
import { isListingDrop, isMassClose } from "../../src/findings/mass-close.ts";
import { held_closures, held_decisions } from "../../src/findings/schema.ts";
import { confirmHeld, rejectHeld } from "../../src/findings/db/decide-held.ts";
import type { Observation } from "../../src/inventory/resource.ts";
import { resources, scan_units, units } from "../../src/inventory/schema.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";
import { after, events, findingsByName, gone, LIMITS, read, resourceOf, scan, snapshot, story } from "./world.ts";

const NO_OWNER = { Env: "dev" };
const GOOD = { Owner: "a", Env: "dev" };

/** Resources that all lack an owner but the first few. */
const world = (count: number, seen: (name: string, index: number) => Observation | null): Observation[] =>
  Array.from({ length: count }, (_, index) => seen(`c-${String(index).padStart(3, "0")}`, index)).flatMap(
    (one) => one ?? [],
  );
const failing = (count: number) => world(count, (name) => read(resourceOf(name), NO_OWNER, { source: "index" }));
/** The first `fixed` of `count` pass, says the index. */
const passing = (count: number, fixed: number, hours: number) =>
  world(count, (name, index) =>
    read(resourceOf(name), index < fixed ? GOOD : NO_OWNER, { source: "index", read_at: after(hours) }),
  );
/** The first `away` of `count` are not listed. */
const without = (count: number, away: number) =>
  world(count, (name, index) => (index < away ? null : read(resourceOf(name), NO_OWNER, { source: "index" })));

test("the guard wants both: more than 50, and more than 30 %", () => {
  expect(isMassClose(51, 169, LIMITS.mass_close)).toBe(true);
  expect(isMassClose(50, 50, LIMITS.mass_close)).toBe(false);
  expect(isMassClose(51, 170, LIMITS.mass_close)).toBe(false);
});

test("a listing has dropped below half the median of five, and by more than 50", () => {
  expect(isListingDrop(99, [200, 200, 200])).toBe(true);
  expect(isListingDrop(100, [200, 200, 200])).toBe(false);
  expect(isListingDrop(0, [50, 50, 50])).toBe(false);
  expect(isListingDrop(0, [51])).toBe(true);
  expect(isListingDrop(0, [])).toBe(false);
  expect(isListingDrop(10, [0, 200, 200, 0, 200, 0, 0, 0])).toBe(true);
  fc.assert(
    fc.property(fc.array(fc.nat()), (earlier) => {
      expect(isListingDrop(Math.max(0, ...earlier), earlier)).toBe(false);
    }),
  );
});

describeOnBoth("on %s", (kind) => {
  let opened: OpenDatabase;
  let database: Database;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
    database = opened.database;
  });
  afterAll(() => opened.close());
  beforeEach(() => emptyTables(database));

  const openCount = async () =>
    Object.values(await findingsByName(database)).filter(({ state }) => state === "open").length;

  test("14: a unit that would close too much is held: it opens and changes, and its closures wait", async () => {
    await scan(database, failing(100));
    const seen = [...passing(100, 60, 1), read(resourceOf("new"), NO_OWNER)];
    const held = await scan(database, seen, { at: after(1) });
    expect(held).toMatchObject({ state: "held", resolved: 0, held: 60, opened: 1, unchanged: 40 });
    expect(await openCount()).toBe(101);
    expect(await database.select().from(held_closures)).toHaveLength(60);
    const [unit] = await database.select().from(units);
    expect(unit).toMatchObject({ state: "complete", listed: true });
    expect((await snapshot(database)).length).toBeGreaterThan(10_000);
  });

  test("14: the next scan that agrees applies them", async () => {
    await scan(database, failing(100));
    await scan(database, passing(100, 60, 1), { at: after(1) });
    expect(await scan(database, passing(100, 60, 1), { at: after(2) })).toMatchObject({
      state: "complete",
      resolved: 60,
      held: 0,
    });
    expect(await openCount()).toBe(40);
    expect(await database.select().from(held_closures)).toEqual([]);
  });

  test("14: a scan that disagrees lets them go, and what waits anew waits for the next", async () => {
    await scan(database, failing(100));
    await scan(database, passing(100, 60, 1), { at: after(1) });
    const back = world(100, (name) => read(resourceOf(name), NO_OWNER, { source: "index", read_at: after(2) }));
    expect(await scan(database, back, { at: after(2) })).toMatchObject({ state: "complete", resolved: 0, held: 0 });
    expect(await database.select().from(held_closures)).toEqual([]);
    expect(await scan(database, passing(100, 60, 3), { at: after(3) })).toMatchObject({ state: "held", held: 60 });
  });

  test("14: an incomplete scan that sees them failing again lets them go too", async () => {
    await scan(database, failing(100));
    await scan(database, passing(100, 60, 1), { at: after(1) });
    const back = world(30, (name) => read(resourceOf(name), NO_OWNER, { source: "index", read_at: after(2) }));
    await scan(database, back, { at: after(2), outcome: { state: "partial", listed: false } });
    expect(await database.select().from(held_closures)).toHaveLength(30);
  });

  test("14: passes that the service itself showed in this scan do not count, and are not held", async () => {
    await scan(database, failing(100));
    const fixed = world(100, (name) => read(resourceOf(name), GOOD, { read_at: after(1) }));
    expect(await scan(database, fixed, { at: after(1) })).toMatchObject({ state: "complete", resolved: 100, held: 0 });
  });

  test("14: a person confirms, and what is still open closes", async () => {
    await scan(database, failing(100));
    const { scan_id } = await scan(database, passing(100, 60, 1), { at: after(1) });
    expect(await confirmHeld(database, scan_id, { actor: "alice", at: after(2) })).toMatchObject({ closures: 60 });
    expect(await openCount()).toBe(40);
    expect(await story(database)).toContain("resolved/fixed_observed");
    const rows = await database.select().from(scan_units);
    expect(rows.find((row) => row.scan_id === scan_id)).toMatchObject({ state: "complete", resolved: 60, held: 0 });
    expect(await confirmHeld(database, scan_id, { actor: "alice", at: after(3) })).toMatchObject({ closures: 0 });
    const before = await snapshot(database);
    await scan(database, passing(100, 60, 1), { at: after(4) });
    expect(await snapshot(database)).toBe(before);
  });

  test("14: resources that seem gone wait with their findings, and go when confirmed", async () => {
    await scan(database, failing(150));
    await scan(database, without(150, 60), { at: after(1) });
    const { scan_id, ...second } = await scan(database, without(150, 60), { at: after(2) });
    expect(second).toMatchObject({ state: "held", held: 60, resolved: 0 });
    const liveCount = async () =>
      (await database.select().from(resources)).filter(({ gone_at }) => gone_at === null).length;
    expect(await liveCount()).toBe(150);
    expect(await confirmHeld(database, scan_id, { actor: "alice", at: after(3) })).toMatchObject({ closures: 60 });
    expect(await liveCount()).toBe(90);
    expect(await openCount()).toBe(90);
  });

  test("14: or when the next scan agrees", async () => {
    await scan(database, failing(150));
    for (const hours of [1, 2]) await scan(database, without(150, 60), { at: after(hours) });
    expect(await scan(database, without(150, 60), { at: after(3) })).toMatchObject({ state: "complete", resolved: 60 });
    expect(await openCount()).toBe(90);
  });

  test("14: sixty at once that the service calls gone are held, and listed again they are let go", async () => {
    await scan(database, failing(100));
    const away = world(100, (name, index) =>
      index < 60 ? gone(resourceOf(name)) : read(resourceOf(name), NO_OWNER, { source: "index" }),
    );
    expect(await scan(database, away, { at: after(1) })).toMatchObject({ state: "held", held: 60 });
    await scan(database, failing(100), { at: after(2) });
    expect(await database.select().from(held_closures)).toEqual([]);
    expect(await openCount()).toBe(100);
  });

  test("14: a listing that dropped below half is held: absence does not count until the next scan agrees", async () => {
    await scan(database, failing(200));
    const first = await scan(database, without(200, 150), { at: after(1) });
    expect(first).toMatchObject({ state: "held", held: 150, resolved: 0 });
    expect((await database.select().from(resources)).every(({ absences }) => absences === 0)).toBe(true);
    expect(await scan(database, without(200, 150), { at: after(2) })).toMatchObject({ state: "complete", resolved: 0 });
    expect(await scan(database, without(200, 150), { at: after(3) })).toMatchObject({
      state: "complete",
      resolved: 150,
    });
    expect(await openCount()).toBe(50);
  });

  test("14: a listing that dropped once and is whole again leaves no trace", async () => {
    await scan(database, failing(200));
    const before = await snapshot(database);
    await scan(database, without(200, 150), { at: after(1) });
    await scan(database, failing(200), { at: after(2) });
    expect(await snapshot(database)).toBe(before);
    expect(await database.select().from(held_closures)).toEqual([]);
    expect(await scan(database, without(200, 150), { at: after(3) })).toMatchObject({ state: "held" });
  });

  test("14: an empty list where there were hundreds closes nothing, and a person can say that it is right", async () => {
    await scan(database, failing(200));
    const { scan_id, ...empty } = await scan(database, [], { at: after(1) });
    expect(empty).toMatchObject({ state: "held", held: 200, resolved: 0 });
    expect(await confirmHeld(database, scan_id, { actor: "alice", at: after(2) })).toMatchObject({ closures: 200 });
    expect(await openCount()).toBe(0);
  });

  test("14: a person rejects, and what was held stays open; only a later scan that sees the same asks again", async () => {
    await scan(database, failing(100));
    const { scan_id } = await scan(database, passing(100, 60, 1), { at: after(1) });
    const before = await snapshot(database);
    const decided = await rejectHeld(database, scan_id, { actor: "alice", at: after(2), reason: "a broken index" });
    expect(decided).toEqual({ units: 1, closures: 60 });
    expect(await snapshot(database)).toBe(before);
    expect(await database.select().from(held_closures)).toEqual([]);
    const rows = await database.select().from(scan_units);
    expect(rows.find((row) => row.scan_id === scan_id)).toMatchObject({ state: "rejected", resolved: 0, held: 0 });
    expect(await scan(database, passing(100, 60, 3), { at: after(3) })).toMatchObject({ state: "held", held: 60 });
    expect(await scan(database, passing(100, 60, 3), { at: after(4) })).toMatchObject({
      state: "complete",
      resolved: 60,
    });
  });

  test("14: who decided what, when and why is kept; a decision about nothing is none", async () => {
    await scan(database, failing(100));
    const { scan_id } = await scan(database, passing(100, 60, 1), { at: after(1) });
    await rejectHeld(database, scan_id, { actor: "alice", at: after(2), reason: "a broken index" });
    expect(await rejectHeld(database, scan_id, { actor: "bob", at: after(3) })).toEqual({ units: 0, closures: 0 });
    expect(await confirmHeld(database, scan_id, { actor: "bob", at: after(3) })).toEqual({ units: 0, closures: 0 });
    const second = await scan(database, passing(100, 60, 4), { at: after(4) });
    await confirmHeld(database, second.scan_id, { actor: "bob", at: after(5) });
    expect(await database.select().from(held_decisions).orderBy(held_decisions.at)).toEqual([
      { scan_id, at: after(2), decision: "rejected", actor: "alice", units: 1, closures: 60, reason: "a broken index" },
      {
        scan_id: second.scan_id,
        at: after(5),
        decision: "confirmed",
        actor: "bob",
        units: 1,
        closures: 60,
        reason: null,
      },
    ]);
    expect(
      (await events(database)).filter(({ event }) => event === "resolved").every(({ actor }) => actor === "bob"),
    ).toBe(true);
  });

  test("14: a short list that a person rejects is no agreement for the next, and no measure for later ones", async () => {
    for (const hours of [0, 1, 2]) await scan(database, failing(200), { at: after(hours) });
    const first = await scan(database, without(200, 150), { at: after(3) });
    expect(first).toMatchObject({ state: "held", held: 150 });
    await rejectHeld(database, first.scan_id, { actor: "alice", at: after(4) });
    expect(await scan(database, without(200, 150), { at: after(5) })).toMatchObject({ state: "held", held: 150 });
    expect((await database.select().from(resources)).every(({ absences }) => absences === 0)).toBe(true);
    expect(await openCount()).toBe(200);
  });

  test("14: a short list of resources without findings can be rejected too, until a later scan was there", async () => {
    const fine = (count: number) => world(count, (name) => read(resourceOf(name), GOOD, { source: "index" }));
    await scan(database, fine(200));
    const short = await scan(database, fine(50), { at: after(1) });
    expect(short).toMatchObject({ state: "held", held: 0 });
    expect(await rejectHeld(database, short.scan_id, { actor: "alice", at: after(2) })).toEqual({
      units: 1,
      closures: 0,
    });
    const again = await scan(database, fine(50), { at: after(3) });
    await scan(database, fine(50), { at: after(4) });
    expect(await rejectHeld(database, again.scan_id, { actor: "alice", at: after(5) })).toEqual({
      units: 0,
      closures: 0,
    });
  });

  test("14: what a later scan holds anew is no longer the former one's to decide about", async () => {
    await scan(database, failing(200));
    const first = await scan(database, passing(200, 70, 1), { at: after(1) });
    const second = await scan(database, passing(200, 150, 2), { at: after(2) });
    expect(second).toMatchObject({ state: "held", resolved: 70, held: 80 });
    expect(await rejectHeld(database, first.scan_id, { actor: "alice", at: after(3) })).toMatchObject({ closures: 0 });
    expect(await rejectHeld(database, second.scan_id, { actor: "alice", at: after(3) })).toMatchObject({
      closures: 80,
    });
  });
});
