import { afterEach, describe, expect, test } from "vitest";
import { readUnit, type ReadUnitOptions } from "../../src/inventory/aws/read-unit.ts";
import { type Aws, type AwsSettings, openAws, type TargetApi } from "../../src/inventory/aws/session.ts";
import type { Observation, StoredReading, UnitOutcome } from "../../src/inventory/resource.ts";
import { RESOURCE_TYPE_NAMES, RESOURCE_TYPES, type ResourceType } from "../../src/inventory/resource-types.ts";
import {
  type FaultRule,
  type Sandbox,
  sandboxCredentials,
  type SandboxOptions,
  startSandbox,
} from "../../src/sandbox/server.ts";
import { readingDigest } from "../../src/inventory/reading-digest.ts";
import { stackOf } from "../../src/tags/stack.ts";
import { FAST } from "./scripted-aws.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let sandbox: Sandbox;
let aws: Aws;
let api: TargetApi;
let here: { account_id: string; region: string };

async function open(options: SandboxOptions = {}, settings: Partial<AwsSettings> = {}): Promise<void> {
  sandbox = await startSandbox({ accounts: 0, regions: ["us-east-1"], resources: 300, ...options });
  here = { account_id: sandbox.organization.management_account_id, region: "us-east-1" };
  aws = openAws({
    endpoint: sandbox.url,
    region: "us-east-1",
    credentials: sandboxCredentials(here.account_id),
    ...FAST,
    ...settings,
  });
  api = await aws.target(here);
  sandbox.calls.reset();
}
async function close(): Promise<void> {
  aws?.close();
  await sandbox?.close();
}
afterEach(close);

type Read = { observations: Observation[]; outcome: UnitOutcome };
type Options = Partial<Omit<ReadUnitOptions, "stored">> & { stored?: Map<string, StoredReading> };

async function read(type: ResourceType, { stored = new Map(), ...options }: Options = {}): Promise<Read> {
  const reading = readUnit(api, type, {
    stored: async () => stored,
    confirm_all: false,
    now: () => new Date(),
    ...options,
  });
  const observations: Observation[] = [];
  for await (const page of reading.observations) observations.push(...page);
  return { observations, outcome: reading.outcome() };
}

async function readAll(options: Options = {}): Promise<Read[]> {
  return Promise.all(RESOURCE_TYPE_NAMES.map((type) => read(type, options)));
}

/** What a database would hold after these observations. */
function remember(reads: Read[], before = new Map<string, StoredReading>()): Map<string, StoredReading> {
  const stored = new Map(before);
  for (const observation of reads.flatMap(({ observations }) => observations)) {
    if (observation.outcome !== "read") continue;
    const { resource, in_index, reading, confirmed } = observation;
    stored.set(resource.arn, {
      tags: reading.tags,
      source: reading.source,
      service_read_at: confirmed ? reading.read_at : (before.get(resource.arn)?.service_read_at ?? null),
      in_index,
      created_at: resource.created_at,
      reading_error: null,
    });
  }
  return stored;
}

const pagesOf = (reads: Read[]) => reads.reduce((sum, { outcome }) => sum + outcome.pages, 0);
const byArn = (reads: Read[]) =>
  new Map(reads.flatMap(({ observations }) => observations.map((one) => [one.resource.arn, one])));
const count = (operation: string) => sandbox.calls.by_operation[operation] ?? 0;
const pairs = (tags: Iterable<readonly [string, string]>) =>
  Object.fromEntries([...tags].filter(([key]) => !key.startsWith("aws:")));

/** The tags that were read, against the state itself. */
function expectTruth(reads: Read[]): void {
  const seen = byArn(reads);
  const state = [...sandbox.resources()];
  expect(seen.size).toBe(state.length);
  for (const resource of state) {
    const observation = seen.get(resource.arn);
    if (observation?.outcome !== "read") throw new Error(`${resource.arn} was not read`);
    expect(pairs(Object.entries(observation.reading.tags))).toEqual(pairs(resource.tags));
  }
}

/** No observation claims that a resource has no tags when it has some. */
function expectNoInventedAbsence(reads: Read[]): void {
  const state = new Map([...sandbox.resources()].map((resource) => [resource.arn, resource]));
  for (const observation of reads.flatMap(({ observations }) => observations)) {
    if (observation.outcome !== "read" || Object.keys(observation.reading.tags).length > 0) continue;
    expect(Object.keys(pairs(state.get(observation.resource.arn)?.tags ?? []))).toEqual([]);
  }
}

