import * as fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { readUnit, type ReadUnitOptions } from "../../src/inventory/aws/read-unit.ts";
import { type Aws, openAws, type TargetApi } from "../../src/inventory/aws/session.ts";
import { readingDigest } from "../../src/inventory/reading-digest.ts";
import type { Coverage, Observation, StoredReading, UnitOutcome } from "../../src/inventory/resource.ts";
import type { ResourceType } from "../../src/inventory/resource-types.ts";
import { sampleOf } from "../../src/inventory/sample.ts";
import { type Sandbox, sandboxCredentials, type SandboxOptions, startSandbox } from "../../src/sandbox/server.ts";
import { stackOf } from "../../src/tags/stack.ts";
import { userTags } from "../../src/tags/tags.ts";
import { FAST } from "./scripted-aws.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const TYPE: ResourceType = "filter";

let sandbox: Sandbox;
let aws: Aws;
let api: TargetApi;

async function open(options: SandboxOptions = {}): Promise<void> {
  sandbox = await startSandbox({ accounts: 0, regions: ["us-east-1"], resources: 300, ...options });
  const account_id = sandbox.organization.management_account_id;
  aws = openAws({
    endpoint: sandbox.url,
    region: "us-east-1",
    credentials: sandboxCredentials(account_id),
    ...FAST,
  });
  api = await aws.target({ account_id, region: "us-east-1" });
  sandbox.calls.reset();
}
async function close(): Promise<void> {
  aws?.close();
  await sandbox?.close();
}
afterEach(close);

type Read = { observations: Observation[]; outcome: UnitOutcome };
/** What a database would hold after some scans. */
class Memory {
  readonly stored = new Map<string, StoredReading>();
  readonly digests = new Map<string, string>();
  coverage: Coverage | null = null;

  async read(type: ResourceType, options: Partial<ReadUnitOptions> = {}): Promise<Read> {
    const reading = readUnit(api, type, {
      stored: async () => this.stored,
      digests: async () => this.digests,
      coverage: this.coverage,
      confirm_all: false,
      now: () => new Date(),
      ...options,
    });
    const observations: Observation[] = [];
    for await (const page of reading.observations) observations.push(...page);
    const outcome = reading.outcome();
    for (const observation of observations) this.#keep(observation);
    this.coverage = outcome.learned ?? this.coverage;
    return { observations, outcome };
  }

  #keep(observation: Observation): void {
    if (observation.outcome !== "read") return;
    const { resource, in_index, reading, confirmed } = observation;
    const before = this.stored.get(resource.arn);
    this.stored.set(resource.arn, {
      tags: reading.tags,
      source: reading.source,
      service_read_at: confirmed ? reading.read_at : (before?.service_read_at ?? null),
      in_index,
      created_at: resource.created_at,
      reading_error: null,
    });
    const seen = { ...resource, in_index, tags: reading.tags, stack: stackOf(reading.tags) };
    this.digests.set(resource.arn, `${readingDigest(seen)}found`);
  }
}

const calls = (operation: string) => sandbox.calls.by_operation[operation] ?? 0;
const at = (milliseconds: number) => ({ now: () => new Date(Date.now() + milliseconds) });
const all = () => true;
const tagged = () =>
  [...sandbox.resources({ type: TYPE })].filter(
    (one) => one.tags.size > 0 && one.created_at.getTime() < Date.now() - DAY && !one.status.startsWith("DELETE"),
  );

