import { tagsFrom, type Tags } from "../../tags/tags.ts";
import { errorName, toReadError } from "../call-error.ts";
import type { ReadError } from "../resource.ts";
import { pause } from "./pause.ts";
import { personalizeSdk, taggingSdk } from "./sdk.ts";
import type { TargetApi } from "./session.ts";

/** What the service said of one resource's tags. `gone`: there is no such resource. `unknown`: no answer, which is not "no tags". */
export type ServiceAnswer =
  | { readonly outcome: "read"; readonly tags: Tags; readonly read_at: Date }
  | { readonly outcome: "gone" }
  | { readonly outcome: "unknown"; readonly error: ReadError };

/** Waits before the further attempts when a resource is in a transition in which the service does not answer. */
const IN_USE_WAITS_MS = [200, 1000];

const OPERATION = "ListTagsForResource";

/** Asks the service for the tags of one resource. The time of the reading is when the answered attempt was sent. Throws only when `signal` aborts. */
export async function readServiceTags(
  api: TargetApi,
  arn: string,
  signal?: AbortSignal,
  now: () => Date = () => new Date(),
): Promise<ServiceAnswer> {
  const { ListTagsForResourceCommand } = await personalizeSdk();
  let read_at = now();
  const ask = (abortSignal: AbortSignal) => {
    read_at = now();
    return api.personalize.send(new ListTagsForResourceCommand({ resourceArn: arn }), { abortSignal });
  };
  for (const wait of [...IN_USE_WAITS_MS, null]) {
    try {
      const { tags } = await api.call("read", OPERATION, ask, signal);
      if (!tags)
        return {
          outcome: "unknown",
          error: { name: "UnexpectedReply", message: "the reply has no field tags", operation: OPERATION },
        };
      return {
        outcome: "read",
        tags: tagsFrom(tags.map(({ tagKey = "", tagValue = "" }) => [tagKey, tagValue])),
        read_at,
      };
    } catch (error) {
      signal?.throwIfAborted();
      const name = errorName(error);
      if (name === "ResourceNotFoundException") return { outcome: "gone" };
      if (name !== "ResourceInUseException" || wait === null)
        return { outcome: "unknown", error: toReadError(error, OPERATION) };
      await pause(wait, signal);
    }
  }
  throw new Error("unreachable: the last attempt returns");
}

/**
 * Asks the tag index for up to 100 ARNs, and returns the tags of those it knows; what it shows unasked is left out.
 * Rejects with the error of AWS. The index lags, and leaves out what was never tagged.
 */
export async function readIndexTags(
  api: TargetApi,
  arns: readonly string[],
  signal?: AbortSignal,
): Promise<Map<string, Tags>> {
  const { GetResourcesCommand } = await taggingSdk();
  // With a list of ARNs the index refuses every other parameter, the page size too.
  const command = new GetResourcesCommand({ ResourceARNList: [...arns] });
  const reply = await api.call(
    "index",
    "GetResources",
    (abortSignal) => api.tagging.send(command, { abortSignal }),
    signal,
  );
  // A reply without the list must not look like one that knows no resource.
  if (!reply.ResourceTagMappingList)
    throw Object.assign(new Error("the reply has no list"), { name: "UnexpectedReply" });
  const asked = new Set(arns);
  const found = new Map<string, Tags>();
  for (const { ResourceARN: arn, Tags: tags } of reply.ResourceTagMappingList) {
    if (arn === undefined || tags === undefined || !asked.has(arn)) continue;
    found.set(arn, tagsFrom(tags.map(({ Key = "", Value = "" }) => [Key, Value])));
  }
  return found;
}
