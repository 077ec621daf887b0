import { parseArn } from "./arn.ts";
import { AwsError } from "./error.ts";
import type { SandboxResource, Tags } from "./resource.ts";
import type { Context, Handler } from "./service.ts";

/** AWS's limit of user tags on a resource. The service model allows arrays of 200. */
const MAX_TAGS = 50;

type TagList = { readonly tagKey: string; readonly tagValue: string }[];

/** Tags of a Create request, checked as TagResource checks them. */
export function newTags(list: unknown): Tags {
  return mergeTags(new Map(), (list ?? []) as TagList);
}

/** ListTagsForResource, TagResource and UntagResource of Personalize. */
export const TAG_OPERATIONS: Record<string, Handler> = {
  ListTagsForResource(input, context) {
    const { tags } = taggable(String(input.resourceArn), context);
    return { tags: [...tags].map(([tagKey, tagValue]) => ({ tagKey, tagValue })) };
  },
  TagResource(input, context) {
    const resource = writable(String(input.resourceArn), context);
    context.world.setTags(resource, mergeTags(resource.tags, input.tags as TagList));
    return {};
  },
  UntagResource(input, context) {
    const resource = writable(String(input.resourceArn), context);
    const keys = input.tagKeys as string[];
    if (keys.length > MAX_TAGS) {
      throw new AwsError("TooManyTagKeysException", `A request may name at most ${MAX_TAGS} tag keys.`);
    }
    keys.forEach(refuseReserved);
    context.world.setTags(resource, new Map([...resource.tags].filter(([key]) => !keys.includes(key))));
    return {};
  },
};

function mergeTags(tags: Tags, list: TagList): Tags {
  const merged = new Map(tags);
  const seen = new Set<string>();
  for (const { tagKey, tagValue } of list) {
    refuseReserved(tagKey);
    if (/^aws:/i.test(tagValue)) throw invalid(`Tag value ${tagValue} begins with the reserved prefix aws:`);
    if (seen.has(tagKey)) throw invalid(`Tag key ${tagKey} is given more than once`);
    seen.add(tagKey);
    merged.set(tagKey, tagValue);
  }
  const count = [...merged.keys()].filter((key) => !key.startsWith("aws:")).length;
  if (count > MAX_TAGS)
    throw new AwsError("TooManyTagsException", `A resource has at most ${MAX_TAGS} tags; this would be ${count}.`);
  return merged;
}

function refuseReserved(key: string): void {
  if (/^aws:/i.test(key)) throw invalid(`Tag key ${key} begins with the reserved prefix aws:`);
}

function writable(arn: string, context: Context): SandboxResource {
  const resource = taggable(arn, context);
  if (!resource.status.startsWith("DELETE")) return resource;
  throw new AwsError("ResourceInUseException", `Resource ${arn} is in state ${resource.status}.`);
}

function taggable(arn: string, { world, caller }: Context): SandboxResource {
  const parts = parseArn(arn);
  if (!parts?.type) throw invalid(`Resource ARN ${arn} is not of a type that takes tags`);
  if (parts.place.account_id !== caller.account_id) {
    throw new AwsError("AccessDeniedException", `User: ${caller.arn} is not authorized to access ${arn}`);
  }
  const resource = parts.place.region === caller.region ? world.find(arn) : undefined;
  if (!resource) throw new AwsError("ResourceNotFoundException", `Resource not found: ${arn}`);
  return resource;
}

function invalid(message: string): AwsError {
  return new AwsError("InvalidInputException", message);
}
