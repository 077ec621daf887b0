import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Ancestor,
  type Link,
  lineageOf,
  LONGEST_CHAIN,
  parentInHand,
  typesAbove,
} from "../../src/inventory/lineage.ts";
import { parentFromDescription } from "../../src/inventory/parent-from-description.ts";
import { RESOURCE_TYPE_NAMES, RESOURCE_TYPES, type ResourceType } from "../../src/inventory/resource-types.ts";
import { tagsFrom } from "../../src/tags/tags.ts";

const PREFIX = "arn:aws:personalize:us-east-1:111122223333:";
const arn = (path: string) => `${PREFIX}${path}`;
const SAMPLE: Record<ResourceType, string> = {
  "dataset-group": arn("dataset-group/shop"),
  dataset: arn("dataset/shop/ITEMS"),
  "dataset-import-job": arn("dataset-import-job/import-1"),
  "dataset-export-job": arn("dataset-export-job/export-1"),
  "data-deletion-job": arn("data-deletion-job/erasure-1"),
  "event-tracker": arn("event-tracker/ab12cd34"),
  filter: arn("filter/in-stock"),
  recommender: arn("recommender/for-you"),
  solution: arn("solution/ranking"),
  "solution-version": arn("solution/ranking/0a1b2c3d"),
  campaign: arn("campaign/live"),
  "batch-inference-job": arn("batch-inference-job/night"),
  "batch-segment-job": arn("batch-segment-job/segments"),
};

describe("the parent that is in hand", () => {
  const inHand = (type: ResourceType, summary = {}) => parentInHand({ arn: SAMPLE[type], type, summary });

  test("a dataset group stands under nothing", () => {
    expect(inHand("dataset-group")).toBeNull();
  });

  test("the ARN of a dataset names its group, that of a solution version its solution", () => {
    expect(inHand("dataset")).toBe(SAMPLE["dataset-group"]);
    expect(inHand("solution-version")).toBe(SAMPLE.solution);
  });

  test.each([
    ["filter", "datasetGroupArn", "dataset-group"],
    ["recommender", "datasetGroupArn", "dataset-group"],
    ["data-deletion-job", "datasetGroupArn", "dataset-group"],
    ["batch-inference-job", "solutionVersionArn", "solution-version"],
    ["batch-segment-job", "solutionVersionArn", "solution-version"],
  ] as const)("the list entry of a %s names its parent as %s", (type, field, parent) => {
    expect(inHand(type, { [field]: SAMPLE[parent] })).toBe(SAMPLE[parent]);
    expect(inHand(type)).toBeUndefined();
    expect(inHand(type, { [field]: "" })).toBeUndefined();
  });

  test("the latest version of a solution is no resource: its solution stands above", () => {
    expect(inHand("batch-inference-job", { solutionVersionArn: `${SAMPLE.solution}/$LATEST` })).toBe(SAMPLE.solution);
  });

  test.each(["solution", "event-tracker", "campaign", "dataset-import-job", "dataset-export-job"] as const)(
    "that of a %s has to be read",
    (type) => {
      expect(inHand(type, { datasetGroupArn: SAMPLE["dataset-group"], datasetArn: SAMPLE.dataset })).toBeUndefined();
    },
  );
});