describe("reading a whole target", () => {
  test("a reading is as old as its question, so that what was recorded while the answer was on its way is newer", async () => {
    await open();
    const start = Date.now();
    // A clock that ticks with each call that arrives: the list first, then the index, then the service.
    const { observations } = await read("campaign", { now: () => new Date(start + sandbox.calls.total) });
    const ticks = (from: string) =>
      observations.flatMap((one) =>
        one.outcome === "read" && one.reading.source === from ? one.reading.read_at.getTime() - start : [],
      );
    expect(new Set(ticks("index"))).toEqual(new Set([1]));
    expect(Math.min(...ticks("service"))).toBe(2);
  });

  test("finds every resource of every type with its tags, each once", async () => {
    await open({ resources: 1000 });
    const reads = await readAll();
    expectTruth(reads);
    for (const { outcome } of reads) {
      expect(outcome).toMatchObject({ state: "complete", listed: true, unread: 0, error: null, warnings: [] });
    }
  });

  test("costs two calls a page and one for each resource that never had a tag; later two calls a page", async () => {
    await open({ resources: 1000, never_tagged_share: 0.03 });
    const first = await readAll();
    const pages = pagesOf(first);
    const never = [...sandbox.resources()].filter((resource) => !resource.ever_tagged).length;
    expect(never).toBeGreaterThan(10);
    expect(aws.calls.total - count("GetCallerIdentity") - 1).toBe(sandbox.calls.total);
    expect(sandbox.calls.total).toBeLessThanOrEqual(1.05 * (2 * pages + never));

    sandbox.calls.reset();
    const stored = remember(first);
    const second = await readAll({ stored });
    expect(sandbox.calls.total).toBeLessThanOrEqual(1.02 * 2 * pages);
    expect(count("ListTagsForResource")).toBe(0);
    expectTruth(second);
    expect(remember(second, stored)).toEqual(stored);
  });

  test("asks for up to 100 resources a page, and the index for a page's ARNs and nothing else", async () => {
    await open({ resources: 1000 });
    const reads = await readAll();
    for (const { outcome } of reads) expect(outcome.pages).toBe(Math.max(1, Math.ceil(outcome.resources / 100)));
    expect(count("GetResources")).toBe(reads.reduce((sum, { outcome }) => sum + Math.ceil(outcome.resources / 100), 0));
  });

  test("begins to list and to ask the index before the first answer of the database", async () => {
    await open();
    const answer = Promise.withResolvers<Map<string, StoredReading>>();
    const reading = readUnit(api, "dataset-group", {
      stored: () => answer.promise,
      confirm_all: false,
      now: () => new Date(),
    });
    await expect.poll(() => count("GetResources")).toBe(1);
    answer.resolve(new Map());
    for await (const page of reading.observations) expect(page.length).toBeGreaterThan(0);
    expect(reading.outcome().state).toBe("complete");
  });

  test("its outcome is not known before its end", async () => {
    await open();
    const reading = readUnit(api, "dataset-group", {
      stored: async () => new Map(),
      confirm_all: false,
      now: () => new Date(),
    });
    expect(() => reading.outcome()).toThrow("only after its last page");
    for await (const _ of reading.observations);
    expect(reading.outcome().state).toBe("complete");
  });

  test("a failing database ends the reading with its error", async () => {
    await open();
    const stored = () => Promise.reject(new Error("connection lost"));
    const reading = readUnit(api, "filter", { stored, confirm_all: false, now: () => new Date() });
    await expect(async () => {
      for await (const _ of reading.observations);
    }).rejects.toThrow("connection lost");
  });
});

