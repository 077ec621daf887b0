import * as fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { type Listing, type ParentsRead, readParents } from "../../src/inventory/aws/read-parents.ts";
import { type Aws, type AwsSettings, openAws, type TargetApi } from "../../src/inventory/aws/session.ts";
import type { Child } from "../../src/inventory/lineage.ts";
import { RESOURCE_TYPES, type ResourceType } from "../../src/inventory/resource-types.ts";
import { type Sandbox, sandboxCredentials, type SandboxOptions, startSandbox } from "../../src/sandbox/server.ts";
import { ACCOUNT, type Call, FAST, identity, openScripted, type Reply, startScriptedAws } from "./scripted-aws.ts";

const READ_TYPES = ["solution", "event-tracker", "campaign", "dataset-import-job", "dataset-export-job"] as const;
/** Types whose parents a list can tell. */
const LISTED_TYPES = READ_TYPES.filter((type) => type !== "campaign");
const asked_at = new Date("2026-11-01T12:00:00Z");

let sandbox: Sandbox;
let aws: Aws;
let api: TargetApi;
const onClose: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of onClose.splice(0)) await close();
});

async function open(options: SandboxOptions = {}, settings: Partial<AwsSettings> = {}): Promise<void> {
  sandbox = await startSandbox({ accounts: 0, regions: ["us-east-1"], resources: 1000, ...options });
  aws = openAws({
    endpoint: sandbox.url,
    region: "us-east-1",
    credentials: sandboxCredentials(ACCOUNT),
    ...FAST,
    ...settings,
  });
  const [opened, served] = [aws, sandbox];
  onClose.push(async () => {
    opened.close();
    await served.close();
  });
  api = await aws.target({ account_id: ACCOUNT, region: "us-east-1" });
  sandbox.calls.reset();
}

/** The state's own word, in the form in which it is stored. */
const truth = () => new Map([...sandbox.resources()].map(({ arn, parent }) => [arn, parent?.replace("/$LATEST", "")]));
const childrenOf = (type: ResourceType): Child[] =>
  [...sandbox.resources({ type })].map(({ arn, created_at }) => ({ arn, type, created_at, updated_at: created_at }));
const listingOf = (type: ResourceType): Listing => ({
  parents: [...sandbox.resources({ type: RESOURCE_TYPES[type].parent! })].map(({ arn }) => arn),
  children: [...sandbox.resources({ type })].length,
});
const count = (operation: string) => sandbox.calls.by_operation[operation] ?? 0;
const listed = (type: ResourceType) => count(RESOURCE_TYPES[type].list_operation);
const described = (type: ResourceType) => count(RESOURCE_TYPES[type].describe_operation);

function read(
  type: ResourceType,
  options: { children?: readonly Child[]; listing?: Listing; signal?: AbortSignal } = {},
): Promise<ParentsRead> {
  const { children = childrenOf(type), listing = listingOf(type), signal = new AbortController().signal } = options;
  return readParents(api, type, children, listing, { now: () => asked_at, signal });
}

const parentsIn = ({ edges }: ParentsRead) =>
  edges.map(({ arn, parent_arn }) => [arn, parent_arn] as const).toSorted(([a], [b]) => (a < b ? -1 : 1));
const trueParents = (children: readonly Child[]) => {
  const parents = truth();
  return children.map(({ arn }) => [arn, parents.get(arn)] as const).toSorted(([a], [b]) => (a < b ? -1 : 1));
};

