import {
  GetResourcesCommand,
  GetTagKeysCommand,
  GetTagValuesCommand,
  type GetResourcesCommandInput,
  TagResourcesCommand,
} from "@aws-sdk/client-resource-groups-tagging-api";
import { describe, expect, it } from "vitest";
import type { Sandbox } from "../../src/sandbox/server.ts";
import { clientsOf, errorOf, ONE_TARGET, sandboxes } from "./sdk.ts";

const start = sandboxes();
const PLACE = { account_id: "111122223333", region: "us-east-1" };

async function ask(sandbox: Sandbox, input: GetResourcesCommandInput): Promise<Map<string, Record<string, string>>> {
  const { tagging } = clientsOf(sandbox);
  const found = new Map<string, Record<string, string>>();
  let token = "";
  do {
    const answer = await tagging.send(
      new GetResourcesCommand({ ...input, ...(token === "" ? {} : { PaginationToken: token }) }),
    );
    for (const { ResourceARN, Tags } of answer.ResourceTagMappingList!) {
      found.set(ResourceARN!, Object.fromEntries(Tags!.map(({ Key, Value }) => [Key!, Value!])));
    }
    token = answer.PaginationToken!;
  } while (token !== "");
  return found;
}

describe("GetResources of the sandbox", () => {
  it("leaves out what never had a tag, and shows what had one with no tags", async () => {
    const sandbox = await start({ ...ONE_TARGET, resources: 200 });
    const never = sandbox.createResource(PLACE, "filter", "never");
    const before = sandbox.createResource(PLACE, "filter", "before", { Owner: "x" });
    sandbox.setTags(before, {});
    const answer = await ask(sandbox, { ResourceARNList: [never, before, `${before}-none`] });
    expect([...answer]).toEqual([[before, {}]]);
    expect((await ask(sandbox, {})).has(never)).toBe(false);
  });

  it("combines tag filters: all keys, any value", async () => {
    const sandbox = await start({ ...ONE_TARGET, resources: 1000 });
    const all = [...sandbox.resources()];
    const expected = all.filter(
      ({ tags }) => tags.has("Owner") && ["prod", "Production"].includes(tags.get("Environment") ?? ""),
    );
    const TagFilters = [{ Key: "Owner" }, { Key: "Environment", Values: ["prod", "Production"] }];
    const answer = await ask(sandbox, { TagFilters });
    expect(expected.length).toBeGreaterThan(10);
    expect([...answer.keys()]).toEqual(expected.map(({ arn }) => arn).toSorted());
  });

  it("filters by type as in the ARN, so that solutions come with their versions", async () => {
    const sandbox = await start({ ...ONE_TARGET, resources: 1000 });
    const tagged = [...sandbox.resources()].filter(({ ever_tagged }) => ever_tagged);
    const count = async (...ResourceTypeFilters: string[]) => (await ask(sandbox, { ResourceTypeFilters })).size;
    const of = (...types: string[]) => tagged.filter(({ type }) => types.includes(type)).length;
    expect(await count("personalize")).toBe(tagged.length);
    expect(await count("personalize:dataset")).toBe(of("dataset"));
    expect(await count("personalize:solution")).toBe(of("solution", "solution-version"));
    expect(await count("personalize:filter", "personalize:campaign")).toBe(of("filter", "campaign"));
    expect(await count("s3", "ec2:instance")).toBe(0);
  });

  it.each([
    ["an ARN list with a filter", { ResourceARNList: ["arn:aws:s3:::b"], TagFilters: [{ Key: "a" }] }],
    ["an ARN list with a page size", { ResourceARNList: ["arn:aws:s3:::b"], ResourcesPerPage: 10 }],
    ["more than 100 ARNs", { ResourceARNList: Array.from({ length: 101 }, (_, i) => `arn:aws:s3:::b${i}`) }],
    ["no ARN at all", { ResourceARNList: [] }],
    ["a page of 101", { ResourcesPerPage: 101 }],
    ["a page of none", { ResourcesPerPage: 0 }],
    ["150 tags a page", { TagsPerPage: 150 }],
    ["a token of nothing", { PaginationToken: "abc" }],
    ["21 values", { TagFilters: [{ Key: "a", Values: Array.from({ length: 21 }, String) }] }],
    ["51 filters", { TagFilters: Array.from({ length: 51 }, (_, i) => ({ Key: `k${i}` })) }],
    ["an exclusion of what was not asked for", { ExcludeCompliantResources: true }],
  ])("refuses %s", async (_what, input) => {
    const sandbox = await start({ ...ONE_TARGET, resources: 100 });
    const call = clientsOf(sandbox).tagging.send(new GetResourcesCommand(input));
    expect(await errorOf(call)).toMatchObject({ name: "InvalidParameterException", status: 400 });
  });

  it("cuts pages by the number of tags", async () => {
    const sandbox = await start({ ...ONE_TARGET, resources: 4 });
    const tags = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`k${i}`, "v"]));
    for (let i = 0; i < 5; i++) sandbox.createResource(PLACE, "campaign", `tagged-${i}`, tags);
    const { tagging } = clientsOf(sandbox);
    const first = await tagging.send(
      new GetResourcesCommand({ TagsPerPage: 100, ResourceTypeFilters: ["personalize:campaign"] }),
    );
    expect(first.ResourceTagMappingList).toHaveLength(2);
    expect((await ask(sandbox, { TagsPerPage: 100, ResourceTypeFilters: ["personalize:campaign"] })).size).toBe(5);
  });

  it("forgets a token after 15 minutes", async () => {
    let time = Date.now();
    const sandbox = await start({ ...ONE_TARGET, resources: 300, now: () => new Date(time) });
    const { tagging } = clientsOf(sandbox);
    const { PaginationToken } = await tagging.send(new GetResourcesCommand({ ResourcesPerPage: 10 }));
    time += 14 * 60_000;
    await tagging.send(new GetResourcesCommand({ PaginationToken }));
    time += 2 * 60_000;
    const late = tagging.send(new GetResourcesCommand({ PaginationToken }));
    expect((await errorOf(late)).name).toBe("PaginationTokenExpiredException");
  });

  it("does not hold the types it is told to leave out", async () => {
    const unindexed_types = ["solution-version", "data-deletion-job"] as const;
    const sandbox = await start({ ...ONE_TARGET, resources: 500, unindexed_types: [...unindexed_types] });
    const answer = await ask(sandbox, {});
    const types = new Set([...sandbox.resources()].filter(({ arn }) => answer.has(arn)).map(({ type }) => type));
    expect([...types].filter((type) => unindexed_types.some((each) => each === type))).toEqual([]);
    expect(types.has("solution")).toBe(true);
  });

  it("shows every change after its lag, not before", async () => {
    let time = 1_800_000_000_000;
    const sandbox = await start({ ...ONE_TARGET, resources: 50, index_lag_ms: 5000, now: () => new Date(time) });
    const seen = async (arn: string) => (await ask(sandbox, { ResourceARNList: [arn] })).get(arn);
    const arn = sandbox.createResource(PLACE, "campaign", "lagging", { Owner: "a" });
    expect(await seen(arn)).toBeUndefined();
    time += 4999;
    expect(await seen(arn)).toBeUndefined();
    time += 1;
    expect(await seen(arn)).toEqual({ Owner: "a" });
    expect((await ask(sandbox, {})).has(arn)).toBe(true);

    sandbox.setTags(arn, { Owner: "b" });
    time += 2000;
    sandbox.setTags(arn, { Owner: "c" });
    expect(await seen(arn)).toEqual({ Owner: "a" });
    time += 3000;
    expect(await seen(arn)).toEqual({ Owner: "b" });
    time += 2000;
    expect(await seen(arn)).toEqual({ Owner: "c" });

    sandbox.deleteResource(arn);
    expect(await seen(arn)).toEqual({ Owner: "c" });
    expect((await ask(sandbox, {})).has(arn)).toBe(true);
    time += 5000;
    expect(await seen(arn)).toBeUndefined();
    expect((await ask(sandbox, {})).has(arn)).toBe(false);
  });
});

