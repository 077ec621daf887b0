import type { ResourceType } from "../inventory/resource-types.ts";
import { RESOURCE_TYPE_NAMES, RESOURCE_TYPES } from "../inventory/resource-types.ts";
import { pageOf } from "./bucket.ts";
import { checkArn, create, parentOf } from "./create.ts";
import { describe, select, summarize } from "./describe.ts";
import { AwsError } from "./error.ts";
import { memberNames, parseModel, shapeOf } from "./model.ts";
import { PERSONALIZE_MODEL } from "./models/personalize.ts";
import { readToken, writeToken } from "./page-token.ts";
import { PLAIN_OPERATIONS } from "./plain-objects.ts";
import { TAG_OPERATIONS } from "./resource-tags.ts";
import type { SandboxResource } from "./resource.ts";
import type { Context, Handler, Service } from "./service.ts";

const MODEL = parseModel(PERSONALIZE_MODEL);
const PAGE = 100;

/** Children that must go before their parent can be deleted. */
const BLOCKED_BY: Partial<Record<ResourceType, readonly ResourceType[]>> = {
  "dataset-group": ["dataset", "event-tracker", "recommender", "solution"],
  solution: ["campaign"],
};

/** An operation that changes what a resource is or says. */
type Update = {
  readonly type: ResourceType;
  /** The status that the resource then has; null: the same. */
  readonly status: string | null;
  /** Where the description keeps the last update. */
  readonly latest?: string;
};

const UPDATES: Record<string, Update> = {
  UpdateCampaign: { type: "campaign", status: null, latest: "latestCampaignUpdate" },
  UpdateDataset: { type: "dataset", status: null },
  UpdateRecommender: { type: "recommender", status: null },
  UpdateSolution: { type: "solution", status: null },
  StartRecommender: { type: "recommender", status: "ACTIVE" },
  StopRecommender: { type: "recommender", status: "INACTIVE" },
  StopSolutionVersionCreation: { type: "solution-version", status: "CREATE STOPPED" },
};

/** Create, List, Describe and Delete of one type. */
function typeOperations(type: ResourceType): Record<string, Handler> {
  const row = RESOURCE_TYPES[type];
  const created = memberNames(MODEL, outputOf(row.create_operation));
  const summary = memberNames(MODEL, elementOf(row.list_operation, row.list_key));
  const described = memberNames(MODEL, memberShape(outputOf(row.describe_operation), row.describe_key));
  return {
    [row.create_operation]: (input, context) => select(describe(context.world, create(type, input, context)), created),
    [row.list_operation](input, context) {
      const { world, caller } = context;
      const parent = row.parent_filter === null ? null : (input[row.parent_filter] as string | null | undefined);
      if (parent) checkParent(type, parent, context);
      const question = `${row.list_operation} ${parent ?? ""}`;
      const after = typeof input.nextToken === "string" ? readToken(caller, question, input.nextToken) : undefined;
      if (after === null || typeof after === "string") {
        throw new AwsError("InvalidNextTokenException", "The token is not valid.");
      }
      const rows = world
        .target(caller)
        .bucket(type)
        .rows(parent ?? undefined);
      const size = Number(input.maxResults ?? PAGE);
      const { page, next } = pageOf(rows, after ?? null, size, type === "data-deletion-job");
      return {
        [row.list_key]: page.map((resource) => select(summarize(resource), summary)),
        ...(next === null ? {} : { nextToken: writeToken(caller, question, next) }),
      };
    },
    [row.describe_operation](input, context) {
      const resource = find(type, String(input[row.arn_field]), context);
      return { [row.describe_key]: select(describe(context.world, resource), described) };
    },
    ...(row.delete_operation === null
      ? {}
      : {
          [row.delete_operation](input, context) {
            remove(find(type, String(input[row.arn_field]), context), context);
            return {};
          },
        }),
  };
}

