import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nextSlots, slotsIn } from "../../src/cron/slots.ts";
import { wallAt } from "../../src/cron/zone.ts";

const HOUR = 3_600_000;

/** The slots of an interval, as ISO instants without what never differs. */
function slots(cron: string, time_zone: string, after: string, until: string): string[] {
  return slotsIn({ cron, time_zone }, new Date(after), new Date(until)).map((slot) => slot.toISOString().slice(0, 16));
}

describe("a time that clocks skip in spring has its slot once, right after the gap", () => {
  test.each([
    ["30 2 * * *", "Europe/Berlin", "2026-03-28", ["28T01:30", "29T01:00", "30T00:30"]],
    ["0 2 * * *", "Europe/Berlin", "2026-03-28", ["28T01:00", "29T01:00", "30T00:00"]],
    // The time right after the gap and those in it are one slot.
    [
      "0,30 2,3 * * *",
      "Europe/Berlin",
      "2026-03-29",
      ["29T01:00", "29T01:30", "30T00:00", "30T00:30", "30T01:00", "30T01:30"],
    ],
    ["30 2 * * *", "America/New_York", "2026-03-07", ["07T07:30", "08T07:00", "09T06:30"]],
    // Half an hour is skipped: from 2:00 to 2:30, which is 15:30 in UTC.
    ["10 2 * * *", "Australia/Lord_Howe", "2026-10-02", ["02T15:40", "03T15:30", "04T15:10"]],
    // Midnight itself was skipped.
    ["0 0 * * *", "America/Sao_Paulo", "2018-11-03", ["03T03:00", "04T03:00", "05T02:00"]],
    // A whole day was skipped.
    ["0 12 * * *", "Pacific/Apia", "2011-12-29", ["29T22:00", "30T10:00", "30T22:00"]],
  ])("%s in %s around %s", (cron, time_zone, day, expected) => {
    const found = nextSlots({ cron, time_zone }, new Date(day), expected.length);
    expect(found.map((slot) => slot.toISOString().slice(8, 16))).toEqual(expected);
  });
});

describe("a time that clocks show twice in autumn has its slot once, at the first showing", () => {
  test.each([
    ["30 2 * * *", "Europe/Berlin", "2026-10-24", ["24T00:30", "25T00:30", "26T01:30"]],
    ["0 3 * * *", "Europe/Berlin", "2026-10-24", ["24T01:00", "25T02:00", "26T02:00"]],
    ["30 1 * * *", "America/New_York", "2026-10-31", ["31T05:30", "01T05:30", "02T06:30"]],
    ["45 1 * * *", "Australia/Lord_Howe", "2026-04-03", ["03T14:45", "04T14:45", "05T15:15"]],
    ["30 23 * * *", "America/Sao_Paulo", "2018-02-17", ["17T01:30", "18T01:30", "19T02:30"]],
    ["0 0 * * *", "America/Sao_Paulo", "2018-02-17", ["17T02:00", "18T03:00", "19T03:00"]],
  ])("%s in %s around %s", (cron, time_zone, day, expected) => {
    const found = nextSlots({ cron, time_zone }, new Date(day), expected.length);
    expect(found.map((slot) => slot.toISOString().slice(8, 16))).toEqual(expected);
  });
});

describe("a wildcard follows the clock: each showing counts, and what is skipped does not", () => {
  test("every hour is every real hour, in spring and in autumn", () => {
    const hours = (day: string) =>
      slots("0 * * * *", "Europe/Berlin", `${day}T23:00:00Z`, `${day.slice(0, 8)}31T00:00:00Z`);
    expect(hours("2026-03-28").slice(0, 4)).toEqual([
      "2026-03-29T00:00",
      "2026-03-29T01:00",
      "2026-03-29T02:00",
      "2026-03-29T03:00",
    ]);
    expect(hours("2026-10-24").slice(0, 4)).toEqual([
      "2026-10-25T00:00",
      "2026-10-25T01:00",
      "2026-10-25T02:00",
      "2026-10-25T03:00",
    ]);
  });

  test("every ten minutes is every ten real minutes where clocks go back by half an hour", () => {
    const found = slots("*/10 * * * *", "Australia/Lord_Howe", "2026-04-04T14:00:00Z", "2026-04-04T16:00:00Z");
    expect(found).toHaveLength(12);
  });

  test("the first minute of an hour comes when clocks show it, an hour and a half apart where they go back by half of one", () => {
    expect(slots("0 * * * *", "Australia/Lord_Howe", "2026-04-04T13:30:00Z", "2026-04-04T17:00:00Z")).toEqual([
      "2026-04-04T14:00",
      "2026-04-04T15:30",
      "2026-04-04T16:30",
    ]);
  });

  test("with the minute as a wildcard an hour that is skipped is left out, and one that comes twice comes twice", () => {
    expect(slots("*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z")).toEqual([]);
    expect(slots("*/30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z")).toEqual([
      "2026-10-25T00:00",
      "2026-10-25T00:30",
      "2026-10-25T01:00",
      "2026-10-25T01:30",
    ]);
  });
});