describe("the other operations of the tagging API", () => {
  it("lists keys and values in use", async () => {
    const sandbox = await start({ ...ONE_TARGET, resources: 500 });
    const { tagging } = clientsOf(sandbox);
    const all = [...sandbox.resources()];
    const keys = new Set(all.flatMap(({ tags }) => [...tags.keys()]));
    const owners = new Set(all.flatMap(({ tags }) => tags.get("Owner") ?? []));
    expect((await tagging.send(new GetTagKeysCommand({}))).TagKeys).toEqual([...keys].toSorted());
    const values = await tagging.send(new GetTagValuesCommand({ Key: "Owner" }));
    expect(values.TagValues).toEqual([...owners].toSorted());
    expect(values.PaginationToken).toBe("");
  });

  it("answers 200 with a failure for each ARN when asked to write", async () => {
    const sandbox = await start({ ...ONE_TARGET, resources: 50 });
    const arn = sandbox.createResource(PLACE, "campaign", "kept", { Owner: "a" });
    const command = new TagResourcesCommand({ ResourceARNList: [arn, "nonsense"], Tags: { Owner: "b" } });
    const { FailedResourcesMap } = await clientsOf(sandbox).tagging.send(command);
    expect(FailedResourcesMap?.[arn]?.ErrorCode).toBe("InternalServiceException");
    expect(FailedResourcesMap?.["nonsense"]?.ErrorCode).toBe("InvalidParameterException");
    expect((await ask(sandbox, { ResourceARNList: [arn] })).get(arn)).toEqual({ Owner: "a" });
  });
});
