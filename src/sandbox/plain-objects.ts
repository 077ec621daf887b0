import { arnOf } from "./arn.ts";
import type { Json } from "./check-input.ts";
import { AwsError } from "./error.ts";
import { readToken, writeToken } from "./page-token.ts";
import type { Context, Handler } from "./service.ts";
import type { PlainObject } from "./world.ts";

/** Kinds that take no tags and live in an account. */
const KINDS = [
  {
    operation: "Schema",
    plural: "Schemas",
    prefix: "schema",
    arn_field: "schemaArn",
    list_key: "schemas",
    key: "schema",
  },
  {
    operation: "MetricAttribution",
    plural: "MetricAttributions",
    prefix: "metric-attribution",
    arn_field: "metricAttributionArn",
    list_key: "metricAttributions",
    key: "metricAttribution",
  },
] as const;

const RECIPES = [
  "aws-user-personalization-v2",
  "aws-user-personalization",
  "aws-personalized-ranking-v2",
  "aws-personalized-ranking",
  "aws-similar-items",
  "aws-sims",
  "aws-popularity-count",
  "aws-trending-now",
  "aws-next-best-action",
  "aws-item-affinity",
  "aws-item-attribute-affinity",
  "aws-ecomm-recommended-for-you",
  "aws-ecomm-popular-items-by-purchases",
  "aws-vod-top-picks",
  "aws-vod-most-popular",
];
const RECIPE_PREFIX = "arn:aws:personalize:::recipe/";

/** Whether an ARN is that of a recipe of AWS. */
export function isRecipe(arn: string): boolean {
  return arn.startsWith(RECIPE_PREFIX) && RECIPES.includes(arn.slice(RECIPE_PREFIX.length));
}

function kindOperations(kind: (typeof KINDS)[number]): Record<string, Handler> {
  const objects = ({ world, caller }: Context): Map<string, PlainObject> => world.target(caller).objects;
  const find = (arn: string, context: Context): PlainObject => {
    const object = objects(context).get(arn);
    if (object) return object;
    throw new AwsError("ResourceNotFoundException", `Resource not found: ${arn}`);
  };
  const view = (object: PlainObject): Json => ({
    [kind.arn_field]: object.arn,
    creationDateTime: object.created_at / 1000,
    lastUpdatedDateTime: object.created_at / 1000,
    ...object.details,
  });
  return {
    [`Create${kind.operation}`](input, context) {
      const arn = arnOf(context.caller, kind.prefix, [String(input.name)]);
      if (objects(context).has(arn)) {
        throw new AwsError("ResourceAlreadyExistsException", `Another resource with Arn ${arn} already exists.`);
      }
      const status = kind.key === "metricAttribution" ? { status: "ACTIVE" } : {};
      const details = { ...input, ...status };
      context.world.createObject(context.caller, { arn, created_at: context.now.getTime(), details });
      return { [kind.arn_field]: arn };
    },
    [`Describe${kind.operation}`](input, context) {
      return { [kind.key]: view(find(String(input[kind.arn_field]), context)) };
    },
    [`Delete${kind.operation}`](input, context) {
      const { arn } = find(String(input[kind.arn_field]), context);
      context.world.removeObject(context.caller, arn);
      return {};
    },
    [`List${kind.plural}`](input, context) {
      const group = input.datasetGroupArn;
      const all = [...objects(context).values()]
        .filter(({ arn, details }) => arn.includes(`:${kind.prefix}/`) && (!group || details.datasetGroupArn === group))
        .map(view);
      return slice(`List${kind.plural} ${String(group)}`, kind.list_key, all, input, context);
    },
  };
}

/** A page of a short list; the token is the place in it. */
function slice(question: string, list_key: string, all: Json[], input: Json, { caller }: Context): Json {
  const token = input.nextToken;
  const start = typeof token === "string" ? readToken(caller, question, token) : 0;
  if (typeof start !== "number") throw new AwsError("InvalidNextTokenException", "The token is not valid.");
  const end = start + Number(input.maxResults ?? 100);
  const next = end < all.length ? { nextToken: writeToken(caller, question, end) } : {};
  return { [list_key]: all.slice(start, end), ...next };
}

function recipeView(name: string): Json {
  const at = Date.UTC(2024, 0, 1) / 1000;
  const domain = name.startsWith("aws-ecomm") ? "ECOMMERCE" : name.startsWith("aws-vod") ? "VIDEO_ON_DEMAND" : null;
  return {
    name,
    recipeArn: `${RECIPE_PREFIX}${name}`,
    status: "ACTIVE",
    creationDateTime: at,
    lastUpdatedDateTime: at,
    ...(domain === null ? {} : { domain }),
  };
}

/** Schemas, metric attributions and recipes: what takes no tags. */
export const PLAIN_OPERATIONS: Record<string, Handler> = {
  ...Object.assign({}, ...KINDS.map(kindOperations)),
  ListRecipes(input, context) {
    const all = RECIPES.map(recipeView).filter((recipe) => !input.domain || recipe.domain === input.domain);
    return slice(`ListRecipes ${String(input.domain)}`, "recipes", all, input, context);
  },
  DescribeRecipe(input) {
    const arn = String(input.recipeArn);
    if (!isRecipe(arn)) throw new AwsError("ResourceNotFoundException", `Resource not found: ${arn}`);
    return { recipe: recipeView(arn.slice(RECIPE_PREFIX.length)) };
  },
};
