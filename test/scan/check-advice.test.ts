import { expect, test } from "vitest";
import { adviceFor, type Asker } from "../../src/scan/check-advice.ts";

const asker: Asker = {
  caller: { account_id: "111122223333", arn: "arn:aws:iam::111122223333:role/tagwarden", partition: "aws" },
  role: "Audit",
  external_id: undefined,
};
const advice = (action: string, name: string, message: string, account_id = "444455556666", given = asker) =>
  adviceFor({ account_id, region: null, action, state: "failed", error: { name, message, operation: "x" } }, given);

test.each([
  [
    "sts:AssumeRole",
    "because no identity-based policy allows the sts:AssumeRole action",
    /^Allow sts:AssumeRole on arn:aws:iam::444455556666:role\/Audit to arn:aws:iam::111122223333:role\/tagwarden\./,
  ],
  ["sts:AssumeRole", "not authorized to perform: sts:AssumeRole", /no role .*trust policy .*external_id is not set/],
  [
    "personalize:ListFilters",
    "no identity-based policy allows it",
    /^Allow personalize:ListFilters to the role .*Audit/,
  ],
  [
    "personalize:ListFilters",
    "no session policy allows it",
    /targets\.session_policy\.scan leaves out personalize:ListFilters/,
  ],
  ["personalize:ListFilters", "with an explicit deny in a service control policy", /service control policy .* denies/],
  ["personalize:ListFilters", "no permissions boundary allows it", /permissions boundary of the role/],
  ["personalize:ListFilters", "with an explicit deny in an identity-based policy", /^A policy denies/],
  ["tag:GetResources", "no identity-based policy allows it", /Without it a scan asks the service for every resource/],
  [
    "cloudtrail:LookupEvents",
    "no identity-based policy allows it",
    /^Allow cloudtrail:LookupEvents to the role .*docs\/iam\/lookup\.json .*Without it nobody is named/,
  ],
])("of %s, refused as %j, it is said what stands in the way", (action, message, expected) => {
  expect(advice(action, "AccessDeniedException", message)).toMatch(expected);
});

test("where an external id is set, another one may be asked for", () => {
  const given = { ...asker, external_id: "mine" };
  expect(advice("sts:AssumeRole", "AccessDenied", "not authorized", "444455556666", given)).toContain(
    "it asks for another external id than targets.external_id",
  );
});

test("in the caller's own account the caller is who needs the permission", () => {
  expect(advice("tag:GetResources", "AccessDeniedException", "no", "111122223333")).toContain(
    "Allow tag:GetResources to arn:aws:iam::111122223333:role/tagwarden",
  );
});

test("an error that is no refusal is left to say what it says", () => {
  expect(advice("personalize:ListFilters", "ENOTFOUND", "region eu-north-1 does not answer")).toBeNull();
  expect(adviceFor({ account_id: "1", region: null, action: "x", state: "ok", error: null }, asker)).toBeNull();
});
