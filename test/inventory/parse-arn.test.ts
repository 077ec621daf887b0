import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseArn } from "../../src/inventory/parse-arn.ts";
import { RESOURCE_TYPE_NAMES, RESOURCE_TYPES } from "../../src/inventory/resource-types.ts";

const base = { partition: "aws", account_id: "012345678901", region: "eu-west-1" };
const at = "arn:aws:personalize:eu-west-1:012345678901:";

describe("the ARN of a taggable resource", () => {
  test.each([
    ["dataset-group/Movies", "dataset-group", "Movies"],
    ["dataset/Movies/INTERACTIONS", "dataset", "Movies/INTERACTIONS"],
    ["dataset-import-job/import-1", "dataset-import-job", "import-1"],
    ["dataset-export-job/export-1", "dataset-export-job", "export-1"],
    ["data-deletion-job/1a2b", "data-deletion-job", "1a2b"],
    ["event-tracker/258ad5e8", "event-tracker", "258ad5e8"],
    ["filter/unseen", "filter", "unseen"],
    ["recommender/top-picks", "recommender", "top-picks"],
    ["solution/Movies", "solution", "Movies"],
    ["solution/Movies/258ad5e8", "solution-version", "Movies/258ad5e8"],
    ["solution/Movies/$LATEST", "solution-version", "Movies/$LATEST"],
    ["campaign/prod", "campaign", "prod"],
    ["batch-inference-job/b", "batch-inference-job", "b"],
    ["batch-segment-job/b", "batch-segment-job", "b"],
  ] as const)("%s is a %s", (resource, type, name_part) => {
    expect(parseArn(at + resource)).toEqual({ ...base, type, name_part });
  });

  test("keeps the partition and the leading zeros of the account", () => {
    expect(parseArn("arn:aws-cn:personalize:cn-north-1:000000000001:campaign/c")).toMatchObject({
      partition: "aws-cn",
      region: "cn-north-1",
      account_id: "000000000001",
    });
  });

  test.each([
    ["", "nothing"],
    ["campaign/c", "no ARN"],
    ["arn:aws:s3:::bucket", "another service"],
    ["arn:aws:personalize-x:eu-west-1:012345678901:campaign/c", "a service that begins alike"],
    ["arn:aws:personalize:::recipe/aws-user-personalization", "owned by AWS"],
    [`${at}schema/s`, "takes no tags"],
    [`${at}metric-attribution/m`, "takes no tags"],
    [`${at}campaign`, "no name"],
    [`${at}campaign/`, "an empty name"],
    [`${at}campaign/a/b`, "a part too many"],
    [`${at}dataset/Movies`, "a part too few"],
    [`${at}dataset/Movies/`, "an empty part"],
    [`${at}solution/Movies/1/2`, "a part too many"],
    [`${at}campaigns/c`, "a prefix that begins alike"],
    [`${at}Campaign/c`, "another case"],
    [`${at}campaign/c:d`, "a field too many"],
    [`${at}campaign/c\n`, "white space"],
    ["arn:aws:personalize:eu-west-1:12345678901:campaign/c", "an account of eleven digits"],
    ["arn:aws:personalize::012345678901:campaign/c", "no region"],
    [`${at}campaign/${"c".repeat(256)}`, "more than 256 characters"],
  ])("%s is none: %s", (arn) => {
    expect(parseArn(arn)).toBeNull();
  });

  test("what is put together comes apart again", () => {
    const name = fc.stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9_-]{0,62}$/);
    fc.assert(
      fc.property(
        fc.constantFrom(...RESOURCE_TYPE_NAMES),
        fc.constantFrom("aws", "aws-cn", "aws-us-gov"),
        fc.stringMatching(/^\d{12}$/),
        fc.constantFrom("us-east-1", "cn-north-1", "ap-southeast-2"),
        name,
        name,
        (type, partition, account_id, region, first, second) => {
          const { arn_prefix, arn_parts } = RESOURCE_TYPES[type];
          const name_part = arn_parts === 3 ? `${first}/${second}` : first;
          const arn = `arn:${partition}:personalize:${region}:${account_id}:${arn_prefix}/${name_part}`;
          expect(parseArn(arn)).toEqual({ partition, account_id, region, type, name_part });
        },
      ),
    );
  });

  test("any text whatever is read without an error", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        parseArn(text);
        parseArn(at + text);
      }),
    );
  });
});
