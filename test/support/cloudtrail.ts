import { randomUUID } from "node:crypto";
import { RESOURCE_TYPES, type ResourceType } from "../../src/inventory/resource-types.ts";
import { parseArn } from "../../src/inventory/parse-arn.ts";

/** A call that CloudTrail recorded, as EventBridge delivers it. Source of the layout: the CloudTrail and EventBridge user guides. */
export function deliveryOf(
  event_name: string,
  arn: string,
  changes: { id?: string; time?: Date; principal?: string; detail?: Record<string, unknown> } = {},
) {
  const [, , , region = "", account = ""] = arn.split(":");
  const {
    id = randomUUID(),
    time = new Date(),
    principal = `arn:aws:sts::${account}:assumed-role/Admin/ana`,
  } = changes;
  const arn_field = RESOURCE_TYPES[parseArn(arn)?.type ?? "campaign"].arn_field;
  const second = `${time.toISOString().slice(0, 19)}Z`;
  const isTagging = event_name === "TagResource" || event_name === "UntagResource";
  return {
    version: "0",
    id,
    "detail-type": "AWS API Call via CloudTrail",
    source: "aws.personalize",
    account,
    time: second,
    region,
    resources: [],
    detail: {
      eventVersion: "1.11",
      userIdentity: {
        type: "AssumedRole",
        principalId: "AROAEXAMPLE:ana",
        arn: principal,
        accountId: account,
        sessionContext: {
          sessionIssuer: { type: "Role", arn: `arn:aws:iam::${account}:role/Admin`, userName: "Admin" },
        },
      },
      eventTime: second,
      eventSource: "personalize.amazonaws.com",
      eventName: event_name,
      awsRegion: region,
      sourceIPAddress: "192.0.2.10",
      userAgent: "aws-cli/2",
      requestParameters: isTagging
        ? { resourceArn: arn, tags: "HIDDEN_DUE_TO_SECURITY_REASONS" }
        : event_name.startsWith("Delete")
          ? { [arn_field]: arn }
          : { name: "x" },
      responseElements: event_name.startsWith("Create") ? { [arn_field]: arn } : null,
      eventID: randomUUID(),
      readOnly: false,
      eventType: "AwsApiCall",
      managementEvent: true,
      recipientAccountId: account,
      eventCategory: "Management",
      ...changes.detail,
    },
  };
}

/** The call that makes a resource of a type, and the one that deletes it; null where AWS has none. */
export function callsOf(type: ResourceType): { created: string; deleted: string | null } {
  const { create_operation, delete_operation } = RESOURCE_TYPES[type];
  return { created: create_operation, deleted: delete_operation };
}
