import { parseArn } from "./arn.ts";
import type { Json } from "./check-input.ts";
import { AwsError } from "./error.ts";
import { parseModel } from "./model.ts";
import { TAGGING_MODEL } from "./models/tagging.ts";
import { readToken, writeToken } from "./page-token.ts";
import type { Tags } from "./resource.ts";
import type { Context, Handler, Service } from "./service.ts";

const PAGE = 50;
const MAX_PAGE = 100;
/** Tag keys and values come in pages of this size; the API has no parameter for it. */
const NAMES_PAGE = 1000;
/** A page token dies after 15 minutes. */
const TOKEN_LIFE_MS = 15 * 60_000;

type TagFilter = { readonly Key?: string; readonly Values?: readonly string[] };
type Mapping = { readonly arn: string; readonly tags: Tags };

const getResources: Handler = (input, context) => {
  const arns = input.ResourceARNList as string[] | null | undefined;
  if (input.ExcludeCompliantResources === true && input.IncludeComplianceDetails !== true) {
    throw invalid("ExcludeCompliantResources needs IncludeComplianceDetails.");
  }
  const details = input.IncludeComplianceDetails === true;
  if (arns) {
    const others = ["ResourceTypeFilters", "TagFilters", "ResourcesPerPage", "TagsPerPage", "PaginationToken"];
    const given = others.find((name) => isGiven(input[name]));
    if (given) throw invalid(`ResourceARNList can not be combined with ${given}.`);
    const found = [...new Set(arns)].flatMap((arn) => mappingOf(arn, context) ?? []);
    return { PaginationToken: "", ResourceTagMappingList: present(found, details, input) };
  }
  const size = Number(input.ResourcesPerPage ?? PAGE);
  if (size < 1 || size > MAX_PAGE) throw invalid(`ResourcesPerPage must be between 1 and ${MAX_PAGE}.`);
  const tags = Number(input.TagsPerPage ?? Infinity);
  if (tags < 100 || (tags !== Infinity && (tags > 500 || tags % 100 !== 0))) {
    throw invalid("TagsPerPage must be between 100 and 500, in steps of 100.");
  }
  const { page, next } = findPage(input, size, tags, context);
  return { PaginationToken: next, ResourceTagMappingList: present(page, details, input) };
};

/** Walks the index in the order of ARNs from the token on until the page is full. */
function findPage(input: Json, size: number, max_tags: number, context: Context): { page: Mapping[]; next: string } {
  const types = (input.ResourceTypeFilters ?? []) as string[];
  const filters = (input.TagFilters ?? []) as TagFilter[];
  checkFilters(types, filters);
  const question = `GetResources ${JSON.stringify([types, filters])}`;
  const after = positionIn(input, question, context);
  const arns = context.world.target(context.caller).index.arns();
  const page: Mapping[] = [];
  let tag_count = 0;
  for (let at = firstAfter(arns, after); at < arns.length; at++) {
    const arn = arns[at] ?? "";
    if (types.length > 0 && !types.some((type) => isOfType(arn, type))) continue;
    const mapping = mappingOf(arn, context);
    if (!mapping || !filters.every((filter) => hasTag(mapping.tags, filter))) continue;
    tag_count += mapping.tags.size;
    if (page.length === size || (page.length > 0 && tag_count > max_tags)) {
      return { page, next: tokenFor(context, question, page.at(-1)?.arn ?? "") };
    }
    page.push(mapping);
  }
  return { page, next: "" };
}

const getTagKeys: Handler = (input, context) =>
  names(input, context, "GetTagKeys", "TagKeys", (tags) => [...tags.keys()]);

const getTagValues: Handler = (input, context) => {
  const key = String(input.Key);
  return names(input, context, `GetTagValues ${key}`, "TagValues", (tags) => {
    const value = tags.get(key);
    return value === undefined ? [] : [value];
  });
};

/** Distinct texts of all tags of the target, sorted, page by page. */
function names(
  input: Json,
  context: Context,
  question: string,
  list_key: string,
  read: (tags: Tags) => string[],
): Json {
  const after = positionIn(input, question, context);
  const distinct = new Set<string>();
  const seen = new Set<Tags>();
  for (const arn of context.world.target(context.caller).index.arns()) {
    const tags = mappingOf(arn, context)?.tags;
    if (!tags || seen.has(tags)) continue;
    seen.add(tags);
    for (const name of read(tags)) distinct.add(name);
  }
  const sorted = [...distinct].sort();
  const start = firstAfter(sorted, after);
  const page = sorted.slice(start, start + NAMES_PAGE);
  const more = start + NAMES_PAGE < sorted.length;
  return { PaginationToken: more ? tokenFor(context, question, page.at(-1) ?? "") : "", [list_key]: page };
}