describe("with the digests of what is stored", () => {
  /** What a database would hold of these readings: their digests, and what was found on the resources, which no reader looks at. */
  const digestsOf = (reads: Read[]) =>
    new Map(
      reads.flatMap(({ observations }) =>
        observations.flatMap((one) => {
          if (one.outcome !== "read") return [];
          const { resource, in_index, reading } = one;
          const seen = { ...resource, in_index, tags: reading.tags, stack: stackOf(reading.tags) };
          return [[resource.arn, `${readingDigest(seen)}found`] as const];
        }),
      ),
    );

  /** Reads everything again, and says which stored readings were loaded. */
  async function readAgain(first: Read[], options: { confirm_all?: boolean } = {}) {
    const remembered = remember(first);
    const loaded: string[] = [];
    const reads = await Promise.all(
      RESOURCE_TYPE_NAMES.map(async (type) => {
        const reading = readUnit(api, type, {
          stored: async (arns) => {
            loaded.push(...arns);
            return remembered;
          },
          digests: async () => digestsOf(first),
          confirm_all: false,
          now: () => new Date(),
          ...options,
        });
        const observations: Observation[] = [];
        for await (const page of reading.observations) observations.push(...page);
        return { observations, outcome: reading.outcome() };
      }),
    );
    return { reads, loaded };
  }

  const content = (reads: Read[]) =>
    [...byArn(reads).values()]
      .map((one) =>
        one.outcome === "read"
          ? { arn: one.resource.arn, in_index: one.in_index, tags: pairs(Object.entries(one.reading.tags)) }
          : one,
      )
      .toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)));

  test("only what the index does not show is loaded, and what is read is the same as without", async () => {
    await open({ resources: 1000, never_tagged_share: 0.03 });
    const first = await readAll();
    const unknown = [...byArn(first).values()].filter((one) => !one.in_index).map((one) => one.resource.arn);
    sandbox.calls.reset();
    const { reads, loaded } = await readAgain(first);
    expect(loaded.toSorted()).toEqual(unknown.toSorted());
    expect(count("ListTagsForResource")).toBe(0);
    expectTruth(reads);
    expect(content(reads)).toEqual(content(await readAll({ stored: remember(first) })));
    for (const one of byArn(reads).values()) {
      const again = one.outcome === "read" ? one.stored_digest : null;
      expect(again).toBe(one.in_index ? digestsOf(first).get(one.resource.arn) : undefined);
    }
  });

  test("what changed in the list or in its tags is looked at, and changed tags are asked of the service", async () => {
    await open();
    const first = await readAll();
    const [tagged, listed] = [...sandbox.resources({ type: "filter" })].filter(
      (one) => one.tags.size > 0 && one.created_at.getTime() < Date.now() - DAY,
    );
    sandbox.setTags(tagged!.arn, { Owner: "new@example.com" });
    sandbox.calls.reset();
    // It is stored as it was while it was being created.
    const creating = (one: Observation): Observation =>
      one.resource.arn === listed!.arn ? { ...one, resource: { ...one.resource, status: "CREATE PENDING" } } : one;
    const stored = first.map(({ observations, outcome }) => ({ observations: observations.map(creating), outcome }));
    const { reads, loaded } = await readAgain(stored);
    expect(loaded).toEqual(expect.arrayContaining([tagged!.arn, listed!.arn]));
    expect(byArn(reads).get(tagged!.arn)).toMatchObject({ confirmed: true, reading: { source: "service" } });
    expect(byArn(reads).get(listed!.arn)).toMatchObject({ outcome: "read", confirmed: false });
    for (const { arn } of [tagged!, listed!]) expect(byArn(reads).get(arn)).not.toHaveProperty("stored_digest");
    expect(count("ListTagsForResource")).toBe(1);
  });

  test("with everything to be confirmed they say nothing", async () => {
    await open();
    const first = await readAll();
    sandbox.calls.reset();
    const { reads, loaded } = await readAgain(first, { confirm_all: true });
    expect(loaded.length).toBe(byArn(reads).size);
    expect(count("ListTagsForResource")).toBe(byArn(reads).size);
  });

  test("a database that fails to give them ends the reading with its error", async () => {
    await open();
    const reading = readUnit(api, "filter", {
      stored: async () => new Map(),
      digests: () => Promise.reject(new Error("connection lost")),
      confirm_all: false,
      now: () => new Date(),
    });
    await expect(async () => {
      for await (const _ of reading.observations);
    }).rejects.toThrow("connection lost");
  });
});