function updateOperation({ type, status, latest }: Update): Handler {
  const { arn_field, parent, describe_operation, describe_key } = RESOURCE_TYPES[type];
  const description = memberShape(outputOf(describe_operation), describe_key);
  const kept = latest === undefined ? [] : memberNames(MODEL, memberShape(description, latest));
  return (input, context) => {
    const { [arn_field]: arn, ...details } = input;
    const resource = find(type, String(arn), context);
    refuseBusy(resource);
    if (parent !== null && details[RESOURCE_TYPES[parent].arn_field]) parentOf(parent, details, context);
    const at = context.now.getTime();
    // It has taken effect at once, as everything here.
    const done = { ...details, status: "ACTIVE", creationDateTime: at / 1000, lastUpdatedDateTime: at / 1000 };
    const update =
      latest === undefined ? {} : { [latest]: select({ ...describe(context.world, resource), ...done }, kept) };
    context.world.update(resource, status ?? resource.status, { ...details, ...update }, at);
    return { [arn_field]: resource.arn };
  };
}

function find(type: ResourceType, arn: string, context: Context): SandboxResource {
  checkArn(arn, type, context);
  const resource = context.world.find(arn);
  if (resource) return resource;
  throw new AwsError("ResourceNotFoundException", `Resource not found: ${arn}`);
}

function checkParent(type: ResourceType, arn: string, context: Context): void {
  const wanted = RESOURCE_TYPES[type].parent_filter === "solutionArn" ? "solution" : RESOURCE_TYPES[type].parent;
  if (wanted === null) return;
  checkArn(arn, wanted, context);
  // The one list that says so when its parent does not exist.
  if (type === "solution-version") find("solution", arn, context);
}

function remove(resource: SandboxResource, { world }: Context): void {
  refuseBusy(resource);
  const target = world.target(resource);
  const blocking = BLOCKED_BY[resource.type]?.find((type) => target.bucket(type).rows(resource.arn).length > 0);
  if (blocking)
    throw new AwsError("ResourceInUseException", `${resource.arn} still has resources of type ${blocking}.`);
  if (resource.type === "solution") {
    [...target.bucket("solution-version").rows(resource.arn)].forEach((version) => world.remove(version));
  }
  world.remove(resource);
}

function refuseBusy(resource: SandboxResource): void {
  if (!/^DELETE|PENDING$|PROGRESS$/.test(resource.status)) return;
  throw new AwsError("ResourceInUseException", `Resource ${resource.arn} is in state ${resource.status}.`);
}

function outputOf(operation: string): string {
  return MODEL.operations.get(operation)?.output ?? "";
}

function memberShape(structure: string, name: string): string {
  const shape = shapeOf(MODEL, structure);
  return shape.kind === "structure" ? (shape.members.find((member) => member.name === name)?.shape ?? "") : "";
}

function elementOf(operation: string, list_key: string): string {
  const list = shapeOf(MODEL, memberShape(outputOf(operation), list_key));
  return list.kind === "list" ? list.element : "";
}

/** Amazon Personalize: every type by the table of types, tags, and what takes none. */
export const PERSONALIZE: Service = {
  signing_name: "personalize",
  protocol: "json",
  prefix: "AmazonPersonalize",
  iam_prefix: "personalize",
  model: MODEL,
  operations: {
    ...Object.assign({}, ...RESOURCE_TYPE_NAMES.map(typeOperations)),
    ...Object.fromEntries(Object.entries(UPDATES).map(([name, update]) => [name, updateOperation(update)])),
    ...TAG_OPERATIONS,
    ...PLAIN_OPERATIONS,
  },
  errors: {
    constraint: { name: "InvalidInputException", status: 400 },
    throttle: { name: "ThrottlingException", status: 400 },
    internal: { name: "InternalServerException", status: 500 },
    denied: { name: "AccessDeniedException", status: 400 },
    unknown_operation: { name: "UnknownOperationException", status: 400 },
  },
};
