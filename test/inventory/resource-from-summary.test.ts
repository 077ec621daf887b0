import { describe, expect, test } from "vitest";
import { resourceFromSummary } from "../../src/inventory/resource-from-summary.ts";
import type { ResourceType } from "../../src/inventory/resource-types.ts";

const unit = (type: ResourceType) => ({ partition: "aws", account_id: "111122223333", region: "us-east-1", type });
const at = "arn:aws:personalize:us-east-1:111122223333:";
const created = new Date("2026-01-02T03:04:05.678Z");

describe("an entry of a list", () => {
  test("becomes a resource with the fields that policies may look at", () => {
    const summary = {
      name: "top-picks",
      recommenderArn: `${at}recommender/top-picks`,
      datasetGroupArn: `${at}dataset-group/Movies`,
      recipeArn: "arn:aws:personalize:::recipe/aws-vod-top-picks",
      recommenderConfig: { minRecommendationRequestsPerSecond: 1 },
      status: "CREATE IN_PROGRESS",
      creationDateTime: created,
      lastUpdatedDateTime: undefined,
    };
    expect(resourceFromSummary(unit("recommender"), summary)).toEqual({
      arn: `${at}recommender/top-picks`,
      account_id: "111122223333",
      region: "us-east-1",
      type: "recommender",
      name: "top-picks",
      status: "CREATE IN_PROGRESS",
      created_at: created,
      updated_at: null,
      summary: {
        datasetGroupArn: `${at}dataset-group/Movies`,
        recipeArn: "arn:aws:personalize:::recipe/aws-vod-top-picks",
      },
    });
  });

  test("a job has its job name, a solution version the name of its solution, a nameless one the end of its ARN", () => {
    const name = (type: ResourceType, summary: Record<string, unknown>) => {
      const resource = resourceFromSummary(unit(type), summary);
      return typeof resource === "string" ? resource : resource.name;
    };
    expect(name("batch-segment-job", { jobName: "nightly", batchSegmentJobArn: `${at}batch-segment-job/b1` })).toBe(
      "nightly",
    );
    expect(name("solution-version", { solutionVersionArn: `${at}solution/Movies/0a1b` })).toBe("Movies");
    expect(name("event-tracker", { eventTrackerArn: `${at}event-tracker/258ad5e8` })).toBe("258ad5e8");
    expect(name("dataset", { name: "Clicks", datasetArn: `${at}dataset/Movies/INTERACTIONS` })).toBe("Clicks");
  });

  test.each([
    [{}, "an entry has no campaignArn"],
    [{ campaignArn: "" }, "an entry has no campaignArn"],
    [{ campaignArn: "nonsense" }, "nonsense is not the ARN of a taggable resource"],
    [{ campaignArn: `${at}solution/s` }, `${at}solution/s is of type solution`],
    [
      { campaignArn: "arn:aws:personalize:us-east-1:999999999999:campaign/c" },
      /is not in account 111122223333, region us-east-1/,
    ],
    [
      { campaignArn: "arn:aws:personalize:eu-west-1:111122223333:campaign/c" },
      /is not in account 111122223333, region us-east-1/,
    ],
    [{ campaignArn: "arn:aws-cn:personalize:us-east-1:111122223333:campaign/c" }, /is not in account/],
  ])("%o cannot be one, and says why", (summary, reason) => {
    expect(resourceFromSummary(unit("campaign"), summary)).toMatch(reason);
  });
});
