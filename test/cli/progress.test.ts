import { expect, test } from "vitest";
import { applyProgressText } from "../../src/cli/apply-progress.ts";
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

test("applying a plan says how far it is, what became of what, and how long it may take", () => {
  expect(applyProgressText({ total: 340, ends: {} }, 0)).toBe("Applying: 0 of 340 resources");
  expect(applyProgressText({ total: 340, ends: { verified: 150, conflict: 20 } }, 17)).toBe(
    "Applying: 170 of 340 resources, 150 verified, 20 conflict, about 17 s left",
  );
  expect(applyProgressText({ total: 2, ends: { verified: 2 } }, 9)).toBe("Applying: 2 of 2 resources, 2 verified");
});