describe("the parent that a description names", () => {
  const parentOf = (type: ResourceType, description: Record<string, unknown>) =>
    parentFromDescription({ arn: SAMPLE[type], type }, description);
  const version = SAMPLE["solution-version"];
  const other = arn("solution/ranking/99999999");

  test.each([
    ["solution", "datasetGroupArn", "dataset-group"],
    ["event-tracker", "datasetGroupArn", "dataset-group"],
    ["dataset-import-job", "datasetArn", "dataset"],
    ["dataset-export-job", "datasetArn", "dataset"],
    ["campaign", "solutionVersionArn", "solution-version"],
  ] as const)("of a %s is its %s", (type, field, parent) => {
    expect(parentOf(type, { [field]: SAMPLE[parent] })).toBe(SAMPLE[parent]);
  });

  test.each([
    ["missing", {}],
    ["of another type", { datasetGroupArn: SAMPLE.solution }],
    ["of another account", { datasetGroupArn: SAMPLE["dataset-group"].replace("111122223333", "999988887777") }],
    ["of another region", { datasetGroupArn: SAMPLE["dataset-group"].replace("us-east-1", "eu-west-1") }],
    ["not a text", { datasetGroupArn: 7 }],
    ["no ARN", { datasetGroupArn: "shop" }],
  ])("that is %s is an unexpected reply", (_, description) => {
    expect(parentOf("solution", description)).toMatchObject({ name: "UnexpectedReply" });
  });

  test("a campaign that follows the latest version stands under the solution, whichever way AWS shows that", () => {
    const campaignConfig = { syncWithLatestSolutionVersion: true };
    const latest = `${SAMPLE.solution}/$LATEST`;
    expect(parentOf("campaign", { solutionVersionArn: latest })).toBe(SAMPLE.solution);
    expect(parentOf("campaign", { solutionVersionArn: latest, campaignConfig })).toBe(SAMPLE.solution);
    expect(parentOf("campaign", { solutionVersionArn: version, campaignConfig })).toBe(SAMPLE.solution);
    expect(parentOf("campaign", { solutionVersionArn: version, campaignConfig: {} })).toBe(version);
  });

  test.each(["CREATE PENDING", "CREATE IN_PROGRESS", "CREATE IN PROGRESS"])(
    "a campaign whose update to another version is %s stands under neither yet",
    (status) => {
      const latestCampaignUpdate = { solutionVersionArn: other, status };
      expect(parentOf("campaign", { solutionVersionArn: version, latestCampaignUpdate })).toMatchObject({
        name: "UpdateInProgress",
        message: expect.stringContaining(other),
      });
    },
  );

  test.each([
    ["of other settings is under way", { solutionVersionArn: version, status: "CREATE IN_PROGRESS" }],
    ["names no version", { status: "CREATE IN_PROGRESS" }],
    ["to another version failed", { solutionVersionArn: other, status: "CREATE FAILED" }],
    ["is done", { solutionVersionArn: version, status: "ACTIVE" }],
    [
      "is done, and shows the version in another form",
      { solutionVersionArn: `${SAMPLE.solution}/$LATEST`, status: "ACTIVE" },
    ],
  ])("a campaign whose last update %s stands where it stood", (_, latestCampaignUpdate) => {
    expect(parentOf("campaign", { solutionVersionArn: version, latestCampaignUpdate })).toBe(version);
  });

  test("a campaign that follows the latest version stays under the solution while it moves from one to the next", () => {
    const campaignConfig = { syncWithLatestSolutionVersion: true };
    const latestCampaignUpdate = { solutionVersionArn: other, campaignConfig, status: "CREATE IN_PROGRESS" };
    expect(parentOf("campaign", { solutionVersionArn: version, campaignConfig, latestCampaignUpdate })).toBe(
      SAMPLE.solution,
    );
  });
});

const link = (type: ResourceType, parent_arn: string | null | undefined, more: Partial<Link> = {}): Link => ({
  arn: SAMPLE[type],
  type,
  name: type,
  tags: tagsFrom([["Owner", type]]),
  unread: null,
  parent_arn,
  gone: false,
  ...more,
});
const lineageFrom = (arn: string, links: Map<string, Link>) => lineageOf(links.get(arn)!, links);
const linksOf = (...links: Link[]) => new Map(links.map((one) => [one.arn, one]));