describe("a type that the index does not cover", () => {
  test("is learned in the first scan; from then on the index is not asked, and what is read is the same", async () => {
    await open({ unindexed_types: [TYPE] });
    const memory = new Memory();
    const first = await memory.read(TYPE);
    expect(calls("GetResources")).toBe(first.outcome.pages);
    expect(first.outcome.learned).toMatchObject({ covered: false, returned: 0, missing: tagged().length });
    sandbox.calls.reset();
    const asked = await new Memory().read(TYPE);
    const again = await memory.read(TYPE, at(HOUR));
    expect(calls("GetResources")).toBe(asked.outcome.pages);
    expect(again.outcome).toMatchObject({ state: "complete", readings: { index: 0, service: 0 } });
    expect(again.outcome.learned).toBeUndefined();
    expect(again.outcome.readings?.stored).toBe(again.observations.length);
    const content = ({ observations }: Read) =>
      observations.map((one) => [one.resource, one.in_index, one.outcome === "read" && one.reading.tags]);
    expect(content(again)).toEqual(content(asked));
  });

  test("is asked about again after some days, and left alone again", async () => {
    await open({ unindexed_types: [TYPE] });
    const memory = new Memory();
    await memory.read(TYPE);
    for (const days of [8, 16]) {
      sandbox.calls.reset();
      const { outcome } = await memory.read(TYPE, at(days * DAY + HOUR));
      expect(calls("GetResources")).toBe(outcome.pages);
      expect(outcome.learned).toMatchObject({ covered: false });
      await memory.read(TYPE, at(days * DAY + 2 * HOUR));
      expect(calls("GetResources")).toBe(outcome.pages);
    }
  });

  test("that AWS has added since is used again from the day on which it is asked about", async () => {
    await open();
    const memory = new Memory();
    memory.coverage = { covered: false, returned: 0, missing: 9, learned_at: new Date(Date.now() - 9 * DAY) };
    const { outcome } = await memory.read(TYPE);
    expect(outcome.learned).toMatchObject({ covered: true });
    expect(outcome.readings?.index).toBeGreaterThan(10);
  });

  test("that the index covers is learned once, and is no news after that", async () => {
    await open();
    const memory = new Memory();
    expect((await memory.read(TYPE)).outcome.learned).toMatchObject({ covered: true });
    expect((await memory.read(TYPE)).outcome.learned).toBeUndefined();
  });

  test("an index that may not be asked teaches nothing", async () => {
    await open({ unindexed_types: [TYPE] });
    sandbox.setFaults([{ kind: "access_denied", operation: "GetResources" }]);
    const { outcome } = await new Memory().read(TYPE);
    expect(outcome.state).toBe("complete");
    expect(outcome.learned).toBeUndefined();
  });

  test("nobody waits to know whether it is covered: until then the index is asked", async () => {
    await open();
    const { promise, resolve } = Promise.withResolvers<Coverage | null>();
    const { outcome } = await new Memory().read(TYPE, { coverage: promise });
    expect(calls("GetResources")).toBe(outcome.pages);
    resolve(null);
  });
});

