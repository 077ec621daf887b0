import { expect, test } from "vitest";
import { forEachLimited } from "../../src/scan/for-each-limited.ts";

test("no more than the limit run at a time, and every item runs", async () => {
  let running = 0;
  let most = 0;
  const done: number[] = [];
  await forEachLimited([1, 2, 3, 4, 5], 2, async (item) => {
    most = Math.max(most, ++running);
    await Promise.resolve();
    running--;
    done.push(item);
  });
  expect(done.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5]);
  expect(most).toBe(2);
});

test("after a failure nothing new begins, and the failure is thrown once those under way have ended", async () => {
  const begun: number[] = [];
  const work = async (item: number) => {
    begun.push(item);
    if (item === 1) throw new Error("the first fails");
    await new Promise((done) => setTimeout(done, 5));
  };
  await expect(forEachLimited([1, 2, 3, 4, 5], 2, work)).rejects.toThrow("the first fails");
  expect(begun).toEqual([1, 2]);
});
