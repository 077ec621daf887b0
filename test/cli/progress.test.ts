import { expect, test } from "vitest";
import { progressText } from "../../src/cli/progress.ts";

const half = { units_done: 13, units: 26, resources: 120, calls: 60, throttled: 0 };

test.each([
  ["at once", half, 0.2, "Scanning: 13 of 26 units, 120 resources, 60 calls"],
  ["after a while", half, 30, "Scanning: 13 of 26 units, 120 resources, 60 calls, 2.0 a second, about 30 s left"],
  [
    "when calls were throttled, for hours",
    { ...half, units_done: 1, throttled: 7 },
    600,
    "Scanning: 1 of 26 units, 120 resources, 60 calls, 7 throttled, 0.1 a second, about 4 h 10 min left",
  ],
  ["at the end", { ...half, units_done: 26 }, 60, "Scanning: 26 of 26 units, 120 resources, 60 calls, 1.0 a second"],
])("a scan tells how far it is %s", (_, progress, seconds, text) => {
  expect(progressText(progress, seconds)).toBe(text);
});
