import { afterEach, expect, test } from "vitest";
import { readUnit } from "../../src/inventory/aws/read-unit.ts";
import { type Aws, openAws } from "../../src/inventory/aws/session.ts";
import { DEFAULT_LIMITS } from "../../src/inventory/limiter.ts";
import type { UnitOutcome } from "../../src/inventory/resource.ts";
import { RESOURCE_TYPE_NAMES } from "../../src/inventory/resource-types.ts";
import { type Sandbox, sandboxCredentials, type SandboxOptions, startSandbox } from "../../src/sandbox/server.ts";

let sandbox: Sandbox;
let aws: Aws;
afterEach(async () => {
  aws?.close();
  await sandbox?.close();
});

/** Reads a target with the limits and the patience that are set by default. */
async function readTarget(options: SandboxOptions): Promise<UnitOutcome[]> {
  sandbox = await startSandbox({ accounts: 0, regions: ["us-east-1"], ...options });
  const target = { account_id: sandbox.organization.management_account_id, region: "us-east-1" };
  aws = openAws({
    endpoint: sandbox.url,
    region: "us-east-1",
    credentials: sandboxCredentials(target.account_id),
    limits: DEFAULT_LIMITS,
    patience_ms: 60_000,
  });
  const api = await aws.target(target);
  return Promise.all(
    RESOURCE_TYPE_NAMES.map(async (type) => {
      const about = { stored: async () => new Map(), confirm_all: false, now: () => new Date() };
      const reading = readUnit(api, type, about);
      for await (const _ of reading.observations);
      return reading.outcome();
    }),
  );
}

const FIVE = { burst: 5, per_second: 5 };

test.each<[string, SandboxOptions]>([
  [
    "readings of single resources",
    { resources: 45, never_tagged_share: 1, rate_limits: { ListTagsForResource: FIVE } },
  ],
  ["lists", { resources: 6000, never_tagged_share: 0, rate_limits: { "List*": FIVE, ListTagsForResource: FIVE } }],
  ["every call", { resources: 400, never_tagged_share: 0.05, rate_limits: { "*": FIVE } }],
])("AWS allows five calls a second of %s: it throttles, and every unit is complete", async (_, options) => {
  const outcomes = await readTarget(options);
  expect(aws.calls.throttled).toBeGreaterThan(0);
  for (const outcome of outcomes) expect(outcome).toMatchObject({ state: "complete", unread: 0, error: null });
  expect(outcomes.reduce((sum, { resources }) => sum + resources, 0)).toBe([...sandbox.resources()].length);
});
