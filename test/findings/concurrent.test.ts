import { expect, test } from "vitest";
import { activateSet } from "../../src/findings/activate.ts";
import { resolveRepaired } from "../../src/findings/db/repaired.ts";
import { UnitRecorder } from "../../src/findings/store.ts";
import type { Unit } from "../../src/inventory/resource.ts";
import { units } from "../../src/inventory/schema.ts";
import { openTestDatabase } from "../support/database.ts";
import {
  after,
  ended,
  ENV,
  events,
  findingsByName,
  fold,
  judged,
  LIMITS,
  newScan,
  OWNER,
  policySet,
  read,
  resourceOf,
  scan,
  SET,
  START,
  UNIT,
} from "./world.ts";

test(
  "many workers on many units, and several on the same, do not wait for each other in a ring",
  { timeout: 60_000 },
  async () => {
    const opened = await openTestDatabase("postgres");
    const { database } = opened;
    await activateSet(database, SET, "me", START);
    const regions = ["a", "b", "c"].map((letter): Unit => ({ ...UNIT, region: `eu-${letter}-1` }));
    const world = (unit: Unit, round: number) =>
      Array.from({ length: 120 }, (_, index) =>
        read(
          resourceOf(`c-${(index * 7 + round) % 120}`, {}, unit),
          (index + round) % 3 === 0 ? { Owner: "a" } : { Env: "dev" },
          { read_at: after(round) },
        ),
      );
    const scans = Array.from({ length: 5 }, (_, round) =>
      regions.map((unit) => scan(database, world(unit, round), { unit, at: after(round) })),
    ).flat();
    const repairs = regions.map(async (unit) => {
      const { arn } = resourceOf("c-1", {}, unit);
      await scan(database, world(unit, 0).slice(0, 3), { unit, outcome: { state: "partial" } });
      await resolveRepaired(
        database,
        SET,
        { arn, tags: { Owner: "a", Env: "dev" }, read_at: after(50), actor: "me", finding_ids: [] },
        after(50),
      ).catch((error: unknown) => expect(String(error)).toContain("not in the inventory"));
    });
    const activations = [policySet(ENV), policySet(OWNER), SET].map((set, index) =>
      activateSet(database, set, "me", after(10 + index)),
    );
    const results = await Promise.allSettled([...scans, ...repairs, ...activations]);
    expect(results.filter(({ status }) => status === "rejected")).toEqual([]);
    const folded = fold(await events(database));
    const found = Object.values(await findingsByName(database));
    expect(
      found.every(
        ({ id, state, resolution }) => folded.get(id)?.state === state && folded.get(id)?.resolution === resolution,
      ),
    ).toBe(true);
    await opened.close();
  },
);

test("of two workers that end the same unit at once, the newer scan stands", { timeout: 60_000 }, async () => {
  const opened = await openTestDatabase("postgres");
  const { database } = opened;
  const web = resourceOf("web");
  for (let round = 0; round < 10; round++) {
    const older = await newScan(database);
    const newer = await newScan(database);
    const recorders = [older, newer].map(
      (row) => new UnitRecorder(database, row, UNIT, LIMITS, () => after(round * 3 + 2)),
    );
    await recorders[0]!.add([judged(read(web, { Env: "dev" }, { read_at: after(round * 3) }))]);
    await recorders[1]!.add([judged(read(web, { Env: "dev", Owner: "a" }, { read_at: after(round * 3 + 1) }))]);
    const order = round % 2 === 0 ? recorders : recorders.toReversed();
    await Promise.all(order.map((recorder) => recorder.finish(ended(1))));
    const [unit] = await database.select().from(units);
    const open = Object.values(await findingsByName(database)).filter(({ state }) => state === "open");
    // Either the newer one was right, or it says that it is incomplete, and the next scan is right.
    if (unit?.state === "complete") expect(open).toEqual([]);
    expect(unit?.applied_epoch).toBe(newer.epoch);
    await scan(database, [read(web, { Env: "dev", Owner: "a" }, { read_at: after(round * 3 + 2) })], {
      at: after(round * 3 + 2),
    });
    expect(Object.values(await findingsByName(database)).filter(({ state }) => state === "open")).toEqual([]);
  }
  await opened.close();
});
