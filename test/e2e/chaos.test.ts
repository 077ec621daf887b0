import { expect, test } from "vitest";
import { unleash } from "../support/chaos.ts";

// `npm run chaos` is the same for five minutes and 200 targets.
test(
  "workers killed at random, a database that restarts, and an AWS that throttles, drops and loses: the scan ends, and right",
  { timeout: 600_000 },
  async () => {
    const after = await unleash({
      accounts: 3,
      regions: ["us-east-1", "eu-west-1", "us-west-2", "eu-central-1", "ap-south-1"],
      resources: 1500,
      workers: 4,
      seconds: 20,
      database_restarts: 1,
      seed: 7,
      say: () => {},
    });
    expect(after.kills).toBeGreaterThan(5);
    expect(new Set(after.scans.map(({ state }) => state))).toEqual(new Set(["succeeded"]));
    expect(after.scans[0]?.throttled).toBeGreaterThan(0.1);
    expect(after.found).toEqual(after.expected);
    expect(after.found.length).toBeGreaterThan(100);
    expect(after.recorded_twice).toBe(0);
    expect(after.unfinished).toBe(0);
  },
);
