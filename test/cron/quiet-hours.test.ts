import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DAYS, type QuietHours, quietAt } from "../../src/cron/quiet-hours.ts";

const office: QuietHours = {
  days: ["mon", "tue", "wed", "thu", "fri"],
  from: "08:00",
  to: "18:00",
  time_zone: "Europe/Berlin",
};
const night: QuietHours = { days: ["fri"], from: "22:00", to: "06:00", time_zone: "UTC" };

describe("quiet hours", () => {
  test.each([
    ["2026-11-24T06:59:59Z", false],
    ["2026-11-24T07:00:00Z", true],
    ["2026-11-24T16:59:59Z", true],
    ["2026-11-24T17:00:00Z", false],
    ["2026-11-28T12:00:00Z", false],
    // In summer the wall is two hours ahead.
    ["2026-07-01T06:00:00Z", true],
    ["2026-07-01T16:00:00Z", false],
  ])("of an office in Berlin at %s: %s", (instant, quiet) => {
    expect(quietAt([office], new Date(instant)) !== null).toBe(quiet);
  });

  test.each([
    ["2026-11-27T21:59:00Z", false],
    ["2026-11-27T22:00:00Z", true],
    ["2026-11-28T05:59:00Z", true],
    ["2026-11-28T06:00:00Z", false],
    ["2026-11-27T05:00:00Z", false],
  ])("that go over midnight belong to the day on which they begin: %s is %s", (instant, quiet) => {
    expect(quietAt([night], new Date(instant)) !== null).toBe(quiet);
  });

  test("say when they are and where", () => {
    expect(quietAt([office], new Date("2026-11-24T12:00:00Z"))).toBe(
      "quiet hours: nothing is changed from 08:00 to 18:00 (Europe/Berlin)",
    );
  });

  test("from a time to the same time are the whole day", () => {
    const all = { days: [...DAYS], from: "09:30", to: "09:30", time_zone: "America/New_York" };
    fc.assert(
      fc.property(fc.date({ min: new Date("2020-01-01"), max: new Date("2035-01-01"), noInvalidDate: true }), (at) => {
        expect(quietAt([all], at)).not.toBeNull();
      }),
    );
  });
});
