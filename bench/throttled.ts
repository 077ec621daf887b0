// How much a target gets done when AWS lets it make few calls a second: real time, real HTTP, the limits that are set by default.
import { readUnit } from "../src/inventory/aws/read-unit.ts";
import { openAws } from "../src/inventory/aws/session.ts";
import { DEFAULT_LIMITS } from "../src/inventory/limiter.ts";
import { RESOURCE_TYPE_NAMES } from "../src/inventory/resource-types.ts";
import { sandboxCredentials, type SandboxOptions, startSandbox } from "../src/sandbox/server.ts";

const PER_SECOND = 5;
/** The service lets this many calls through at once before it throttles. */
const BURST = 5;

/** What reading a target took, and the least that it could take at that rate. */
export type Throttled = { seconds: number; least_seconds: number; throttled: number; failed_units: number };

/** A target in which nearly every call is one for the tags of a single resource. */
export function throttledReads(resources: number): Promise<Throttled> {
  return read({ resources, never_tagged_share: 1 }, "ListTagsForResource");
}

/** A target whose longest list decides: its pages come one after the other. */
export function throttledLists(resources: number): Promise<Throttled> {
  return read({ resources, never_tagged_share: 0 }, "List*");
}

async function read(options: SandboxOptions, operation: string): Promise<Throttled> {
  const rate_limits = { [operation]: { burst: BURST, per_second: PER_SECOND } };
  const sandbox = await startSandbox({ ...options, accounts: 0, regions: ["us-east-1"], rate_limits });
  sandbox.setLatency(50);
  const account_id = sandbox.organization.management_account_id;
  const aws = openAws({
    endpoint: sandbox.url,
    region: "us-east-1",
    credentials: sandboxCredentials(account_id),
    // The index is not what is measured.
    limits: { ...DEFAULT_LIMITS, index: { burst: 1000, per_second: 1000 } },
    patience_ms: 60_000,
  });
  try {
    const api = await aws.target({ account_id, region: "us-east-1" });
    const began = performance.now();
    const outcomes = await Promise.all(
      RESOURCE_TYPE_NAMES.map(async (type) => {
        const about = { stored: async () => new Map(), confirm_all: false, now: () => new Date() };
        const reading = readUnit(api, type, about);
        for await (const _ of reading.observations);
        return { type, ...reading.outcome() };
      }),
    );
    const seconds = (performance.now() - began) / 1000;
    const reads = outcomes.reduce((sum, { readings }) => sum + (readings?.service ?? 0), 0);
    const calls = operation.endsWith("*") ? Math.max(...outcomes.map(({ pages }) => pages)) : reads;
    return {
      seconds,
      least_seconds: (calls - BURST) / PER_SECOND,
      throttled: aws.calls.throttled,
      failed_units: outcomes.filter(({ state }) => state !== "complete").length,
    };
  } finally {
    aws.close();
    await sandbox.close();
  }
}
