import * as sdk from "@aws-sdk/client-personalize";
import { describe, expect, it } from "vitest";
import { RESOURCE_TYPE_NAMES } from "../../src/inventory/resource-types.ts";
import type { Sandbox } from "../../src/sandbox/server.ts";
import { clientsOf, errorOf, ONE_TARGET, sandboxes } from "./sdk.ts";

const start = sandboxes();
const PLACE = { account_id: "111122223333", region: "us-east-1" };

const pairs = (tags: Record<string, string>) =>
  Object.entries(tags).map(([tagKey, tagValue]) => ({ tagKey, tagValue }));
const numbered = (count: number) =>
  pairs(Object.fromEntries(Array.from({ length: count }, (_, i) => [`key-${i}`, ""])));

async function withFilter(tags: Record<string, string> = {}): Promise<{
  sandbox: Sandbox;
  arn: string;
  tag: (tags: { tagKey: string; tagValue: string }[]) => Promise<unknown>;
  untag: (tagKeys: string[]) => Promise<unknown>;
  read: () => Promise<unknown>;
}> {
  const sandbox = await start({ ...ONE_TARGET, resources: 200 });
  const { personalize } = clientsOf(sandbox);
  const arn = sandbox.createResource(PLACE, "filter", "tested", tags);
  return {
    sandbox,
    arn,
    tag: (list) => personalize.send(new sdk.TagResourceCommand({ resourceArn: arn, tags: list })),
    untag: (tagKeys) => personalize.send(new sdk.UntagResourceCommand({ resourceArn: arn, tagKeys })),
    read: async () => {
      const answer = await personalize.send(new sdk.ListTagsForResourceCommand({ resourceArn: arn }));
      return Object.fromEntries(answer.tags!.map(({ tagKey, tagValue }) => [tagKey, tagValue]));
    },
  };
}

describe("tags of the sandbox's Personalize", () => {
  it("adds keys, replaces values and leaves the others; keys differ by case", async () => {
    const { tag, untag, read } = await withFilter({ Owner: "a", Team: "b" });
    await tag(pairs({ Owner: "c", owner: "d", Empty: "" }));
    expect(await read()).toEqual({ Owner: "c", Team: "b", owner: "d", Empty: "" });
    await untag(["Team", "never-there"]);
    expect(await read()).toEqual({ Owner: "c", owner: "d", Empty: "" });
  });

  it("holds 50 user tags, and no more", async () => {
    const { tag, read } = await withFilter();
    await tag(numbered(50));
    await tag(pairs({ "key-7": "again" }));
    expect((await errorOf(tag(pairs({ one: "more" })))).name).toBe("TooManyTagsException");
    expect(await read()).not.toHaveProperty("one");
    expect(await read()).toHaveProperty("key-7", "again");
  });

  it("does not count the tags of AWS", async () => {
    const sandbox = await start({ ...ONE_TARGET, resources: 2000 });
    const { personalize } = clientsOf(sandbox);
    const managed = [...sandbox.resources({ type: "dataset" })].find(
      ({ tags, status }) => tags.has("aws:cloudformation:stack-name") && status === "ACTIVE",
    );
    expect(managed?.stack).toBe(managed?.tags.get("aws:cloudformation:stack-name"));
    sandbox.setTags(managed!.arn, {});
    await personalize.send(new sdk.TagResourceCommand({ resourceArn: managed!.arn, tags: numbered(50) }));
    const { tags } = await personalize.send(new sdk.ListTagsForResourceCommand({ resourceArn: managed!.arn }));
    expect(tags).toHaveLength(51);
  });

  it.each([
    ["a reserved key", pairs({ "aws:owner": "x" }), "InvalidInputException"],
    ["a reserved key in capitals", pairs({ "AWS:owner": "x" }), "InvalidInputException"],
    ["a key given twice", [...pairs({ a: "1" }), ...pairs({ a: "2" })], "InvalidInputException"],
    ["an empty key", pairs({ "": "x" }), "InvalidInputException"],
    ["a key of 129 characters", pairs({ ["k".repeat(129)]: "x" }), "InvalidInputException"],
    ["a value of 257 characters", pairs({ k: "v".repeat(257) }), "InvalidInputException"],
    ["a character that tags can not have", pairs({ k: "a,b" }), "InvalidInputException"],
    ["more than 200 tags", numbered(201), "InvalidInputException"],
    ["51 tags", numbered(51), "TooManyTagsException"],
  ])("refuses %s and changes nothing", async (_what, list, name) => {
    const { tag, read } = await withFilter({ Owner: "a" });
    expect(await errorOf(tag(list))).toMatchObject({ name, status: 400 });
    expect(await read()).toEqual({ Owner: "a" });
  });

  it("takes any letter, separator and number, and the longest key and value", async () => {
    const { tag, read } = await withFilter();
    const tags = { ["k".repeat(128)]: "v".repeat(256), "Größe 東京": "é _.:/=+-@ ٣" };
    await tag(pairs(tags));
    expect(await read()).toEqual(tags);
  });

  it("refuses to take more than 50 keys away at once", async () => {
    const { untag } = await withFilter();
    const keys = numbered(51).map(({ tagKey }) => tagKey);
    expect((await errorOf(untag(keys))).name).toBe("TooManyTagKeysException");
    expect((await errorOf(untag(["aws:cloudformation:stack-name"]))).name).toBe("InvalidInputException");
  });

  it("refuses what is unknown, elsewhere, no resource, or takes no tags", async () => {
    const { sandbox } = await withFilter();
    const { personalize } = clientsOf(sandbox);
    const nameOf = async (resourceArn: string) =>
      (await errorOf(personalize.send(new sdk.TagResourceCommand({ resourceArn, tags: pairs({ a: "b" }) })))).name;
    const here = "arn:aws:personalize:us-east-1:111122223333";
    expect(await nameOf(`${here}:filter/none`)).toBe("ResourceNotFoundException");
    expect(await nameOf(`arn:aws:personalize:eu-west-1:111122223333:filter/tested`)).toBe("ResourceNotFoundException");
    expect(await nameOf(`arn:aws:personalize:us-east-1:999999999999:filter/x`)).toBe("AccessDeniedException");
    expect(await nameOf(`${here}:schema/items-schema`)).toBe("InvalidInputException");
    expect(await nameOf(`${here}:metric-attribution/x`)).toBe("InvalidInputException");
    expect(await nameOf("arn:aws:personalize:::recipe/aws-sims")).toBe("InvalidInputException");
    expect(await nameOf(`${here}:gadget/x`)).toBe("InvalidInputException");
    expect(await nameOf("arn:aws:s3:::bucket")).toBe("InvalidInputException");
  });

  it("refuses to tag what is being deleted, and still reads it", async () => {
    const sandbox = await start({ ...ONE_TARGET, resources: 5000 });
    const { personalize } = clientsOf(sandbox);
    const going = [...sandbox.resources()].find(({ status }) => status.startsWith("DELETE"))!;
    const tag = personalize.send(new sdk.TagResourceCommand({ resourceArn: going.arn, tags: pairs({ a: "b" }) }));
    expect((await errorOf(tag)).name).toBe("ResourceInUseException");
    await personalize.send(new sdk.ListTagsForResourceCommand({ resourceArn: going.arn }));
  });

  it("tags every type at its creation or later", async () => {
    const { sandbox } = await withFilter();
    const { personalize } = clientsOf(sandbox);
    for (const type of RESOURCE_TYPE_NAMES) {
      const arn = sandbox.createResource(PLACE, type, "tag-me", { Made: "here" });
      await personalize.send(new sdk.TagResourceCommand({ resourceArn: arn, tags: pairs({ Owner: "x" }) }));
      const [{ tags } = { tags: new Map() }] = [...sandbox.resources({ type })].filter(
        (resource) => resource.arn === arn,
      );
      expect([type, ...tags]).toEqual([type, ["Made", "here"], ["Owner", "x"]]);
    }
  });
});

