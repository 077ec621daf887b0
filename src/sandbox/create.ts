import type { ResourceType } from "../inventory/resource-types.ts";
import { RESOURCE_TYPES } from "../inventory/resource-types.ts";
import { parentPart, parseArn } from "./arn.ts";
import type { Json } from "./check-input.ts";
import { resolveVersion } from "./describe.ts";
import { AwsError } from "./error.ts";
import { freshId, newResource } from "./place-new.ts";
import { isRecipe } from "./plain-objects.ts";
import { newTags } from "./resource-tags.ts";
import type { SandboxResource } from "./resource.ts";
import type { Context } from "./service.ts";

const DATASET_KINDS = new Set(["INTERACTIONS", "ITEMS", "USERS", "ACTIONS", "ACTION_INTERACTIONS"]);

/** Creates a resource of a type from the request of its Create operation. */
export function create(type: ResourceType, input: Json, context: Context): SandboxResource {
  const { world, caller } = context;
  const row = RESOURCE_TYPES[type];
  const { tags: tagList, ...details } = input;
  const tags = newTags(tagList);
  const parent = row.parent === null ? null : parentOf(row.parent, input, context);
  checkReferences(input, context);
  const name = (input[row.name_field ?? "name"] as string | undefined) ?? parent?.name ?? "";
  const given = row.parent === null ? null : String(input[RESOURCE_TYPES[row.parent].arn_field]);
  const parts = partsOf(type, name, input, parent, context);
  const resource = newResource(world, caller, { type, name, parent: given, tags, details }, parts);
  if (world.find(resource.arn)) {
    throw new AwsError("ResourceAlreadyExistsException", `Another resource with Arn ${resource.arn} already exists.`);
  }
  return world.create(resource);
}

function partsOf(
  type: ResourceType,
  name: string,
  input: Json,
  parent: SandboxResource | null,
  { world, caller }: Context,
): string[] {
  if (type === "solution-version") return [parent?.name ?? name, freshId(world, caller, type)];
  if (type === "event-tracker") {
    if (world.target(caller).bucket(type).rows(parent?.arn).length > 0) {
      throw new AwsError("LimitExceededException", "A dataset group can have one event tracker.");
    }
    return [freshId(world, caller, type)];
  }
  if (type !== "dataset") return [name];
  const kind = String(input.datasetType).toUpperCase();
  if (!DATASET_KINDS.has(kind)) throw new AwsError("InvalidInputException", `Unknown dataset type ${kind}`);
  return [parent?.name ?? "", kind];
}

/** The resource that a request names as the parent: it has to exist, and to be finished. */
export function parentOf(type: ResourceType, input: Json, context: Context): SandboxResource {
  const arn = String(input[RESOURCE_TYPES[type].arn_field]);
  checkArn(arn, arn.endsWith("/$LATEST") ? "solution" : type, context);
  const parent = resolveVersion(context.world, arn);
  if (!parent) throw new AwsError("ResourceNotFoundException", `Resource not found: ${arn}`);
  if (/^DELETE|PENDING$|PROGRESS$/.test(parent.status)) {
    throw new AwsError("ResourceInUseException", `Resource ${arn} is in state ${parent.status}.`);
  }
  return parent;
}

/** An ARN in a request must be of the wanted type and of the caller's account and region. */
export function checkArn(arn: string, type: ResourceType, { caller }: Context): void {
  const parts = parseArn(arn.endsWith("/$LATEST") ? parentPart(arn) : arn);
  const { account_id, region } = parts?.place ?? {};
  if (parts?.type !== type || account_id !== caller.account_id || region !== caller.region) {
    throw new AwsError("InvalidInputException", `${arn} is not the ARN of a ${type} of this account and region`);
  }
}

function checkReferences(input: Json, { world, caller }: Context): void {
  const { schemaArn, recipeArn } = input;
  if (typeof schemaArn === "string" && !world.target(caller).objects.has(schemaArn)) {
    throw new AwsError("ResourceNotFoundException", `Resource not found: ${schemaArn}`);
  }
  if (typeof recipeArn === "string" && !isRecipe(recipeArn)) {
    throw new AwsError("ResourceNotFoundException", `Resource not found: ${recipeArn}`);
  }
}
