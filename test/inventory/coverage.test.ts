import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isMissing, isWorthAsking, learn } from "../../src/inventory/coverage.ts";
import type { Coverage, Resource, StoredReading, Unit } from "../../src/inventory/resource.ts";

const now = new Date("2026-05-04T10:00:00Z");
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const ago = (milliseconds: number) => new Date(now.getTime() - milliseconds);
const later = (milliseconds: number) => ago(-milliseconds);

const unit: Unit = { partition: "aws", account_id: "111122223333", region: "us-east-1", type: "solution-version" };
const covered: Coverage = { covered: true, returned: 40, missing: 0, learned_at: ago(30 * DAY) };
const uncovered: Coverage = { covered: false, returned: 0, missing: 12, learned_at: now };

describe("what is learned of one scan", () => {
  test.each([
    ["one resource was returned", null, { asked: true, returned: 1, missing: 0 }, true],
    ["one was returned and many are missing", null, { asked: true, returned: 1, missing: 90 }, true],
    ["three are missing and none was returned", null, { asked: true, returned: 0, missing: 3 }, false],
    ["two are missing", null, { asked: true, returned: 0, missing: 2 }, null],
    ["nothing was seen", null, { asked: true, returned: 0, missing: 0 }, null],
    ["the index could not be asked", null, { asked: false, returned: 0, missing: 0 }, null],
    ["it is as known", covered, { asked: true, returned: 40, missing: 0 }, null],
    ["what was covered once stays so", covered, { asked: true, returned: 0, missing: 90 }, null],
    ["an answer came before what is known was", uncovered, { asked: true, returned: 0, missing: 9 }, null],
    ["AWS has added the type", uncovered, { asked: true, returned: 5, missing: 0 }, true],
  ])("%s", (_, before, evidence, expected) => {
    const learned = learn(before, evidence, unit, now);
    expect(learned?.covered ?? null).toBe(expected);
    if (learned) expect(learned).toMatchObject({ returned: evidence.returned, missing: evidence.missing });
  });

  test("asked again in vain, even without new evidence, the index has its rest again", () => {
    for (const missing of [0, 12]) {
      const again = learn(uncovered, { asked: true, returned: 0, missing }, unit, later(9 * DAY));
      expect(again).toMatchObject({ covered: false, learned_at: later(9 * DAY) });
    }
  });
});

describe("the index", () => {
  const everywhere = Array.from({ length: 300 }, (_, number) => ({
    ...unit,
    account_id: String(number).padStart(12, "0"),
  }));
  const asked = (milliseconds: number) =>
    everywhere.filter((one) => isWorthAsking(uncovered, one, later(milliseconds))).length;

  test("is asked about what it covers, and where nothing is known", () => {
    for (const known of [null, undefined, covered]) expect(isWorthAsking(known, unit, now)).toBe(true);
  });

  test("is not asked about what it does not cover for six days; after eight it is, and the units spread between", () => {
    expect(asked(0)).toBe(0);
    expect(asked(5.99 * DAY)).toBe(0);
    expect(asked(7 * DAY) / everywhere.length).toBeGreaterThan(0.3);
    expect(asked(7 * DAY) / everywhere.length).toBeLessThan(0.7);
    expect(asked(8 * DAY)).toBe(everywhere.length);
  });

  test("is asked when what is known comes from a clock that was ahead", () => {
    expect(isWorthAsking({ ...uncovered, learned_at: later(DAY) }, unit, now)).toBe(true);
  });

  test("is always asked again some day, whatever was seen in whatever order", () => {
    const evidence = fc.record({ asked: fc.boolean(), returned: fc.nat(3), missing: fc.nat(6) });
    fc.assert(
      fc.property(fc.array(fc.tuple(evidence, fc.nat(30)), { maxLength: 20 }), (scans) => {
        let known: Coverage | null = null;
        let at = now.getTime();
        let returned = 0;
        for (const [seen, days] of scans) {
          at += days * DAY;
          const here = new Date(at);
          // Who does not ask sees nothing.
          const asks = isWorthAsking(known, unit, here);
          const shown = asks && seen.asked ? seen : { asked: false, returned: 0, missing: 0 };
          returned += shown.returned;
          known = learn(known, shown, unit, here) ?? known;
          expect(isWorthAsking(known, unit, new Date(at + 8 * DAY))).toBe(true);
          // Not asking is never learned where the index had returned something.
          if (returned > 0) expect(isWorthAsking(known, unit, here)).toBe(true);
        }
      }),
    );
  });
});

describe("a resource that the index did not return", () => {
  const resource = (created_at: Date | null): Resource => ({
    arn: "arn:aws:personalize:us-east-1:111122223333:solution/s/v",
    account_id: unit.account_id,
    region: unit.region,
    type: unit.type,
    name: "s",
    status: "ACTIVE",
    created_at,
    updated_at: null,
    summary: {},
  });
  const stored = (tags: Record<string, string>, service_read_at: Date | null): StoredReading => ({
    tags,
    source: "service",
    service_read_at,
    in_index: false,
    created_at: ago(DAY),
    reading_error: null,
  });
  const tags = { Owner: "a@example.com" };

  test.each([
    ["an old one with tags", ago(DAY), tags, undefined, true],
    ["one without tags: it may never have had any", ago(DAY), {}, undefined, false],
    ["one with tags of AWS only", ago(DAY), { "aws:cloudformation:stack-name": "s" }, undefined, false],
    ["one that is younger than an hour", ago(HOUR / 2), tags, undefined, false],
    ["one that is of unknown age", null, tags, undefined, false],
    ["one whose tags were the same hours ago", ago(DAY), tags, stored(tags, ago(2 * HOUR)), true],
    ["one whose tags changed since they were read", ago(DAY), tags, stored({}, ago(2 * HOUR)), false],
    ["one whose tags were written minutes ago", ago(DAY), tags, stored(tags, ago(60_000)), false],
  ])("%s", (_, created_at, found, known, expected) => {
    expect(isMissing(resource(created_at), found, known, now)).toBe(expected);
  });
});