describe("reading parents", () => {
  test.each(READ_TYPES)("finds that of every %s, with the times of the inventory", async (type) => {
    await open();
    const children = childrenOf(type);
    const found = await read(type);
    expect(children.length).toBeGreaterThan(5);
    expect(found).toMatchObject({ failures: [], gone: [] });
    expect(parentsIn(found)).toEqual(trueParents(children));
    const byArn = new Map(children.map((child) => [child.arn, child]));
    for (const { arn, created_at, updated_at, read_at } of found.edges) {
      expect({ arn, type, created_at, updated_at }).toEqual(byArn.get(arn));
      expect(read_at).toBe(asked_at);
    }
  });

  test("a campaign that follows the latest version stands under its solution, another under its version", async () => {
    await open();
    const { edges } = await read("campaign");
    const parts = edges.map(({ parent_arn }) => parent_arn.split("/").length);
    expect(new Set(parts)).toEqual(new Set([2, 3]));
  });

  test("no children, no calls", async () => {
    await open();
    for (const type of READ_TYPES)
      expect(await read(type, { children: [] })).toEqual({ edges: [], failures: [], gone: [] });
    expect(sandbox.calls.total).toBe(0);
  });

  test("whichever way it goes, the edges are the same, and it takes the cheaper way as far as the inventory can tell", async () => {
    await open();
    const ways = { list: 0, describe: 0 };
    const parents = truth();
    const universe = new Map(
      LISTED_TYPES.map((type) => [type, { children: childrenOf(type), listing: listingOf(type) }]),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...LISTED_TYPES), fc.infiniteStream(fc.boolean()), async (type, dice) => {
        const { children: all, listing: whole } = universe.get(type)!;
        const some = <T>(items: readonly T[]) => items.filter(() => dice.next().value);
        const children = some(all);
        const listing = { ...whole, parents: some(whole.parents) };
        sandbox.calls.reset();
        const found = await read(type, { children, listing });
        expect(found).toMatchObject({ failures: [], gone: [] });
        expect(parentsIn(found)).toEqual(trueParents(children));
        for (const { source } of found.edges) ways[source] += 1;
        const known = new Set(listing.parents);
        const orphans = children.filter(({ arn }) => !known.has(parents.get(arn)!)).length;
        const pages = listing.parents.length + Math.floor(listing.children / 100);
        if (children.length <= pages) expect(sandbox.calls.total).toBe(children.length);
        else expect(sandbox.calls.total).toBeLessThanOrEqual(pages + orphans);
      }),
      { numRuns: 25 },
    );
    expect(ways.list).toBeGreaterThan(20);
    expect(ways.describe).toBeGreaterThan(20);
  });
});

describe("the cost of reading parents", () => {
  test("one new child is described, and nothing else is asked", async () => {
    await open();
    for (const type of READ_TYPES) {
      sandbox.calls.reset();
      await read(type, { children: childrenOf(type).slice(0, 1) });
      expect(sandbox.calls).toMatchObject({ total: 1 });
      expect(described(type)).toBe(1);
    }
  });

  test("a long history is listed parent by parent: the pages of these lists, and no description", async () => {
    await open({ resources: 6000 });
    const children = childrenOf("dataset-import-job");
    const perParent = Map.groupBy(truth(), ([, parent]) => parent);
    const { parents } = listingOf("dataset-import-job");
    const jobs = new Set(children.map(({ arn }) => arn));
    const pages = parents.map((parent) => (perParent.get(parent) ?? []).filter(([arn]) => jobs.has(arn)).length / 100);
    await read("dataset-import-job");
    expect(described("dataset-import-job")).toBe(0);
    expect(listed("dataset-import-job")).toBe(pages.reduce((sum, one) => sum + Math.max(1, Math.ceil(one)), 0));
    expect(listed("dataset-import-job")).toBeLessThan(children.length / 2);
  });

  test("as many children as the lists would have pages are described", async () => {
    await open();
    const listing = listingOf("dataset-import-job");
    const pages = listing.parents.length + Math.floor(listing.children / 100);
    await read("dataset-import-job", { children: childrenOf("dataset-import-job").slice(0, pages) });
    expect(described("dataset-import-job")).toBe(pages);
    expect(listed("dataset-import-job")).toBe(0);
    sandbox.calls.reset();
    await read("dataset-import-job", { children: childrenOf("dataset-import-job").slice(0, pages + 1) });
    expect(described("dataset-import-job")).toBe(0);
    expect(listed("dataset-import-job")).toBeGreaterThan(0);
  });

  test("campaigns are always described: their list tells the solution, and not the version", async () => {
    await open();
    await read("campaign", { listing: { parents: [], children: 0 } });
    expect(sandbox.calls.total).toBe(childrenOf("campaign").length);
    expect(listed("campaign")).toBe(0);
  });

  test("children that no list shows are described", async () => {
    await open();
    const listing = listingOf("dataset-import-job");
    const [hidden, ...shown] = listing.parents;
    const found = await read("dataset-import-job", { listing: { ...listing, parents: shown } });
    const orphans = found.edges.filter(({ source }) => source === "describe");
    expect(orphans.length).toBeGreaterThan(0);
    expect(new Set(orphans.map(({ parent_arn }) => parent_arn))).toEqual(new Set([hidden]));
    expect(described("dataset-import-job")).toBe(orphans.length);
    expect(parentsIn(found)).toEqual(trueParents(childrenOf("dataset-import-job")));
  });
});