describe("the lineage of a resource", () => {
  const chain = [
    link("campaign", SAMPLE["solution-version"]),
    link("solution-version", SAMPLE.solution),
    link("solution", SAMPLE["dataset-group"]),
    link("dataset-group", null),
  ];

  test("goes up to the dataset group, nearest first", () => {
    const lineage = lineageFrom(SAMPLE.campaign, linksOf(...chain));
    expect(lineage).toEqual({
      known: true,
      ancestors: (["solution-version", "solution", "dataset-group"] as const).map((type): Ancestor => ({
        arn: SAMPLE[type],
        type,
        name: type,
        tags: { Owner: type },
        unread: null,
      })),
    });
    expect(lineageFrom(SAMPLE["dataset-group"], linksOf(...chain))).toEqual({ known: true, ancestors: [] });
  });

  test("leaves out the version where a campaign follows the latest", () => {
    const lineage = lineageFrom(SAMPLE.campaign, linksOf(link("campaign", SAMPLE.solution), ...chain.slice(2)));
    expect(lineage.known).toBe(true);
    expect(lineage.ancestors.map(({ type }) => type)).toEqual(["solution", "dataset-group"]);
  });

  test("an ancestor whose tags are not known stays in its place and says why", () => {
    const unread = "its tags were never read";
    const links = linksOf(...chain, link("solution", SAMPLE["dataset-group"], { tags: null, unread }));
    expect(lineageFrom(SAMPLE.campaign, links)).toMatchObject({
      known: true,
      ancestors: [{}, { tags: null, unread }, {}],
    });
  });

  test.each([
    ["was not read", [link("solution", undefined)], /the parent of .*solution\/ranking was not read, or could not be/],
    ["is gone", [link("dataset-group", null, { gone: true })], /dataset-group\/shop, the parent of .*, is gone/],
    [
      "is of no fitting type",
      [link("solution", SAMPLE.filter), link("filter", null)],
      /a filter is none of a solution/,
    ],
    ["is itself", [link("solution", SAMPLE.solution)], /a solution is none of a solution/],
    ["is below it", [link("solution", SAMPLE.campaign)], /a campaign is none of a solution/],
  ])("where a parent %s it ends, says so, and keeps the part below", (_, changed, reason) => {
    const lineage = lineageFrom(SAMPLE.campaign, linksOf(...chain, ...changed));
    expect(lineage).toMatchObject({ known: false, reason: expect.stringMatching(reason) });
    expect(lineage.ancestors.map(({ type }) => type)).toEqual(["solution-version", "solution"]);
  });

  test("where a parent is not in the inventory it ends and says so", () => {
    expect(lineageFrom(SAMPLE.campaign, linksOf(...chain.slice(0, 3)))).toMatchObject({
      known: false,
      reason: `${SAMPLE["dataset-group"]}, the parent of ${SAMPLE.solution}, is not in the inventory`,
      ancestors: [{ type: "solution-version" }, { type: "solution" }],
    });
  });

  test("whatever the links say, a chain ends, each step leads further up, and a whole one ends at a dataset group", () => {
    const types = fc.constantFrom(...RESOURCE_TYPE_NAMES);
    const parent = fc.option(fc.oneof(fc.integer({ min: 0, max: 12 }), fc.constant(null)), { nil: undefined });
    const links = fc.array(fc.tuple(types, parent, fc.boolean()), { minLength: 1, maxLength: 13 });
    fc.assert(
      fc.property(links, (drawn) => {
        const name = (index: number) => arn(`thing/${index}`);
        const map = linksOf(
          ...drawn.map(([type, up, gone], index) =>
            link(type, typeof up === "number" ? name(up) : up, { arn: name(index), gone: gone && index % 4 === 0 }),
          ),
        );
        for (const { arn: start, type } of map.values()) {
          const { known, ancestors } = lineageFrom(start, map);
          expect(ancestors.length).toBeLessThan(LONGEST_CHAIN);
          let below = type;
          for (const ancestor of ancestors) {
            expect(typesAbove(below)).toContain(ancestor.type);
            expect(map.get(ancestor.arn)?.gone).toBe(false);
            below = ancestor.type;
          }
          const last = ancestors.at(-1)?.arn ?? start;
          expect(known).toBe(map.get(last)?.parent_arn === null);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("the table of types", () => {
  test("has all types under the dataset group, in at most four levels", () => {
    for (const type of RESOURCE_TYPE_NAMES) {
      if (type !== "dataset-group") expect(typesAbove(type).at(-1)).toBe("dataset-group");
    }
    expect(LONGEST_CHAIN).toBe(4);
    expect(typesAbove("campaign")).toEqual(["solution-version", "solution", "dataset-group"]);
    expect(typesAbove("dataset-import-job")).toEqual(["dataset", "dataset-group"]);
  });

  test("names the parent in an ARN exactly where the ARN has a part for it", () => {
    for (const type of RESOURCE_TYPE_NAMES) {
      const { parent_in, arn_parts } = RESOURCE_TYPES[type];
      expect([type, parent_in === "arn"]).toEqual([type, arn_parts === 3]);
    }
  });
});
