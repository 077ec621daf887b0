import * as fc from "fast-check";
import { expect, test } from "vitest";
import { findingId } from "../../src/findings/identity.ts";

const EXAMPLE = {
  account_id: "111122223333",
  arn: "arn:aws:personalize:us-east-1:111122223333:campaign/web",
  policy_id: "cost-allocation",
  rule_id: "cost-center",
  key: "CostCenter",
};

// Computed with Python's hashlib and struct.pack(">I", …), independently of this project.
test.each([
  [EXAMPLE, "2b06750b1310fa0a3caf4ea5402979c9c224f4c1cca7f14ea320ee8652f965a4"],
  [{ ...EXAMPLE, key: "" }, "93cfbdb726bda6a62985b1e75bc0bf235b5f2b5d9202c2b92804e91078cfc817"],
  [{ ...EXAMPLE, key: "Größe" }, "c0d92739820301e871628f3dc55a00ff866f33dd827ba195cf7f947072a247db"],
  [{ ...EXAMPLE, account_id: "000000000001" }, "19fde68e45c2c5837f4d958b11e0bda9f7cad3c65281726c081c20540c142ec9"],
])("the identity of %j stays what it is", (identity, id) => {
  expect(findingId(identity)).toBe(id);
});

test("different findings have different identities, however their parts are cut", () => {
  const part = fc.string({ maxLength: 4, unit: fc.constantFrom("a", "b", "/", ":", "é", "") });
  const identity = fc.record({
    account_id: part,
    arn: part,
    policy_id: fc.constantFrom("p", "q"),
    rule_id: fc.constantFrom("r", "s"),
    key: part,
  });
  fc.assert(
    fc.property(identity, identity, (a, b) => {
      expect(findingId(a) === findingId(b)).toBe(JSON.stringify(a) === JSON.stringify(b));
    }),
  );
});
