import { inArray } from "drizzle-orm";
import { UpdateCampaignCommand } from "@aws-sdk/client-personalize";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Database, OpenDatabase } from "../../src/db/client.ts";
import type { Aws } from "../../src/inventory/aws/session.ts";
import { loadLineage } from "../../src/inventory/db/lineage.ts";
import type { Target } from "../../src/inventory/resource.ts";
import { RESOURCE_TYPE_NAMES, RESOURCE_TYPES, type ResourceType } from "../../src/inventory/resource-types.ts";
import { parents, resources } from "../../src/inventory/schema.ts";
import { type Sandbox, type SandboxOptions, startSandbox } from "../../src/sandbox/server.ts";
import { ensureParents } from "../../src/scan/lineage.ts";
import { clientsOf } from "../sandbox/sdk.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";
import { awsOf, scanAll } from "../support/scan.ts";

const HERE: Target = { partition: "aws", account_id: "111122223333", region: "us-east-1" };
const now = () => new Date();
/** A clock that never shows the same time twice: what is made, deleted and made again is not made at one instant. */
let last = 0;
const ticking = () => {
  last = Math.max(Date.now(), last + 1);
  return new Date(last);
};

describeOnBoth("the lineage that a scan reads into %s", (kind) => {
  let opened: OpenDatabase;
  let database: Database;
  let sandbox: Sandbox;
  let aws: Aws;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
    database = opened.database;
  });
  afterAll(() => opened.close());
  beforeEach(() => emptyTables(database));
  afterEach(async () => {
    aws.close();
    await sandbox.close();
  });

  /** A sandbox of one target, scanned. */
  async function open(options: SandboxOptions = {}): Promise<void> {
    sandbox = await startSandbox({ accounts: 0, regions: ["us-east-1"], resources: 300, now: ticking, ...options });
    aws = awsOf(sandbox);
    await scan();
  }
  const scan = async (options: { types?: ResourceType[]; targets?: Target[] } = {}) => {
    await scanAll(database, sandbox, { aws, ...options });
    sandbox.calls.reset();
  };
  const ensure = (types: readonly ResourceType[] = RESOURCE_TYPE_NAMES, target = HERE) =>
    ensureParents({ database, aws, now }, target, types);
  const first = (type: ResourceType, fits: (one: { arn: string; parent: string | null }) => boolean = () => true) =>
    [...sandbox.resources({ type })].find((one) => fits(one) && one.status === "ACTIVE")!;
  const stored = (arns: string[]) => database.select().from(resources).where(inArray(resources.arn, arns));
  const lineage = async (arn: string) => (await loadLineage(database, await stored([arn]))).get(arn)!;
  const above = async (arn: string) => (await lineage(arn)).ancestors.map((ancestor) => ancestor.arn);
  const count = (operation: string) => sandbox.calls.by_operation[operation] ?? 0;

  /** What stands above each resource, by the state of the sandbox itself. */
  function truth(): Map<string, string[]> {
    const parentOf = new Map([...sandbox.resources()].map(({ arn, parent }) => [arn, parent]));
    const climb = (arn: string): string[] => {
      const parent = parentOf.get(arn);
      if (!parent) return [];
      if (!parent.endsWith("/$LATEST")) return [parent, ...climb(parent)];
      const solution = parent.slice(0, -"/$LATEST".length);
      return [solution, ...climb(solution)];
    };
    return new Map([...parentOf.keys()].map((arn) => [arn, climb(arn)]));
  }

  async function expectTruth(): Promise<void> {
    const expected = truth();
    const loaded = await loadLineage(database, await stored([...expected.keys()]));
    for (const [arn, ancestors] of expected) {
      const found = loaded.get(arn)!;
      expect([arn, found.known, found.ancestors.map((one) => one.arn)]).toEqual([arn, true, ancestors]);
    }
  }

  test("of every resource of every account and region is that of the state itself, with its ancestors' tags", async () => {
    sandbox = await startSandbox({ resources: 1000 });
    aws = awsOf(sandbox);
    await scan();
    const { accounts, regions } = sandbox.organization;
    for (const { id: account_id } of accounts)
      for (const region of regions)
        expect(await ensure(RESOURCE_TYPE_NAMES, { ...HERE, account_id, region })).toEqual([]);
    await expectTruth();

    const state = new Map([...sandbox.resources()].map((resource) => [resource.arn, resource]));
    expect(state.size).toBe(1000);
    const loaded = await loadLineage(database, await stored([...state.keys()]));
    const own = (tags: Iterable<readonly [string, string]>) =>
      Object.fromEntries([...tags].filter(([key]) => !key.startsWith("aws:")));
    for (const { ancestors } of loaded.values()) {
      for (const { arn, type, name, tags, unread } of ancestors) {
        const resource = state.get(arn)!;
        expect({ type, unread }).toEqual({ type: resource.type, unread: null });
        if (type !== "dataset") expect(name).toBe(resource.name);
        expect(own(Object.entries(tags!))).toEqual(own(resource.tags));
      }
    }
  });

  test("is kept: a second run asks nothing and writes nothing, one new job is one question", async () => {
    await open();
    expect(await ensure()).toEqual([]);
    expect(sandbox.calls.total).toBeGreaterThan(10);
    const kept = await database.select().from(parents).orderBy(parents.arn);
    await scan();
    expect(await ensure()).toEqual([]);
    expect(sandbox.calls.total).toBe(0);
    expect(await database.select().from(parents).orderBy(parents.arn)).toEqual(kept);

    const arn = sandbox.createResource(HERE, "dataset-import-job", "brand-new");
    await scan();
    expect(await ensure()).toEqual([]);
    expect(sandbox.calls).toMatchObject({ total: 1, by_operation: { DescribeDatasetImportJob: 1 } });
    expect(await above(arn)).toEqual(truth().get(arn));
  });

  test("is read for the types that are asked for and what is above them, and no others", async () => {
    await open();
    expect(await ensure(["filter", "dataset", "recommender", "data-deletion-job", "dataset-group"])).toEqual([]);
    expect(sandbox.calls.total).toBe(0);
    await ensure(["batch-inference-job"]);
    const asked = new Set(Object.keys(sandbox.calls.by_operation));
    expect([...asked].filter((operation) => !["ListSolutions", "DescribeSolution"].includes(operation))).toEqual([]);
    for (const [arn, ancestors] of truth())
      if (arn.includes(":batch-inference-job/")) expect(await above(arn)).toEqual(ancestors);
    expect(await lineage(first("campaign").arn)).toMatchObject({ known: false });
  });

  test("costs no more calls than to describe each resource, and no more than to list each parent's children", async () => {
    await open({ resources: 3000 });
    await ensure();
    const size = (type: ResourceType) => [...sandbox.resources({ type })].length;
    const pages = (type: ResourceType) => size(RESOURCE_TYPES[type].parent!) + Math.floor(size(type) / 100);
    for (const type of ["solution", "event-tracker", "dataset-import-job", "dataset-export-job"] as const) {
      const { list_operation, describe_operation } = RESOURCE_TYPES[type];
      const calls = count(list_operation) + count(describe_operation);
      expect([type, calls <= Math.min(size(type), pages(type))]).toEqual([type, true]);
    }
    expect(count("DescribeCampaign")).toBe(size("campaign"));
    expect(count("DescribeDatasetImportJob")).toBe(0);
    await expectTruth();
  });

  test("a campaign that was moved to another solution is asked anew, once", async () => {
    await open();
    await ensure();
    const campaign = first("campaign");
    const before = await above(campaign.arn);
    const version = first("solution-version", ({ parent }) => !before.includes(parent!));
    const { personalize } = clientsOf(sandbox);
    await personalize.send(new UpdateCampaignCommand({ campaignArn: campaign.arn, solutionVersionArn: version.arn }));
    await scan();
    expect(await lineage(campaign.arn)).toMatchObject({ known: false });
    expect(await ensure()).toEqual([]);
    expect(sandbox.calls).toMatchObject({ total: 1, by_operation: { DescribeCampaign: 1 } });
    expect(await above(campaign.arn)).toEqual(truth().get(campaign.arn));
    expect(await above(campaign.arn)).not.toEqual(before);
    await ensure();
    expect(sandbox.calls.total).toBe(1);
  });

  test("a solution that was deleted and made anew under the same name is asked anew, once", async () => {
    await open();
    await ensure();
    const arn = sandbox.createResource(HERE, "solution", "phoenix");
    await scan();
    await ensure();
    sandbox.deleteResource(arn);
    expect(sandbox.createResource(HERE, "solution", "phoenix")).toBe(arn);
    await scan();
    expect(await ensure()).toEqual([]);
    expect(sandbox.calls).toMatchObject({ total: 1, by_operation: { DescribeSolution: 1 } });
    expect(await above(arn)).toEqual(truth().get(arn));
  });

  test("without the permission to describe, a warning names it, nothing is invented, and it heals", async () => {
    await open();
    sandbox.setFaults([{ kind: "access_denied", operation: "DescribeCampaign" }]);
    const warnings = await ensure();
    const campaigns = [...sandbox.resources({ type: "campaign" })];
    expect(warnings).toEqual([
      expect.stringMatching(
        new RegExp(
          `^111122223333/us-east-1: the parent of arn:.*:campaign/.* and ${campaigns.length - 1} more could not be read ` +
            `\\(DescribeCampaign: AccessDeniedException\\).* The permission that it needs is personalize:DescribeCampaign\\.$`,
        ),
      ),
    ]);
    for (const { arn } of campaigns) {
      const found = await lineage(arn);
      expect(found).toMatchObject({ known: false, reason: `the parent of ${arn} was not read, or could not be` });
    }
    sandbox.setFaults([]);
    expect(await ensure()).toEqual([]);
    await expectTruth();
  });

  test("lists that are throttled throughout cost time, and the lineage is the same", async () => {
    await open();
    aws.close();
    aws = awsOf(sandbox, { patience_ms: 300 });
    sandbox.setFaults([{ kind: "throttle", operation: "List*" }]);
    expect(await ensure()).toEqual([]);
    await expectTruth();
  });

  test("a service that does not answer: warnings by the error's name, and what was read before stays", async () => {
    await open();
    await ensure(["solution"]);
    aws.close();
    aws = awsOf(sandbox, { patience_ms: 300, timeout_ms: 2000 });
    sandbox.setFaults([{ kind: "hang", operation: "Describe*" }]);
    const warnings = await ensure(["campaign", "solution"]);
    expect(warnings).toEqual([expect.stringContaining("(DescribeCampaign: TimeoutError)")]);
    expect(warnings[0]).not.toContain("permission");
    for (const [arn, ancestors] of truth())
      if (arn.includes(":solution/")) expect([arn, await above(arn)]).toEqual([arn, ancestors]);
  });

  test("a target that cannot be entered: one warning, with the reason", async () => {
    await open({ accounts: 1 });
    const member = sandbox.organization.accounts[1]!.id;
    const there = { ...HERE, account_id: member };
    aws.close();
    aws = awsOf(sandbox);
    sandbox.setFaults([{ kind: "access_denied", operation: "AssumeRole" }]);
    const warnings = await ensure(["campaign", "event-tracker"], there);
    expect(warnings).toEqual([
      expect.stringMatching(
        new RegExp(`^${member}/us-east-1: .* \\d+ more could not be read \\(AssumeRole: AccessDenied\\)`),
      ),
    ]);
    expect(warnings[0]).not.toContain("permission");
  });

  test("where a parent was deleted, the chain says that it is gone, and the others stay", async () => {
    await open();
    const job = first("dataset-import-job");
    sandbox.deleteResource(job.parent!);
    await scan();
    await scan();
    expect(await ensure()).toEqual([]);
    expect(await lineage(job.arn)).toEqual({
      known: false,
      reason: `${job.parent!}, the parent of ${job.arn}, is gone`,
      ancestors: [],
    });
    const elsewhere = first("dataset-export-job", ({ parent }) => parent !== job.parent);
    expect(await above(elsewhere.arn)).toEqual(truth().get(elsewhere.arn));
  });

  test("where the type above was never scanned, the chain says that it is not in the inventory", async () => {
    sandbox = await startSandbox({ accounts: 0, regions: ["us-east-1"], resources: 300 });
    aws = awsOf(sandbox);
    await scan({ types: ["campaign"] });
    expect(await ensure(["campaign"])).toEqual([]);
    const { arn, parent } = first("campaign", (one) => !one.parent!.endsWith("/$LATEST"));
    expect(await lineage(arn)).toMatchObject({
      known: false,
      reason: `${parent!}, the parent of ${arn}, is not in the inventory`,
    });
  });

  test("a resource that is deleted between list and question is neither a parent lost nor a warning", async () => {
    await open();
    await ensure();
    const arn = sandbox.createResource(HERE, "solution", "short-lived");
    await scan();
    sandbox.deleteResource(arn);
    expect(await ensure()).toEqual([]);
    expect(await lineage(arn)).toMatchObject({ known: false });
  });

  test("a cancelled run ends with the signal's reason, and the next one goes on", async () => {
    await open();
    const controller = new AbortController();
    const reason = new Error("cancelled");
    sandbox.setFaults([{ kind: "hang", operation: "Describe*" }]);
    setTimeout(() => controller.abort(reason), 50);
    await expect(ensureParents({ database, aws, now }, HERE, RESOURCE_TYPE_NAMES, controller.signal)).rejects.toBe(
      reason,
    );
    sandbox.setFaults([]);
    expect(await ensure()).toEqual([]);
    await expectTruth();
  });
});
