import { expect, test } from "vitest";
import { timingProblems } from "../../src/cron/problems.ts";

const good = { cron: "30 2 * * *", time_zone: "Europe/Berlin", jitter_seconds: 0 };

test.each([
  ["every minute", { cron: "* * * * *" }],
  ["lists, ranges, steps and names", { cron: "0,30 8-18/2 * JAN-JUN mon-fri" }],
  ["spaces around and between", { cron: "  0  3 * * * " }],
  ["a day that only some months have", { cron: "0 0 31 * *" }],
  ["a day of the week beside a day that no such month has", { cron: "0 0 30 2 1" }],
  ["a leap day", { cron: "0 0 29 2 *", jitter_seconds: 3600 }],
  ["a jitter that ends before the next slot", { cron: "*/5 * * * *", jitter_seconds: 299 }],
])("%s is fine", (_, change) => {
  expect(timingProblems({ ...good, ...change })).toEqual([]);
});

test.each([
  ["a word", { cron: "at three" }, "cron", /five fields: minute, hour, day of the month, month and day of the week/],
  ["nothing", { cron: "" }, "cron", /five fields/],
  ["seconds", { cron: "0 30 2 * * *" }, "cron", /five fields/],
  ["a minute beyond the hour", { cron: "61 * * * *" }, "cron", /^The minute, "61", is none: 0 to 59/],
  ["an hour beyond the day", { cron: "0 24 * * *" }, "cron", /^The hour, "24", is none: 0 to 23/],
  ["a month that is none", { cron: "0 0 1 foo *" }, "cron", /^The month, "foo", is none: 1 to 12, or JAN to DEC/],
  ["a range that runs backwards", { cron: "0 0 * * 5-1" }, "cron", /^The day of the week, "5-1", is none/],
  ["a step of none", { cron: "*/0 * * * *" }, "cron", /^The minute/],
  ["what other crons know and crontab does not", { cron: "0 0 L * *" }, "cron", /^The day of the month, "L", is none/],
  ["a hash", { cron: "H 0 * * *" }, "cron", /^The minute, "H", is none/],
  ["a day that never comes", { cron: "0 0 30 2 *" }, "cron", /never comes: there is no such day/],
  ["a zone that is none", { time_zone: "Mars/Base" }, "time_zone", /"Mars\/Base" is not a time zone/],
  ["a jitter as long as a day", { jitter_seconds: 86_400 }, "jitter_seconds", /two of them can be 86400 s apart/],
  ["a jitter beyond the shortest way", { cron: "0,10 3 * * *", jitter_seconds: 600 }, "jitter_seconds", /600 s apart/],
])("%s is said to be wrong, and where", (_, change, field, message) => {
  const [problem, ...more] = timingProblems({ ...good, ...change });
  expect(problem?.field).toBe(field);
  expect(problem?.message).toMatch(message);
  expect(more).toEqual([]);
});

test("a cron expression and a time zone that are both wrong are both named", () => {
  const found = timingProblems({ cron: "x", time_zone: "Mars/Base", jitter_seconds: 0 });
  expect(found.map(({ field }) => field)).toEqual(["cron", "time_zone"]);
});