describe("creation and deletion", () => {
  it("checks what a creation refers to", async () => {
    const sandbox = await start({ ...ONE_TARGET, resources: 300 });
    const { personalize } = clientsOf(sandbox);
    const group = sandbox.createResource(PLACE, "dataset-group", "checks");
    const here = "arn:aws:personalize:us-east-1:111122223333";
    const create = (input: Partial<sdk.CreateDatasetCommandInput>) =>
      personalize.send(
        new sdk.CreateDatasetCommand({
          name: "d",
          datasetGroupArn: group,
          datasetType: "Items",
          schemaArn: `${here}:schema/items-schema`,
          ...input,
        }),
      );
    const nameOf = async (input: Partial<sdk.CreateDatasetCommandInput>) => (await errorOf(create(input))).name;
    expect(await nameOf({ datasetGroupArn: `${here}:dataset-group/none` })).toBe("ResourceNotFoundException");
    expect(await nameOf({ datasetGroupArn: `${here}:solution/none` })).toBe("InvalidInputException");
    expect(await nameOf({ schemaArn: `${here}:schema/none` })).toBe("ResourceNotFoundException");
    expect(await nameOf({ datasetType: "Gadgets" })).toBe("InvalidInputException");
    expect(await nameOf({ name: "no spaces" })).toBe("InvalidInputException");
    expect(await nameOf({ name: undefined })).toBe("InvalidInputException");
    expect(await nameOf({ tags: pairs({ "aws:x": "y" }) })).toBe("InvalidInputException");
    expect((await create({})).datasetArn).toBe(`${here}:dataset/checks/ITEMS`);
    expect(await nameOf({})).toBe("ResourceAlreadyExistsException");
  });

  it("lets a campaign follow the latest version of its solution", async () => {
    const sandbox = await start({ ...ONE_TARGET, resources: 300 });
    const { personalize } = clientsOf(sandbox);
    const solution = [...sandbox.resources({ type: "solution" })].find(({ status }) => status === "ACTIVE")!;
    await personalize.send(new sdk.CreateSolutionVersionCommand({ solutionArn: solution.arn }));
    const latest = `${solution.arn}/$LATEST`;
    const { campaignArn } = await personalize.send(
      new sdk.CreateCampaignCommand({ name: "follows", solutionVersionArn: latest }),
    );
    const { campaign } = await personalize.send(new sdk.DescribeCampaignCommand({ campaignArn: campaignArn! }));
    expect(campaign?.solutionVersionArn).toBe(latest);
    const { campaigns } = await personalize.send(new sdk.ListCampaignsCommand({ solutionArn: solution.arn }));
    expect(campaigns?.map((each) => each.campaignArn)).toContain(campaignArn);
  });
});
