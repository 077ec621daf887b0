import * as fc from "fast-check";
import { expect, test } from "vitest";
import { canarySize, canaryVerdict, splitCanary } from "../../src/remediation/canary.ts";

const action = fc.record({
  account_id: fc.constantFrom("111122223333", "444455556666"),
  region: fc.constantFrom("us-east-1", "eu-west-1"),
  type: fc.constantFrom("campaign", "solution"),
  position: fc.nat(),
});

test("a canary is a share of the plan, at least so many, and never more than there is", () => {
  expect(canarySize(1000, { share: 0.05, least: 5 })).toBe(50);
  expect(canarySize(30, { share: 0.05, least: 5 })).toBe(5);
  expect(canarySize(3, { share: 0.05, least: 5 })).toBe(3);
  expect(canarySize(1000, { share: 0, least: 0 })).toBe(0);
});

test("every action is in one of the two parts, in its order, and no account, region and type waits while another is tried twice", () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), fc.integer({ min: -3, max: 45 }), (actions, size) => {
      const { first, rest } = splitCanary(actions, size);
      expect(first).toHaveLength(Math.min(Math.max(size, 0), actions.length));
      expect([...first, ...rest].toSorted(by(actions))).toEqual(actions);
      const nameOf = (one: (typeof actions)[number]) => `${one.account_id}/${one.region}/${one.type}`;
      const tried = Map.groupBy(first, nameOf);
      const most = Math.max(0, ...[...tried.values()].map(({ length }) => length));
      for (const one of rest) expect(tried.get(nameOf(one))?.length ?? 0).toBeGreaterThanOrEqual(most - 1);
    }),
  );
});

test("some failures of few are enough to hold the rest back, none is not", () => {
  expect(canaryVerdict(5, 0, 0)).toBeNull();
  expect(canaryVerdict(0, 1, 0.2)).toBeNull();
  expect(canaryVerdict(10, 1, 0.2)).toBeNull();
  expect(canaryVerdict(5, 1, 0.2)).toMatch(/of the first 5 actions.*1 failed/);
});

function by<Item>(order: readonly Item[]): (a: Item, b: Item) => number {
  return (a, b) => order.indexOf(a) - order.indexOf(b);
}
