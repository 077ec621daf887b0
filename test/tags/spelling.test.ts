import { describe, expect, test } from "vitest";
import { nearestWord, nearMiss } from "../../src/tags/spelling.ts";

describe("a key that looks like a slip of another", () => {
  test.each([
    ["CostCenter", "costcenter"],
    ["CostCenter", "cost-center"],
    ["CostCenter", "Cost Center"],
    ["CostCenter", "COST_CENTER"],
    ["CostCenter", "cost:center"],
    ["CostCenter", "CostCentre"],
    ["Environment", "Enviroment"],
    ["Environment", "environments"],
    ["Owner", "owner "],
    ["Owner", "Ower"],
    ["Env", "ENV"],
  ])("%s: %j is near", (key, candidate) => expect(nearMiss(key, ["Unrelated", candidate])).toBe(candidate));

  test.each([
    ["CostCenter", "CostCenter"],
    ["CostCenter", "BusinessUnit"],
    ["Env", "End"],
    ["Team", "Term"],
    ["Owner", "Order"],
    ["Environment", "env"],
    ["-", "_"],
    ["Owner", ""],
  ])("%s: %j is not", (key, candidate) => expect(nearMiss(key, [candidate])).toBeNull());

  test("is the closest of several, then the first by its characters", () => {
    expect(nearMiss("Environment", ["Enviroment", "ENVIRONMENT", "environment"])).toBe("ENVIRONMENT");
    expect(nearMiss("Environment", ["environment", "ENVIRONMENT"])).toBe("ENVIRONMENT");
  });
});

test("a hint names the word probably meant, or none", () => {
  expect(nearestWord("sevrity", ["id", "severity", "message"])).toBe("severity");
  expect(nearestWord("keys", ["key", "id"])).toBe("key");
  expect(nearestWord("zebra", ["key", "id"])).toBeNull();
});
