import { expect, test } from "vitest";
import { describeResource } from "../../src/inventory/aws/describe-resource.ts";
import { listUnit } from "../../src/inventory/aws/list-unit.ts";
import { RESOURCE_TYPE_NAMES, RESOURCE_TYPES } from "../../src/inventory/resource-types.ts";
import { memberNames, shapeOf } from "../../src/sandbox/model.ts";
import { PERSONALIZE } from "../../src/sandbox/personalize.ts";
import { ONE_TARGET, sandboxes } from "../sandbox/sdk.ts";
import { awsOf } from "../support/scan.ts";

const start = sandboxes();
const { model } = PERSONALIZE;

function memberOf(shape: string, name: string): string {
  const found = shapeOf(model, shape);
  const member = found.kind === "structure" ? found.members.find((one) => one.name === name) : undefined;
  if (!member) throw new Error(`${shape} has no ${name}`);
  return member.shape;
}

test.each(RESOURCE_TYPE_NAMES)("the service model: a description of a %s has all that its summary has", (type) => {
  const row = RESOURCE_TYPES[type];
  const output = (operation: string) => model.operations.get(operation)?.output ?? "";
  const list = shapeOf(model, memberOf(output(row.list_operation), row.list_key));
  const summary = list.kind === "list" ? list.element : "";
  const described = memberOf(output(row.describe_operation), row.describe_key);
  const own = ["name", "jobName", "status", "creationDateTime", "lastUpdatedDateTime", row.arn_field];
  const others = memberNames(model, summary).filter(
    (name) => !own.includes(name) && shapeOf(model, memberOf(summary, name)).kind !== "structure",
  );
  expect(others.toSorted()).toEqual([...row.summary_fields].toSorted());
  for (const name of memberNames(model, summary)) expect(memberOf(described, name)).toBe(memberOf(summary, name));
});

test("every resource is the same described as listed", async () => {
  const sandbox = await start({ resources: 200, ...ONE_TARGET });
  const aws = awsOf(sandbox);
  const signal = new AbortController().signal;
  const api = await aws.target({ account_id: sandbox.organization.management_account_id, region: "us-east-1" });
  let compared = 0;
  for (const type of RESOURCE_TYPE_NAMES) {
    const unit = { ...api.target, type };
    for await (const page of listUnit(api, type, signal)) {
      for (const resource of page) {
        expect(await describeResource(api, unit, resource.arn, signal)).toEqual({ outcome: "described", resource });
        compared++;
      }
    }
  }
  expect(compared).toBe([...sandbox.resources()].length);
  aws.close();
});

test("what is not there is gone, and what is refused is neither gone nor there", async () => {
  const sandbox = await start({ resources: 30, ...ONE_TARGET });
  const aws = awsOf(sandbox);
  const signal = new AbortController().signal;
  const account_id = sandbox.organization.management_account_id;
  const api = await aws.target({ account_id, region: "us-east-1" });
  const unit = { ...api.target, type: "campaign" } as const;
  const arn = `arn:aws:personalize:us-east-1:${account_id}:campaign/nowhere`;
  expect(await describeResource(api, unit, arn, signal)).toEqual({ outcome: "gone" });
  sandbox.setFaults([{ kind: "access_denied", operation: "DescribeCampaign" }]);
  expect(await describeResource(api, unit, arn, signal)).toMatchObject({
    outcome: "unknown",
    error: { name: "AccessDeniedException", operation: "DescribeCampaign" },
  });
  aws.close();
});