describe("a sample of what the index says", () => {
  test("is asked of the service; a wrong answer is counted, and the service's is taken", async () => {
    await open({ index_lag_ms: 100 * DAY });
    const memory = new Memory();
    await memory.read(TYPE);
    const [wrong] = tagged();
    sandbox.setTags(wrong!.arn, { Owner: "new@example.com" });
    const unchecked = await memory.read(TYPE);
    expect(unchecked.outcome.readings).toMatchObject({ sampled: 0, mismatched: 0 });
    const { observations, outcome } = await memory.read(TYPE, { sample: all });
    expect(outcome.readings).toMatchObject({ index: 0, mismatched: 1, sampled: outcome.readings!.service });
    expect(observations.find((one) => one.resource.arn === wrong!.arn)).toMatchObject({
      confirmed: true,
      reading: { source: "service", tags: { Owner: "new@example.com" } },
    });
  });

  test("costs as many calls as it is large, in the first scan and in a steady one", async () => {
    await open({ resources: 2000, never_tagged_share: 0 });
    const memory = new Memory();
    for (let scan = 0; scan < 3; scan++) {
      const { outcome } = await memory.read("dataset-import-job", { sample: sampleOf(0.1, `scan ${scan}`) });
      const { index = 0, sampled = 0, mismatched } = outcome.readings ?? {};
      expect(Math.abs(sampled - 0.1 * (index + sampled))).toBeLessThan(1);
      expect(mismatched).toBe(0);
    }
  });

  test("makes nothing worse where the service gives no answer", async () => {
    await open();
    const memory = new Memory();
    await memory.read(TYPE);
    sandbox.setFaults([{ kind: "access_denied", operation: "ListTagsForResource" }]);
    const { observations, outcome } = await memory.read(TYPE, { sample: all });
    expect(outcome).toMatchObject({ state: "complete", unread: 0, error: null, readings: { service: 0, sampled: 0 } });
    expect(observations.filter((one) => one.in_index).length).toBe(outcome.readings?.index);
    expect(observations.every((one) => one.outcome === "read")).toBe(true);
  });

  test("that is being asked for when the database fails ends with the error of the database", async () => {
    await open();
    const memory = new Memory();
    await memory.read(TYPE);
    sandbox.setFaults([{ kind: "hang", operation: "ListTagsForResource" }]);
    const stored = () => Promise.reject(new Error("connection lost"));
    // Something has to be looked up.
    memory.digests.delete(tagged()[0]!.arn);
    await expect(memory.read(TYPE, { sample: all, stored })).rejects.toThrow("connection lost");
  });

  test("what it confirms is the state that is stored, so that nothing has to be compared again", async () => {
    await open();
    const memory = new Memory();
    await memory.read(TYPE);
    const { observations } = await memory.read(TYPE, { sample: all });
    for (const one of observations.filter(({ in_index }) => in_index))
      expect(one).toMatchObject({ confirmed: true, stored_digest: memory.digests.get(one.resource.arn) });
  });

  test("with everything to be confirmed it is all of them, and a service that gives no answer leaves them unknown", async () => {
    await open({ index_lag_ms: 100 * DAY });
    const memory = new Memory();
    await memory.read(TYPE);
    for (const { arn } of tagged().slice(0, 2)) sandbox.setTags(arn, { Owner: "new@example.com" });
    const confirmed = await memory.read(TYPE, { confirm_all: true });
    expect(confirmed.outcome.readings).toMatchObject({ index: 0, stored: 0, mismatched: 2 });
    expect(confirmed.outcome.readings?.sampled).toBeGreaterThan(10);
    sandbox.setFaults([{ kind: "access_denied", operation: "ListTagsForResource" }]);
    const { observations, outcome } = await memory.read(TYPE, { confirm_all: true });
    expect(outcome).toMatchObject({ state: "partial", unread: observations.length });
  });
});

test("whatever the index lags, covers or is thought to cover: no tags means that the service said so last", async () => {
  const steps = fc.array(
    fc.record({
      hours: fc.constantFrom(0.1, 2, 30, 100, 200),
      learned: fc.constantFrom("as learned", "covered", "not covered"),
      share: fc.constantFrom(0, 0.3, 1),
      confirm_all: fc.boolean(),
      changes: fc.array(fc.tuple(fc.nat(200), fc.constantFrom({}, { Owner: "a" }, { Owner: "b" })), { maxLength: 8 }),
    }),
    { minLength: 2, maxLength: 5 },
  );
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.constantFrom(0, HOUR, 30 * DAY), steps, async (indexed, index_lag_ms, scans) => {
      let time = Date.now();
      const now = () => new Date(time);
      await open({ resources: 120, unindexed_types: indexed ? [] : [TYPE], index_lag_ms, now });
      try {
        const memory = new Memory();
        /** The last that the service said of a resource. */
        const said = new Map<string, boolean>();
        for (const { hours, learned, share, confirm_all, changes } of scans) {
          time += hours * HOUR;
          const all = [...sandbox.resources({ type: TYPE })];
          for (const [place, tags] of changes) sandbox.setTags(all[place % all.length]!.arn, tags);
          const thought = { covered: learned === "covered", returned: 0, missing: 0, learned_at: now() };
          if (learned !== "as learned") memory.coverage = thought;
          const sample = sampleOf(share, String(time));
          const { observations } = await memory.read(TYPE, { sample, confirm_all, now });
          expect(observations).toHaveLength(all.length);
          for (const one of observations) {
            if (one.outcome !== "read") throw new Error(`${one.resource.arn} was not read`);
            const none = Object.keys(userTags(one.reading.tags)).length === 0;
            if (one.confirmed) said.set(one.resource.arn, none);
            if (none) expect(said.get(one.resource.arn)).toBe(true);
          }
        }
      } finally {
        await close();
      }
    }),
    { numRuns: 25 },
  );
});