describe("what changed between two scans", () => {
  const old = () =>
    [...sandbox.resources({ type: "filter" })].find(
      (one) => one.tags.size > 0 && one.created_at.getTime() < Date.now() - DAY,
    )!;

  test("changed tags are asked of the service", async () => {
    await open();
    const stored = remember(await readAll());
    const { arn } = old();
    sandbox.setTags(arn, { Owner: "new@example.com" });
    sandbox.calls.reset();
    const again = byArn([await read("filter", { stored })]).get(arn);
    expect(again).toMatchObject({ outcome: "read", confirmed: true, in_index: true, reading: { source: "service" } });
    expect(count("ListTagsForResource")).toBe(1);
  });

  test("tags that were all removed are asked of the service", async () => {
    await open();
    const stored = remember(await readAll());
    const { arn } = old();
    sandbox.setTags(arn, {});
    const again = byArn([await read("filter", { stored })]).get(arn);
    expect(again).toMatchObject({ outcome: "read", confirmed: true, reading: { tags: {}, source: "service" } });
  });

  test("a resource a few minutes old is asked of the service, because the index may lag", async () => {
    await open({ index_lag_ms: HOUR });
    const arn = sandbox.createResource(here, "filter", "brand-new", { Owner: "a@example.com" });
    const seen = byArn([await read("filter")]).get(arn);
    expect(seen).toMatchObject({
      outcome: "read",
      confirmed: true,
      in_index: false,
      reading: { tags: { Owner: "a@example.com" } },
    });
  });

  test("a service reading is refreshed after 3 to 7 days where the index says nothing", async () => {
    await open({ unindexed_types: ["solution-version"] });
    const stored = remember(await readAll());
    sandbox.calls.reset();
    const total = [...sandbox.resources({ type: "solution-version" })].length;
    const later = (days: number) => read("solution-version", { stored, now: () => new Date(Date.now() + days * DAY) });
    await later(2.9);
    expect(count("ListTagsForResource")).toBe(0);
    await later(5);
    expect(count("ListTagsForResource") / total).toBeGreaterThan(0.2);
    expect(count("ListTagsForResource") / total).toBeLessThan(0.8);
    sandbox.calls.reset();
    await later(7.1);
    expect(count("ListTagsForResource")).toBe(total);
  });

  test("with everything to be confirmed, the service is asked for each resource", async () => {
    await open();
    const first = await readAll();
    sandbox.calls.reset();
    const again = await readAll({ stored: remember(first), confirm_all: true });
    expect(count("ListTagsForResource")).toBe([...sandbox.resources()].length);
    for (const one of byArn(again).values()) expect(one).toMatchObject({ outcome: "read", confirmed: true });
    expect([...byArn(again).values()].map((one) => one.in_index)).toEqual(
      [...byArn(first).values()].map((one) => one.in_index),
    );
  });

  test("a resource that is deleted between list and reading is gone", async () => {
    await open();
    const arn = sandbox.createResource(here, "filter", "short-lived");
    const stored = async () => {
      sandbox.deleteResource(arn);
      return new Map<string, StoredReading>();
    };
    const reading = readUnit(api, "filter", { stored, confirm_all: false, now: () => new Date() });
    const observations: Observation[] = [];
    for await (const page of reading.observations) observations.push(...page);
    expect(observations.find((one) => one.resource.arn === arn)).toMatchObject({ outcome: "gone" });
    expect(reading.outcome()).toMatchObject({ state: "complete", unread: 0 });
  });
});