describe("the calendar", () => {
  test.each([
    [
      "half an hour off UTC",
      "0 3 * * *",
      "Asia/Kolkata",
      "2026-01-01T00:00:00Z",
      ["2026-01-01T21:30", "2026-01-02T21:30"],
    ],
    ["UTC", "0 3 * * *", "UTC", "2026-01-01T00:00:00Z", ["2026-01-01T03:00", "2026-01-02T03:00"]],
    ["a leap day, over a year that has none", "0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", ["2104-02-29T00:00"]],
    [
      "the 31st, where there is one",
      "0 0 31 * *",
      "UTC",
      "2026-01-01T00:00:00Z",
      ["2026-01-31T00:00", "2026-03-31T00:00", "2026-05-31T00:00"],
    ],
    [
      "a day of the month or of the week",
      "0 0 13 * 5",
      "UTC",
      "2026-01-01T00:00:00Z",
      ["2026-01-02T00:00", "2026-01-09T00:00", "2026-01-13T00:00"],
    ],
    [
      "both, where one begins with *",
      "0 0 */2 * 1",
      "UTC",
      "2026-01-01T00:00:00Z",
      ["2026-01-05T00:00", "2026-01-19T00:00"],
    ],
    [
      "Sunday as 0, as 7 and by its name",
      "0 0 * * 7",
      "UTC",
      "2026-01-01T00:00:00Z",
      ["2026-01-04T00:00", "2026-01-11T00:00"],
    ],
    [
      "names of months and days",
      "0 0 * FEB MON-TUE",
      "UTC",
      "2026-01-01T00:00:00Z",
      ["2026-02-02T00:00", "2026-02-03T00:00"],
    ],
    [
      "the local day, not that of UTC",
      "0 1 1 * *",
      "Asia/Tokyo",
      "2026-01-05T00:00:00Z",
      ["2026-01-31T16:00", "2026-02-28T16:00"],
    ],
  ])("%s: %s in %s", (_, cron, time_zone, after, expected) => {
    const found = nextSlots({ cron, time_zone }, new Date(after), expected.length);
    expect(found.map((slot) => slot.toISOString().slice(0, 16))).toEqual(expected);
  });

  test("a slot at the end of an interval is in it, one at its beginning is not", () => {
    expect(slots("0 3 * * *", "UTC", "2026-01-01T03:00:00Z", "2026-01-02T03:00:00Z")).toEqual(["2026-01-02T03:00"]);
    expect(slots("0 3 * * *", "UTC", "2026-01-02T03:00:00Z", "2026-01-01T03:00:00Z")).toEqual([]);
  });
});

describe("laws", () => {
  const zone = fc.constantFrom(...Intl.supportedValuesOf("timeZone"), "UTC");
  const cron = fc.constantFrom(
    "0 * * * *",
    "*/7 * * * *",
    "30 2 * * *",
    "0,30 0-3 * * *",
    "*/15 1 * * *",
    "0 */2 * * *",
    "59 23 31 * *",
    "5 1 1 * 0",
    "17 2 */3 * 1-5",
  );
  /** Between 2000 and 2035. */
  const instant = fc.integer({ min: 946_684_800, max: 2_051_222_400 }).map((seconds) => seconds * 1000);
  const span = fc.integer({ min: 0, max: 40 * 24 * 60 }).map((minutes) => minutes * 60_000);
  const of = (timing: { cron: string; time_zone: string }, after: number, until: number) =>
    slotsIn(timing, new Date(after), new Date(until)).map((slot) => slot.getTime());

  test("the slots of two intervals that meet are those of the whole, each once and in order", () => {
    fc.assert(
      fc.property(zone, cron, instant, span, span, (time_zone, cron, a, first, second) => {
        const [b, c] = [a + first, a + first + second];
        const whole = of({ cron, time_zone }, a, c);
        expect([...of({ cron, time_zone }, a, b), ...of({ cron, time_zone }, b, c)]).toEqual(whole);
        expect(new Set(whole).size).toBe(whole.length);
        expect(whole).toEqual(whole.toSorted((x, y) => x - y));
      }),
      { numRuns: 60 },
    );
  });

  test("the next slots are the first ones of any interval that is long enough", () => {
    fc.assert(
      fc.property(zone, cron, instant, (time_zone, cron, after) => {
        const next = nextSlots({ cron, time_zone }, new Date(after), 3).map((slot) => slot.getTime());
        expect(next).toEqual(of({ cron, time_zone }, after, next.at(-1) ?? after));
        expect(next).toHaveLength(3);
      }),
      { numRuns: 60 },
    );
  });

  test("a time of the day has exactly one slot between two noons, in every zone and whatever clocks do", () => {
    const time = fc.record({ hour: fc.integer({ min: 0, max: 11 }), minute: fc.integer({ min: 0, max: 59 }) });
    fc.assert(
      fc.property(zone, time, instant, (time_zone, { hour, minute }, near) => {
        // No zone changes its clock around noon in these years, but where it skips a day.
        fc.pre(time_zone !== "Pacific/Apia" && time_zone !== "Pacific/Fakaofo");
        const noons = of({ cron: "0 12 * * *", time_zone }, near, near + 130 * 24 * HOUR);
        const found = of({ cron: `${minute} ${hour} * * *`, time_zone }, noons[0] ?? near, noons.at(-1) ?? near);
        const days = noons.slice(1).map((noon, i) => found.filter((slot) => slot > (noons[i] ?? 0) && slot <= noon));
        expect(days.filter((slots) => slots.length !== 1)).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });

  test("a wildcard's slots are the minutes at which a clock of the zone shows a time that matches", () => {
    fc.assert(
      fc.property(zone, instant, (time_zone, from) => {
        const after = Math.floor(from / 60_000) * 60_000;
        const matching: number[] = [];
        for (let at = after + 60_000; at <= after + 30 * HOUR; at += 60_000) {
          const wall = new Date(wallAt(time_zone, at));
          if (wall.getUTCMinutes() % 20 === 0 && wall.getUTCHours() % 2 === 0 && wall.getUTCSeconds() === 0)
            matching.push(at);
        }
        expect(of({ cron: "*/20 */2 * * *", time_zone }, after, after + 30 * HOUR)).toEqual(matching);
      }),
      { numRuns: 60 },
    );
  });
});
