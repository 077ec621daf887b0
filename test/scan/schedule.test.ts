import { expect, test } from "vitest";
import { checkSchedules, startSchedules } from "../../src/scan/schedule.ts";

test("a cron expression that is none is refused with the schedule's name", () => {
  expect(() => checkSchedules([{ id: "nightly", cron: "at three", time_zone: "UTC" }])).toThrow(
    /Schedule nightly: "at three" is not a cron expression/,
  );
  expect(() => checkSchedules([{ id: "nightly", cron: "0 3 * * 1-5", time_zone: "UTC" }])).not.toThrow();
});

test("a schedule fires by the clock of its time zone, with the full second as its slot", async () => {
  const soon = new Date(Math.ceil(Date.now() / 1000) * 1000 + 1000);
  const parts = new Intl.DateTimeFormat("en-GB", {
    timeZone: "Asia/Kolkata",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });
  const [hour, minute, second] = parts.format(soon).split(":").map(Number);
  const schedule = { id: "india", cron: `${second} ${minute} ${hour} * * *`, time_zone: "Asia/Kolkata" };
  const elsewhere = { id: "utc", cron: `${second} ${minute} ${hour} * * *`, time_zone: "UTC" };
  const fired: [string, string][] = [];
  const stop = startSchedules([schedule, elsewhere], ({ id }, slot) => fired.push([id, slot.toISOString()]));
  await new Promise((done) => setTimeout(done, soon.getTime() - Date.now() + 600));
  await stop();
  expect(fired).toEqual([["india", soon.toISOString()]]);
});
