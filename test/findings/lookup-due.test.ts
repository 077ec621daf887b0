import { expect, test } from "vitest";
import { isLookupDue } from "../../src/findings/fights.ts";
import type { FightDetail } from "../../src/policy/verdict.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const REVERTED = Date.parse("2026-03-02T00:00:00Z");

const fight: FightDetail = {
  policy_id: "p",
  rule_id: "environment",
  reverts: 2,
  repaired_at: new Date(REVERTED - DAY_MS).toISOString(),
  reverted_at: new Date(REVERTED).toISOString(),
};

const error = (name: string) => ({ name, message: "no", operation: "LookupEvents" });

/** Minutes after the revert at which CloudTrail is asked, with a scan every so many minutes and nobody ever named. */
function askedAt(first: number, every: number, answer: "nobody" | "TooManyEventsError" = "nobody"): number[] {
  const asked: number[] = [];
  let known = fight;
  for (let minute = first; minute < 7 * 24 * 60; minute += every) {
    const now = new Date(REVERTED + minute * MINUTE_MS);
    if (!isLookupDue(known, now)) continue;
    asked.push(minute);
    const at = now.toISOString();
    const lookup =
      answer === "nobody" ? { outcome: answer, at } : { outcome: "failed" as const, at, error: error(answer) };
    known = { ...known, lookup };
  }
  return asked;
}

test("who is not named is asked for again, after 15 minutes and then ever later, until the fight is a day old", () => {
  expect(askedAt(0, 1)).toEqual([0, 15, 30, 60, 120, 240, 480, 960, 1920]);
  expect(askedAt(1, 60)).toEqual([1, 61, 181, 421, 901, 1861]);
});

test("more calls than are read are no reason to read them at every scan", () => {
  expect(askedAt(1, 60, "TooManyEventsError")).toEqual(askedAt(1, 60));
});

test("a fight that is older than a day when it is first asked about is asked about once", () => {
  expect(askedAt(3 * 24 * 60, 60)).toEqual([3 * 24 * 60]);
});

test("what could not be asked is due at every scan, until CloudTrail has forgotten the time of the repair", () => {
  const lookup = { outcome: "failed", at: fight.reverted_at, error: error("AccessDeniedException") } as const;
  const failed: FightDetail = { ...fight, lookup };
  const after = (days: number) => new Date(REVERTED + days * DAY_MS);
  expect([0, 1, 30, 88.9].map((days) => isLookupDue(failed, after(days)))).toEqual([true, true, true, true]);
  expect(isLookupDue(failed, after(89))).toBe(false);
  expect(isLookupDue(fight, after(89))).toBe(false);
});

test("nobody is asked about a fight whose opponent is known", () => {
  expect(isLookupDue({ ...fight, by: { principal: "x", at: fight.reverted_at } }, new Date(REVERTED))).toBe(false);
});
