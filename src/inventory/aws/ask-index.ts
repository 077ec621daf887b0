import { toReadError } from "../call-error.ts";
import type { IndexAnswer } from "../decide-reading.ts";
import type { Tags } from "../../tags/tags.ts";
import { readIndexTags } from "./read-tags.ts";
import type { TargetApi } from "./session.ts";

/** What the tag index said of a page: the tags of the resources that it knows, or why it said nothing. */
export type IndexPage = Map<string, Tags> | "not-asked" | "unavailable";

/** A tag index that could not be asked is left alone for so long. */
const REST_MS = 10 * 60_000;

const ABSENT: IndexAnswer = { answer: "absent" };
const SILENT = { "not-asked": { answer: "not-asked" }, unavailable: { answer: "unavailable" } } as const;

/** What the index said of one resource of a page. */
export function answerFor(arn: string, index: IndexPage): IndexAnswer {
  if (typeof index === "string") return SILENT[index];
  const tags = index.get(arn);
  return tags ? { answer: "tags", tags } : ABSENT;
}

/** Asks the index about a page. The first to find out that it cannot be asked adds a warning, for the whole target. */
export async function askIndex(
  api: TargetApi,
  arns: readonly string[],
  options: { readonly now: () => Date; readonly signal: AbortSignal; readonly warnings: string[] },
): Promise<IndexPage> {
  const { now, signal, warnings } = options;
  if (api.index_unavailable && now() < api.index_unavailable.until) return "unavailable";
  try {
    return await readIndexTags(api, arns, signal);
  } catch (cause) {
    signal.throwIfAborted();
    const error = toReadError(cause, "GetResources");
    const { account_id, region } = api.target;
    if (!api.index_unavailable || now() >= api.index_unavailable.until) {
      api.index_unavailable = { error, until: new Date(now().getTime() + REST_MS) };
      warnings.push(
        `${account_id}/${region}: the tag index cannot be asked (GetResources: ${error.name}), so each resource's tags are ` +
          `read from the service, which takes much longer. The permission that it needs is tag:GetResources.`,
      );
    }
    return "unavailable";
  }
}
