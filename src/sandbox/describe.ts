import type { ResourceType } from "../inventory/resource-types.ts";
import { RESOURCE_TYPES } from "../inventory/resource-types.ts";
import { arnOf, parentPart } from "./arn.ts";
import type { Json } from "./check-input.ts";
import { schemaName } from "./generate.ts";
import { hashText } from "./hash.ts";
import type { SandboxResource } from "./resource.ts";
import type { World } from "./world.ts";

/** Everything that a description of a resource may say; the shape of the answer selects. */
export function describe(world: World, resource: SandboxResource): Json {
  return { ...DETAILS[resource.type]?.(resource, world), ...summarize(resource) };
}

/** Everything that a summary in a list may say. */
export function summarize(resource: SandboxResource): Json {
  const row = RESOURCE_TYPES[resource.type];
  const said: Json = {
    [row.arn_field]: resource.arn,
    [row.name_field ?? "name"]: resource.name,
    status: resource.status,
    creationDateTime: resource.created_at / 1000,
    lastUpdatedDateTime: resource.updated_at / 1000,
  };
  if (resource.status.endsWith("FAILED")) said.failureReason = "The sandbox made this one fail.";
  if (row.parent !== null) said[RESOURCE_TYPES[row.parent].arn_field] = resource.parent;
  return Object.assign(said, SUMMARY_DEFAULTS[resource.type]?.(resource), resource.details);
}

/** The members of an answer that a shape has. Absent values are left out. */
export function select(from: Json, members: readonly string[]): Json {
  const answer: Json = {};
  for (const member of members) if (from[member] !== undefined) answer[member] = from[member];
  return answer;
}

const roleOf = (r: SandboxResource): string => `arn:aws:iam::${r.account_id}:role/PersonalizeServiceRole`;
const dataAt = (r: SandboxResource, what: string): string =>
  `s3://personalize-${r.account_id}-${r.region}/${what}/${r.name}`;
const outputAt = (r: SandboxResource): Json => ({ s3DataDestination: { path: dataAt(r, "output") } });
const batchOf = (r: SandboxResource): Json => ({
  numResults: 25,
  jobInput: { s3DataSource: { path: dataAt(r, "input") } },
  jobOutput: outputAt(r),
  roleArn: roleOf(r),
});

/** What summaries say that neither the row of the type nor the request that made the resource does. */
const SUMMARY_DEFAULTS: Partial<Record<ResourceType, (resource: SandboxResource) => Json>> = {
  dataset: (r) => ({ datasetType: r.arn.slice(r.arn.lastIndexOf("/") + 1) }),
  "dataset-import-job": () => ({ importMode: "FULL" }),
  recommender: () => ({ recommenderConfig: { minRecommendationRequestsPerSecond: 1 } }),
  "solution-version": () => ({ trainingMode: "FULL", trainingType: "MANUAL" }),
  "batch-inference-job": () => ({ batchInferenceJobMode: "BATCH_INFERENCE" }),
};

/** What descriptions say beyond summaries. */
const DETAILS: Partial<Record<ResourceType, (resource: SandboxResource, world: World) => Json>> = {
  dataset: (r) => ({ schemaArn: arnOf(r, "schema", [schemaName(r.arn.slice(r.arn.lastIndexOf("/") + 1))]) }),
  "dataset-import-job": (r) => ({
    dataSource: { dataLocation: dataAt(r, "import") },
    roleArn: roleOf(r),
    publishAttributionMetricsToS3: false,
  }),
  "dataset-export-job": (r) => ({ ingestionMode: "ALL", roleArn: roleOf(r), jobOutput: outputAt(r) }),
  "data-deletion-job": (r) => ({
    dataSource: { dataLocation: dataAt(r, "erasure") },
    roleArn: roleOf(r),
    numDeleted: 0,
  }),
  "event-tracker": (r) => ({ accountId: r.account_id, trackingId: trackingId(r.arn) }),
  filter: () => ({ filterExpression: 'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("purchase")' }),
  solution: () => ({ performHPO: false, performAutoML: false, performAutoTraining: true, solutionConfig: {} }),
  "solution-version": (r, world) => {
    const solution = world.find(r.parent ?? "");
    return {
      datasetGroupArn: solution?.parent ?? undefined,
      recipeArn: solution?.details.recipeArn,
      performHPO: false,
      performAutoML: false,
      trainingHours: 1.5,
      solutionConfig: {},
    };
  },
  campaign: () => ({ minProvisionedTPS: 1, campaignConfig: {} }),
  "batch-inference-job": batchOf,
  "batch-segment-job": batchOf,
};

function trackingId(arn: string): string {
  return [1, 2, 3, 4].map((part) => hashText(`${part}${arn}`).toString(16).padStart(8, "0")).join("-");
}

/** The latest version of a solution, for `<solution>/$LATEST`; the ARN itself for any other. */
export function resolveVersion(world: World, arn: string): SandboxResource | undefined {
  if (!arn.endsWith("/$LATEST")) return world.find(arn);
  const solution = world.find(parentPart(arn));
  return solution && world.target(solution).bucket("solution-version").rows(solution.arn).at(-1);
}
