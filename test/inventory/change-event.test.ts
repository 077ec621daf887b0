import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  changeEvent,
  changesTagsOnly,
  type Delivery,
  EVENT_NAMES,
  recordedCall,
} from "../../src/inventory/change-event.ts";
import { RESOURCE_TYPE_NAMES, RESOURCE_TYPES } from "../../src/inventory/resource-types.ts";
import { deliveryOf } from "../support/cloudtrail.ts";

const ARN = "arn:aws:personalize:us-east-1:111122223333:campaign/shop";

describe("an event", () => {
  test.each(RESOURCE_TYPE_NAMES)("of %s is about the resource that was made, deleted, tagged or untagged", (type) => {
    const { arn_prefix, arn_parts, create_operation, delete_operation } = RESOURCE_TYPES[type];
    const name = Array.from({ length: arn_parts - 1 }, (_, n) => `part${n}`).join("/");
    const arn = `arn:aws:personalize:eu-west-1:012345678901:${arn_prefix}/${name}`;
    for (const event_name of ["TagResource", "UntagResource", create_operation, delete_operation ?? create_operation]) {
      expect(changeEvent(deliveryOf(event_name, arn, { id: "e1" }))).toMatchObject({
        id: "e1",
        event_name,
        arn,
        account_id: "012345678901",
        region: "eu-west-1",
        unit: { partition: "aws", account_id: "012345678901", region: "eu-west-1", type },
        principal: "arn:aws:sts::012345678901:assumed-role/Admin/ana",
      });
    }
  });

  test("is read from its record in the event history as it is from its delivery", () => {
    const delivery = deliveryOf("TagResource", ARN, { time: new Date("2026-03-01T12:34:56Z") });
    const delivered = changeEvent({ ...delivery, id: delivery.detail.eventID });
    expect(recordedCall(delivery.detail)).toEqual(delivered);
    expect(delivered).toMatchObject({ arn: ARN, event_time: new Date("2026-03-01T12:34:56Z") });
  });

  test.each([
    ["of another service", { eventSource: "lambda.amazonaws.com" }],
    ["of a call that failed", { errorCode: "AccessDenied" }],
    ["without its time", { eventTime: "yesterday" }],
  ])("is not read from a record %s", (_, detail) => {
    expect(typeof recordedCall(deliveryOf("TagResource", ARN, { detail }).detail)).toBe("string");
  });

  test("of a service of AWS names that service, which has no ARN", () => {
    const userIdentity = { type: "AWSService", invokedBy: "cloudformation.amazonaws.com" };
    expect(changeEvent(deliveryOf("TagResource", ARN, { detail: { userIdentity } }))).toMatchObject({
      principal: "cloudformation.amazonaws.com",
    });
  });

  test("that changes tags only says so: what is made or deleted is looked at as a whole", () => {
    expect(EVENT_NAMES.filter(changesTagsOnly)).toEqual(["TagResource", "UntagResource"]);
  });

  test.each([
    ["another service", { source: "aws.s3" }, {}],
    ["a tag event of another kind", { "detail-type": "Tag Change on Resource" }, {}],
    ["a call of another service", {}, { eventSource: "tagging.amazonaws.com" }],
    ["an update", {}, { eventName: "UpdateCampaign" }],
    ["a schema, which has no tags", {}, { eventName: "CreateSchema" }],
    ["a name that every object has", {}, { eventName: "constructor" }],
    ["a call that failed", {}, { errorCode: "AccessDenied" }],
    ["a record without a name", {}, { eventName: undefined }],
  ])("is of no interest: %s", (_, delivery, detail) => {
    expect(typeof changeEvent({ ...deliveryOf("TagResource", ARN, { detail }), ...delivery })).toBe("string");
  });

  test.each([
    ["without the request", { requestParameters: null }, "its record has no requestParameters.resourceArn"],
    [
      "with a request of another layout",
      { requestParameters: { resource: ARN } },
      "its record has no requestParameters",
    ],
    ["about a schema", { requestParameters: { resourceArn: ARN.replace("campaign", "schema") } }, "not the ARN"],
    ["with an ARN that no database keeps", { requestParameters: { resourceArn: `${ARN}\0` } }, "not the ARN"],
    [
      "of another region",
      { requestParameters: { resourceArn: ARN.replace("us-east-1", "eu-west-1") } },
      "another account or region",
    ],
    [
      "of another account",
      { requestParameters: { resourceArn: ARN.replace("1111", "2222") } },
      "another account or region",
    ],
  ])("is of interest, and of no use: %s", (_, detail, reason) => {
    expect(changeEvent(deliveryOf("TagResource", ARN, { detail }))).toMatchObject({
      unit: null,
      arn: null,
      reason: expect.stringContaining(reason),
    });
  });

  test("may have any record, and is read or refused with a reason", () => {
    const words = fc.constantFrom(
      ...EVENT_NAMES,
      "resourceArn",
      "arn",
      "campaignArn",
      ARN,
      "personalize.amazonaws.com",
    );
    const value = fc.jsonValue();
    const detail = fc.dictionary(
      fc.constantFrom("eventName", "eventSource", "errorCode", "requestParameters", "responseElements", "userIdentity"),
      fc.oneof(words, value, fc.dictionary(words, fc.oneof(words, value))),
    );
    fc.assert(
      fc.property(detail, (more) => {
        const delivery: Delivery = deliveryOf("TagResource", ARN, { detail: more });
        const event = changeEvent(delivery);
        expect(typeof event === "string" || event.unit !== null || event.reason !== "").toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});