/**
 * TagResources and UntagResources. That they can write tags of Personalize is documented nowhere, and its policy for writing tags
 * has no action of Personalize: they answer as for a type that the tagging API does not support, one failure for each ARN.
 */
const refuseWrite: Handler = (input) => ({
  FailedResourcesMap: Object.fromEntries(
    (input.ResourceARNList as string[]).map((arn) => [
      arn,
      parseArn(arn)
        ? {
            StatusCode: 500,
            ErrorCode: "InternalServiceException",
            ErrorMessage: "The resource type is not supported for tagging by this API.",
          }
        : { StatusCode: 400, ErrorCode: "InvalidParameterException", ErrorMessage: `${arn} is not a valid ARN.` },
    ]),
  ),
});

function mappingOf(arn: string, { world, caller }: Context): Mapping | null {
  const parts = parseArn(arn);
  if (!parts?.type || parts.place.account_id !== caller.account_id || parts.place.region !== caller.region) return null;
  const target = world.target(caller);
  return target.index.view(arn, target.bucket(parts.type).get(arn));
}

/** The organization's tag policies are not looked at: every resource complies. */
function present(page: Mapping[], details: boolean, input: Json): Json[] {
  if (input.ExcludeCompliantResources === true) return [];
  return page.map(({ arn, tags }) => ({
    ResourceARN: arn,
    Tags: [...tags].map(([Key, Value]) => ({ Key, Value })),
    ...(details
      ? { ComplianceDetails: { NoncompliantKeys: [], KeysWithNoncompliantValues: [], ComplianceStatus: true } }
      : {}),
  }));
}

function checkFilters(types: string[], filters: TagFilter[]): void {
  if (types.length > 100) throw invalid("ResourceTypeFilters has at most 100 items.");
  const wrong = types.find((type) => !/^[a-z0-9-]+(:[^:\s]+)?$/i.test(type));
  if (wrong !== undefined) throw invalid(`${wrong} is not of the form service[:resourceType].`);
  if (filters.some((filter) => !filter.Key)) throw invalid("A tag filter needs a Key.");
}

/** `personalize`, or `personalize:<type as in the ARN>`: a solution's type is that of its versions too. */
function isOfType(arn: string, filter: string): boolean {
  const [service, type] = filter.split(":");
  return service === "personalize" && (type === undefined || parseArn(arn)?.prefix === type);
}

function hasTag(tags: Tags, { Key = "", Values = [] }: TagFilter): boolean {
  const value = tags.get(Key);
  return value !== undefined && (Values.length === 0 || Values.includes(value));
}

function tokenFor({ caller, now }: Context, question: string, position: string): string {
  return writeToken(caller, question, JSON.stringify([now.getTime(), position]));
}

function positionIn(input: Json, question: string, { caller, now }: Context): string {
  const token = input.PaginationToken;
  if (typeof token !== "string" || token === "") return "";
  const position = readToken(caller, question, token);
  if (typeof position !== "string") throw invalid("The pagination token is not of this request.");
  const [made_at, after] = JSON.parse(position) as [number, string];
  if (made_at + TOKEN_LIFE_MS < now.getTime()) {
    throw new AwsError("PaginationTokenExpiredException", "The pagination token has expired.");
  }
  return after;
}

function firstAfter(sorted: readonly string[], after: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? "") <= after) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null && value !== "" && !(Array.isArray(value) && value.length === 0);
}

function invalid(message: string): AwsError {
  return new AwsError("InvalidParameterException", message);
}

/** Resource Groups Tagging API: what was ever tagged, after the index lag. */
export const TAGGING: Service = {
  signing_name: "tagging",
  protocol: "json",
  prefix: "ResourceGroupsTaggingAPI_20170126",
  iam_prefix: "tag",
  model: parseModel(TAGGING_MODEL),
  operations: {
    GetResources: getResources,
    GetTagKeys: getTagKeys,
    GetTagValues: getTagValues,
    TagResources: refuseWrite,
    UntagResources: refuseWrite,
  },
  errors: {
    constraint: { name: "InvalidParameterException", status: 400 },
    throttle: { name: "ThrottledException", status: 400 },
    internal: { name: "InternalServiceException", status: 500 },
    denied: { name: "AccessDeniedException", status: 400 },
    unknown_operation: { name: "UnknownOperationException", status: 400 },
  },
};