describe("when AWS fails", () => {
  const JOB = "dataset-import-job";
  // A busy machine answers late, and that must not count as a failure here.
  const quick = { timeout_ms: 2000, patience_ms: 400 };

  test("a denied description is the reason for each child, and after ten denials nobody else is asked", async () => {
    await open();
    sandbox.setFaults([{ kind: "access_denied", operation: "DescribeCampaign" }]);
    const children = childrenOf("campaign");
    const { edges, failures, gone } = await read("campaign");
    expect({ edges, gone }).toEqual({ edges: [], gone: [] });
    expect(failures.map(({ arn }) => arn).toSorted()).toEqual(children.map(({ arn }) => arn).toSorted());
    for (const { error } of failures)
      expect(error).toMatchObject({ name: "AccessDeniedException", operation: "DescribeCampaign" });
    expect(described("campaign")).toBeGreaterThanOrEqual(10);
    expect(described("campaign")).toBeLessThan(10 + 16);
  });

  test("a denial of single resources leaves the others", async () => {
    await open();
    sandbox.setFaults([{ kind: "access_denied", operation: "DescribeCampaign", share: 0.5 }]);
    const { edges, failures } = await read("campaign");
    expect(edges.length).toBeGreaterThan(5);
    expect(failures.length).toBeGreaterThan(5);
    expect(edges.length + failures.length).toBe(childrenOf("campaign").length);
  });

  test.each(["throttle", "server_error", "hang", "cut", "access_denied"] as const)(
    "%s of the lists: the children are described, and the edges are the same",
    async (kind) => {
      await open({ resources: 400 }, quick);
      sandbox.setFaults([{ kind, operation: "ListDatasetImportJobs" }]);
      const found = await read(JOB);
      expect(found).toMatchObject({ failures: [], gone: [] });
      expect(parentsIn(found)).toEqual(trueParents(childrenOf(JOB)));
      expect(described(JOB)).toBe(childrenOf(JOB).length);
    },
  );

  test.each([
    ["throttle", "ThrottlingException"],
    ["server_error", "InternalServerException"],
    ["hang", "TimeoutError"],
    // The SDK calls a connection that was cut a timeout.
    ["cut", "TimeoutError"],
  ] as const)("%s of every description: each child has that reason, and none is without parent", async (kind, name) => {
    await open({ resources: 400 }, quick);
    sandbox.setFaults([{ kind, operation: "Describe*" }]);
    const children = childrenOf("campaign");
    const { edges, failures, gone } = await read("campaign");
    expect({ edges, gone }).toEqual({ edges: [], gone: [] });
    expect(failures).toHaveLength(children.length);
    for (const { error } of failures) expect(error).toMatchObject({ name, operation: "DescribeCampaign" });
  });

  test("something failing now and then costs time, and nothing is missing", async () => {
    await open({}, { timeout_ms: 1000, patience_ms: 20_000 });
    sandbox.setFaults([
      { kind: "server_error", share: 0.1 },
      { kind: "cut", share: 0.1 },
      { kind: "throttle", share: 0.02 },
    ]);
    for (const type of READ_TYPES) {
      const found = await read(type);
      expect(found).toMatchObject({ failures: [], gone: [] });
      expect(parentsIn(found)).toEqual(trueParents(childrenOf(type)));
    }
  });

  test("a child that does not exist any more is gone, which is no failure", async () => {
    await open();
    const children = childrenOf("solution").slice(0, 3);
    const arn = children[1]!.arn;
    for (const { arn: campaign, parent } of sandbox.resources({ type: "campaign" }))
      if (parent?.startsWith(`${arn}/`)) sandbox.deleteResource(campaign);
    sandbox.deleteResource(arn);
    const found = await read("solution", { children });
    expect(found).toMatchObject({ failures: [], gone: [arn] });
    expect(found.edges).toHaveLength(2);
  });

  test("an abort ends it at once, with its reason", async () => {
    await open();
    sandbox.setFaults([{ kind: "hang" }]);
    const controller = new AbortController();
    const reason = new Error("cancelled");
    setTimeout(() => controller.abort(reason), 50);
    const both = [read(JOB, { signal: controller.signal }), read("campaign", { signal: controller.signal })];
    for (const one of await Promise.allSettled(both)) expect(one).toEqual({ status: "rejected", reason });
  });
});

