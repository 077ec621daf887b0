import { describe, expect, it } from "vitest";
import { RESOURCE_TYPE_NAMES, RESOURCE_TYPES } from "../../src/inventory/resource-types.ts";
import type { Json } from "../../src/sandbox/check-input.ts";
import { checkInput } from "../../src/sandbox/check-input.ts";
import { CLOUDTRAIL } from "../../src/sandbox/cloudtrail.ts";
import { shapeOf } from "../../src/sandbox/model.ts";
import { ORGANIZATIONS } from "../../src/sandbox/organizations.ts";
import { PERSONALIZE } from "../../src/sandbox/personalize.ts";
import { Roles } from "../../src/sandbox/roles.ts";
import type { Context, Service } from "../../src/sandbox/service.ts";
import { STS } from "../../src/sandbox/sts.ts";
import { TAGGING } from "../../src/sandbox/tagging.ts";
import { World } from "../../src/sandbox/world.ts";

const SERVICES = { PERSONALIZE, TAGGING, STS, ORGANIZATIONS, CLOUDTRAIL };
const now = new Date("2026-11-01T00:00:00Z");

function contextOf(resources: number): Context {
  const world = new World({
    seed: 3,
    resources,
    accounts: 0,
    suspended_accounts: 0,
    regions: ["us-east-1"],
    never_tagged_share: null,
    unindexed_types: [],
    index_lag_ms: 0,
    now: () => now,
  });
  const account_id = "111122223333";
  const caller = {
    account_id,
    region: "us-east-1",
    service: "x",
    access_key_id: "x",
    arn: "x",
    user_id: "x",
    role: null,
    session_policy: null,
  };
  return { world, roles: new Roles([]), caller, now };
}

/** The answer of an operation, checked against the output shape of the service model; members it does not name are an error too. */
function ask(service: Service, operation: string, input: Json, context: Context): Json {
  const answer = service.operations[operation]!(input, context);
  const output = service.model.operations.get(operation)!.output;
  if (output === null) return answer;
  // The model of AWS gives the role in some descriptions the pattern of Personalize's own ARNs, which no role matches.
  const problems = checkInput(service.model, output, answer).filter((problem) => !problem.includes(".roleArn'"));
  expect([operation, problems]).toEqual([operation, []]);
  const shape = shapeOf(service.model, output);
  const known = shape.kind === "structure" ? shape.members.map(({ name }) => name) : [];
  expect([operation, Object.keys(answer).filter((key) => !known.includes(key))]).toEqual([operation, []]);
  return answer;
}

describe("service models of the sandbox", () => {
  it.each(Object.entries(SERVICES))(
    "%s serves only operations of its model, and all shapes are there",
    (_name, service) => {
      for (const operation of Object.keys(service.operations))
        expect(service.model.operations.has(operation)).toBe(true);
      for (const shape of service.model.shapes.values()) {
        const refs =
          shape.kind === "structure"
            ? shape.members.map((member) => member.shape)
            : shape.kind === "list"
              ? [shape.element]
              : shape.kind === "map"
                ? [shape.key, shape.value]
                : [];
        for (const ref of refs) expect(service.model.shapes.has(ref)).toBe(true);
      }
    },
  );

  it("serves every operation of Personalize that lists, creates, describes or deletes a taggable type", () => {
    for (const type of RESOURCE_TYPE_NAMES) {
      const row = RESOURCE_TYPES[type];
      for (const name of [row.list_operation, row.describe_operation, row.create_operation, row.delete_operation]) {
        if (name !== null) expect(PERSONALIZE.operations).toHaveProperty(name);
      }
      const input = PERSONALIZE.model.operations.get(row.create_operation)!.input!;
      const shape = shapeOf(PERSONALIZE.model, input);
      expect([type, shape.kind === "structure" && shape.members.some(({ name }) => name === "tags")]).toEqual([
        type,
        true,
      ]);
    }
  });

  it("answers lists and descriptions as the models say, for every seeded resource", () => {
    const context = contextOf(3000);
    for (const type of RESOURCE_TYPE_NAMES) {
      const row = RESOURCE_TYPES[type];
      let nextToken: unknown;
      do {
        const answer = ask(PERSONALIZE, row.list_operation, { maxResults: 100, nextToken }, context);
        for (const item of answer[row.list_key] as Json[]) {
          const input = { [row.arn_field]: item[row.arn_field] };
          const described = ask(PERSONALIZE, row.describe_operation, input, context)[row.describe_key] as Json;
          expect(described).toMatchObject(item);
        }
        nextToken = answer["nextToken"];
      } while (nextToken);
    }
    ask(TAGGING, "GetResources", { ResourcesPerPage: 100, IncludeComplianceDetails: true }, context);
    ask(ORGANIZATIONS, "ListAccounts", {}, context);
  });

  it("names the parent in a summary exactly where the table of types says so, and always in the description", () => {
    const context = contextOf(1000);
    for (const type of RESOURCE_TYPE_NAMES) {
      const row = RESOURCE_TYPES[type];
      if (row.parent === null) continue;
      const field = RESOURCE_TYPES[row.parent].arn_field;
      const [item] = ask(PERSONALIZE, row.list_operation, {}, context)[row.list_key] as Json[];
      expect([type, field in item!]).toEqual([type, row.parent_in === "summary"]);
      const input = { [row.arn_field]: item![row.arn_field] };
      const described = ask(PERSONALIZE, row.describe_operation, input, context)[row.describe_key] as Json;
      const parent = String(described[field]).replace("/$LATEST", "");
      expect([type, context.world.find(parent)?.arn]).toEqual([type, parent]);
    }
  });
});