describe("when AWS fails", () => {
  const LIST = RESOURCE_TYPES.filter.list_operation;
  const kinds: FaultRule["kind"][] = ["throttle", "server_error", "hang", "cut", "lost_reply"];
  // A busy machine answers late, and that must not count as a failure here.
  const quick = { timeout_ms: 2000, patience_ms: 400 };

  test.each(kinds)("%s now and then costs time, and nothing is missing", async (kind) => {
    await open({}, { timeout_ms: 1000, patience_ms: 20_000 });
    // A throttle slows down all that follows.
    sandbox.setFaults([{ kind, share: kind === "throttle" ? 0.05 : 0.2 }]);
    const reads = await readAll();
    expectTruth(reads);
    for (const { outcome } of reads) expect(outcome.state).toBe("complete");
    if (kind === "throttle") expect(aws.calls.throttled).toBeGreaterThan(0);
  });

  test.each(kinds)("%s of every list: the unit failed, and is not empty", async (kind) => {
    await open({}, quick);
    sandbox.setFaults([{ kind, operation: LIST }]);
    const { observations, outcome } = await read("filter");
    expect(observations).toEqual([]);
    expect(outcome).toMatchObject({ state: "failed", listed: false, resources: 0, error: { operation: LIST } });
    expect(outcome.error?.name).toMatch(/Thrott|LimitExceeded|TooMany|Internal|Timeout|ECONNRESET/);
  });

  test.each(kinds)("%s after the first page: the unit is partial, with what was read", async (kind) => {
    await open({ resources: 2000 }, quick);
    sandbox.setFaults([{ kind, operation: "ListDatasetImportJobs", after: 1 }]);
    const { observations, outcome } = await read("dataset-import-job");
    expect(observations).toHaveLength(100);
    expect(outcome).toMatchObject({ state: "partial", listed: false, resources: 100, pages: 1 });
  });

  test("a list that is denied: the unit is denied; a later page: partial", async () => {
    await open({ resources: 2000 });
    sandbox.setFaults([{ kind: "access_denied", operation: "List*" }]);
    expect((await read("filter")).outcome).toMatchObject({
      state: "denied",
      listed: false,
      error: { name: "AccessDeniedException" },
    });
    expect(count(LIST)).toBe(1);
    sandbox.setFaults([{ kind: "access_denied", operation: "ListDatasetImportJobs", after: 1 }]);
    expect((await read("dataset-import-job")).outcome).toMatchObject({ state: "partial", listed: false });
  });

  test.each([...kinds, "access_denied"] as const)(
    "%s of the index: the service is asked for everything, with one warning",
    async (kind) => {
      await open({}, quick);
      sandbox.setFaults([{ kind, operation: "GetResources" }]);
      const reads = await readAll();
      expectTruth(reads);
      for (const observation of byArn(reads).values())
        expect(observation).toMatchObject({ outcome: "read", confirmed: true });
      const warnings = reads.flatMap(({ outcome }) => outcome.warnings);
      expect(warnings).toEqual([
        expect.stringMatching(
          /^111122223333\/us-east-1: the tag index cannot be asked \(GetResources: .*tag:GetResources/,
        ),
      ]);

      sandbox.calls.reset();
      await read("filter");
      expect(count("GetResources")).toBe(0);
    },
  );

  test("an index that could not be asked is tried again after ten minutes", async () => {
    await open();
    sandbox.setFaults([{ kind: "access_denied", operation: "GetResources" }]);
    await read("filter");
    sandbox.setFaults([]);
    sandbox.calls.reset();
    const { outcome } = await read("filter", { now: () => new Date(Date.now() + 11 * 60_000) });
    expect(outcome.warnings).toEqual([]);
    expect(count("GetResources")).toBe(1);
  });

  test("an index that cannot be asked does not make what it held before forgotten", async () => {
    await open();
    const first = await readAll();
    sandbox.setFaults([{ kind: "access_denied", operation: "GetResources" }]);
    const again = await readAll({ stored: remember(first) });
    expect([...byArn(again).values()].map((one) => one.in_index)).toEqual(
      [...byArn(first).values()].map((one) => one.in_index),
    );
  });

  test.each([...kinds, "access_denied"] as const)(
    "%s of every reading: the tags are unknown, never none",
    async (kind) => {
      await open({ never_tagged_share: 0.3 }, quick);
      sandbox.setFaults([{ kind, operation: "ListTagsForResource" }]);
      const reads = await readAll();
      expectNoInventedAbsence(reads);
      const unknown = [...byArn(reads).values()].filter((one) => one.outcome === "unknown");
      expect(unknown.length).toBeGreaterThan(50);
      for (const { observations, outcome } of reads) {
        const unread = observations.filter((one) => one.outcome === "unknown").length;
        expect(outcome).toMatchObject({ unread, listed: true, state: unread > 0 ? "partial" : "complete" });
        if (unread > 0) expect(outcome.error).toMatchObject({ operation: "ListTagsForResource" });
      }
    },
  );

  test("everything failing at random: no tags are invented, and only what was read to its end is complete", async () => {
    for (let seed = 1; seed <= 3; seed++) {
      await open({ seed, resources: 400 }, quick);
      sandbox.setFaults([
        { kind: "access_denied", share: 0.1 },
        { kind: "server_error", share: 0.3 },
        { kind: "cut", share: 0.1 },
      ]);
      const reads = await readAll();
      expectNoInventedAbsence(reads);
      const state = new Map([...sandbox.resources()].map((resource) => [resource.arn, resource]));
      for (const { outcome, observations } of reads) {
        if (outcome.state !== "complete") continue;
        for (const one of observations) expect(one.outcome).toBe("read");
      }
      for (const [arn, one] of byArn(reads)) {
        if (one.outcome === "read")
          expect(pairs(Object.entries(one.reading.tags))).toEqual(pairs(state.get(arn)!.tags));
      }
      await close();
    }
  });
});

describe("when nobody waits any longer", () => {
  test("an abort ends the reading at once, with its reason", async () => {
    await open({ resources: 2000 });
    sandbox.setLatency(2000);
    const controller = new AbortController();
    const reason = new Error("cancelled");
    const reading = readUnit(api, "solution-version", {
      stored: async () => new Map(),
      confirm_all: false,
      now: () => new Date(),
      signal: controller.signal,
    });
    setTimeout(() => controller.abort(reason), 100);
    const began = performance.now();
    await expect(async () => {
      for await (const _ of reading.observations);
    }).rejects.toBe(reason);
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  test("leaving after the first page stops the listing", async () => {
    await open({ resources: 6000 });
    const reading = readUnit(api, "dataset-import-job", {
      stored: async () => new Map(),
      confirm_all: false,
      now: () => new Date(),
    });
    for await (const page of reading.observations) {
      expect(page).toHaveLength(100);
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
    const calls = sandbox.calls.total;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(sandbox.calls.total).toBe(calls);
  });
});