describe("replies that no sandbox gives", () => {
  const job = (name: string) => `arn:aws:personalize:us-east-1:${ACCOUNT}:dataset-import-job/${name}`;
  const dataset = (name: string) => `arn:aws:personalize:us-east-1:${ACCOUNT}:dataset/${name}/ITEMS`;
  const child = (arn: string, type: ResourceType = "dataset-import-job"): Child => ({
    arn,
    type,
    created_at: null,
    updated_at: null,
  });

  async function ask(
    children: readonly Child[],
    parents: readonly string[],
    script: Record<string, (call: Call) => Reply>,
  ) {
    const scripted = await startScriptedAws({ GetCallerIdentity: () => identity(ACCOUNT), ...script });
    const opened = openScripted(scripted);
    onClose.push(async () => {
      opened.close();
      await scripted.close();
    });
    api = await opened.target({ account_id: ACCOUNT, region: "us-east-1" });
    const found = await read(children[0]!.type, { children, listing: { parents, children: children.length } });
    return { ...found, turns: scripted.turns };
  }

  test.each(["InvalidInputException", "ResourceNotFoundException"])(
    "%s for one parent does not stop the lists of the others",
    async (error) => {
      const jobs = ["a", "b", "c", "d"].map(job);
      const { edges, turns } = await ask(
        jobs.map((arn) => child(arn)),
        ["one", "two", "three"].map(dataset),
        {
          ListDatasetImportJobs: ({ input }) =>
            input["datasetArn"] === dataset("one")
              ? { error }
              : {
                  body: {
                    datasetImportJobs: (input["datasetArn"] === dataset("two") ? jobs.slice(1, 3) : jobs.slice(3)).map(
                      (datasetImportJobArn) => ({ datasetImportJobArn, status: "ACTIVE" }),
                    ),
                  },
                },
          DescribeDatasetImportJob: ({ input }) => ({
            body: { datasetImportJob: { ...input, datasetArn: dataset("one") } },
          }),
        },
      );
      expect(new Map(edges.map(({ arn, parent_arn, source }) => [arn, [parent_arn, source]]))).toEqual(
        new Map([
          [jobs[0], [dataset("one"), "describe"]],
          [jobs[1], [dataset("two"), "list"]],
          [jobs[2], [dataset("two"), "list"]],
          [jobs[3], [dataset("three"), "list"]],
        ]),
      );
      expect(turns).toMatchObject({ ListDatasetImportJobs: 3, DescribeDatasetImportJob: 1 });
    },
  );

  test("a list in several pages is read to its end", async () => {
    const jobs = ["a", "b", "c"].map(job);
    const { edges, turns } = await ask(
      jobs.map((arn) => child(arn)),
      [dataset("one")],
      {
        ListDatasetImportJobs: ({ turn }) => ({
          body: {
            datasetImportJobs: [{ datasetImportJobArn: jobs[turn], status: "ACTIVE" }],
            ...(turn < 2 && { nextToken: `t${turn}` }),
          },
        }),
      },
    );
    expect(edges.map(({ arn }) => arn)).toEqual(jobs);
    expect(turns["ListDatasetImportJobs"]).toBe(3);
  });

  test.each([
    ["without the description", {}, "the reply has no field datasetImportJob"],
    ["without the parent", { datasetImportJob: {} }, /the description of .* has no datasetArn/],
    [
      "with a parent elsewhere",
      { datasetImportJob: { datasetArn: dataset("x").replace(ACCOUNT, "999988887777") } },
      /names/,
    ],
  ])("a reply %s is a failure with a name", async (_, body, message) => {
    const { edges, failures } = await ask([child(job("a"))], [dataset("one")], {
      DescribeDatasetImportJob: () => ({ body }),
    });
    expect(edges).toEqual([]);
    expect(failures).toEqual([
      {
        arn: job("a"),
        error: {
          name: "UnexpectedReply",
          message: expect.stringMatching(message),
          operation: "DescribeDatasetImportJob",
        },
      },
    ]);
  });

  test("a campaign whose update is under way has no edge yet, and says why", async () => {
    const arn = `arn:aws:personalize:us-east-1:${ACCOUNT}:campaign/live`;
    const version = (id: string) => `arn:aws:personalize:us-east-1:${ACCOUNT}:solution/ranking/${id}`;
    const { edges, failures } = await ask([child(arn, "campaign")], [], {
      DescribeCampaign: () => ({
        body: {
          campaign: {
            campaignArn: arn,
            solutionVersionArn: version("old"),
            latestCampaignUpdate: { solutionVersionArn: version("new"), status: "CREATE IN_PROGRESS" },
          },
        },
      }),
    });
    expect(edges).toEqual([]);
    expect(failures).toMatchObject([{ arn, error: { name: "UpdateInProgress", operation: "DescribeCampaign" } }]);
  });
});
