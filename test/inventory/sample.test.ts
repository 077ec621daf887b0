import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sampleOf } from "../../src/inventory/sample.ts";

const seeds = fc.string();
/** The places of the items that are in a sample. */
const placesOf = (share: number, seed: string, items: number) => {
  const sample = sampleOf(share, seed);
  return Array.from({ length: items }, (_, place) => place).filter(() => sample());
};

describe("a sample of a share", () => {
  test("has that share of the items, rounded up or down, however many there are", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), seeds, fc.nat(3000), (share, seed, items) => {
        const count = placesOf(share, seed, items).length;
        expect(count).toBeGreaterThanOrEqual(Math.floor(share * items - 1e-6));
        expect(count).toBeLessThanOrEqual(Math.ceil(share * items + 1e-6));
      }),
    );
  });

  test("of nothing is nothing, and of all is all", () => {
    expect(placesOf(0, "a", 1000)).toEqual([]);
    expect(placesOf(1, "a", 1000)).toHaveLength(1000);
  });

  test("is the same by the same seed, and by different ones each item comes to its turn about as often", () => {
    expect(placesOf(0.05, "a", 1000)).toEqual(placesOf(0.05, "a", 1000));
    const turns = Array.from({ length: 20 }, () => 0);
    for (let scan = 0; scan < 4000; scan++)
      for (const place of placesOf(0.05, `scan ${scan}`, 20)) turns[place] = (turns[place] ?? 0) + 1;
    for (const count of turns) expect(count / 4000).toBeCloseTo(0.05, 1);
    expect(Math.min(...turns)).toBeGreaterThan(100);
  });
});
