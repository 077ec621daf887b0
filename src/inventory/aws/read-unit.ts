import { toReadError, errorKind } from "../call-error.ts";
import { decideReading, type IndexAnswer } from "../decide-reading.ts";
import { isDigestOf } from "../reading-digest.ts";
import type { Observation, ReadError, Resource, StoredReading, UnitOutcome } from "../resource.ts";
import type { ResourceType } from "../resource-types.ts";
import { stackOf } from "../../tags/stack.ts";
import type { Tags } from "../../tags/tags.ts";
import { type ListEnd, listUnit } from "./list-unit.ts";
import { readIndexTags, readServiceTags } from "./read-tags.ts";
import { runAhead } from "./run-ahead.ts";
import type { TargetApi } from "./session.ts";

/** What a reading is compared with, and how much it trusts the tag index. */
export type ReadUnitOptions = {
  /** What the database holds of these resources; asked once a page at most, at most 100 at a time. */
  readonly stored: (arns: string[]) => Promise<Map<string, StoredReading>>;
  /** Digests of the stored states, by ARN: what the index shows and they confirm need not be loaded. Absent: there are none. */
  readonly digests?: () => Promise<ReadonlyMap<string, string>>;
  /** Every resource's tags are asked of the service, whatever the index says. */
  readonly confirm_all: boolean;
  readonly now: () => Date;
  readonly signal?: AbortSignal;
};

/** A unit while it is being read. */
export type UnitReading = {
  /** Page by page, each ARN once, in the order of the list. Throws only what `stored` threw, or the reason of an abort. */
  readonly observations: AsyncIterable<Observation[]>;
  /** How the unit ended. Throws before the iteration has ended. */
  outcome(): UnitOutcome;
};

/** Pages that are read before somebody takes them: enough for the list never to wait, few enough for memory to stay flat. */
const PAGES_AHEAD = 8;

/** A tag index that could not be asked is left alone for so long. */
const INDEX_REST_MS = 10 * 60_000;

/**
 * Reads a unit: lists it, asks the tag index for each page while the next one loads, and the service for what the index
 * cannot answer. Begins at once. AWS errors end as observations and in the outcome, never as "no tags".
 */
export function readUnit(api: TargetApi, type: ResourceType, options: ReadUnitOptions): UnitReading {
  const leaving = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, leaving.signal]) : leaving.signal;
  const tally: Tally = { resources: 0, unread: 0, error: null, warnings: [] };
  const pages = runAhead(
    listUnit(api, type, signal),
    PAGES_AHEAD,
    (page) => readPage(api, page, options, signal, tally),
    () => leaving.abort(new Error("Nobody takes this unit's pages any more.")),
  );
  return {
    observations: pages.items,
    outcome: () => {
      const end = pages.end();
      if (!end) throw new Error("The outcome of a unit is known only after its last page was taken.");
      return toOutcome(end, tally);
    },
  };
}

type Tally = { resources: number; unread: number; error: ReadError | null; readonly warnings: string[] };

function toOutcome(end: ListEnd, { resources, unread, error, warnings }: Tally): UnitOutcome {
  const { listed, pages } = end;
  const counts = { listed, pages, resources, unread, error: end.error ?? error, warnings };
  if (end.error && pages === 0) return { state: errorKind(end.error) === "denied" ? "denied" : "failed", ...counts };
  return { state: listed && unread === 0 ? "complete" : "partial", ...counts };
}

async function readPage(
  api: TargetApi,
  page: readonly Resource[],
  options: ReadUnitOptions,
  signal: AbortSignal,
  tally: Tally,
): Promise<Observation[]> {
  if (page.length === 0) return [];
  const arns = page.map(({ arn }) => arn);
  // A reading is as old as its question: a repair that is recorded while the answers are on their way is newer.
  const now = options.now();
  const [digests, index] = await Promise.all([
    options.confirm_all ? null : options.digests?.(),
    askIndex(api, arns, options.now, signal, tally),
  ]);
  const observations: Observation[] = [];
  const others: { position: number; resource: Resource }[] = [];
  for (const [position, resource] of page.entries()) {
    const again = observeAgain(resource, digests?.get(resource.arn), answerFor(resource, index), now);
    if (again) observations[position] = again;
    else others.push({ position, resource });
  }
  const stored = others.length === 0 ? null : await options.stored(others.map(({ resource }) => resource.arn));
  const asked: Promise<void>[] = [];
  for (const { position, resource } of others) {
    const before = stored?.get(resource.arn);
    const answer = answerFor(resource, index);
    const observation = observe(resource, before, answer, options.confirm_all, now);
    if (observation) {
      observations[position] = observation;
    } else {
      // When the index was not asked, what it said before still stands.
      const in_index = answer.answer === "unavailable" ? (before?.in_index ?? false) : answer.answer === "tags";
      asked.push(
        askService(api, resource, in_index, options.now, signal).then((result) => {
          const stack = answer.answer === "tags" ? stackOf(answer.tags) : null;
          observations[position] = stack === null ? result : { ...result, stack };
        }),
      );
    }
  }
  await Promise.all(asked);
  for (const observation of observations) {
    if (observation.outcome !== "unknown") continue;
    tally.unread += 1;
    tally.error ??= observation.error;
  }
  tally.resources += page.length;
  return observations;
}

/**
 * The observation of a resource that is listed, and shown by the index, as it is stored: then the index is to be believed, whatever
 * else is stored. Null: what is stored has to be looked at.
 */
function observeAgain(
  resource: Resource,
  digest: string | undefined,
  index: IndexAnswer,
  now: Date,
): Observation | null {
  if (digest === undefined || index.answer !== "tags") return null;
  const { tags } = index;
  if (!isDigestOf(digest, { ...resource, in_index: true, tags, stack: stackOf(tags) })) return null;
  const reading = { tags, source: "index", read_at: now } as const;
  return { resource, in_index: true, outcome: "read", reading, confirmed: false, stored_digest: digest };
}

/** The observation that the readings at hand allow; null: the service has to be asked. */
function observe(
  resource: Resource,
  stored: StoredReading | undefined,
  index: IndexAnswer,
  confirm_all: boolean,
  now: Date,
): Observation | null {
  const decision = decideReading({ resource, stored, index, confirm_all, now });
  const read = { resource, outcome: "read", confirmed: false } as const;
  if (decision === "take-index" && index.answer === "tags") {
    return { ...read, in_index: true, reading: { tags: index.tags, source: "index", read_at: now } };
  }
  if (decision === "take-stored" && stored) {
    const { tags, source, service_read_at } = stored;
    return { ...read, in_index: index.answer === "tags", reading: { tags, source, read_at: service_read_at ?? now } };
  }
  return null;
}

async function askService(
  api: TargetApi,
  resource: Resource,
  in_index: boolean,
  now: () => Date,
  signal: AbortSignal,
): Promise<Observation> {
  const answer = await readServiceTags(api, resource.arn, signal, now);
  if (answer.outcome !== "read") return { resource, in_index, ...answer };
  const { tags, read_at } = answer;
  return { resource, in_index, outcome: "read", reading: { tags, source: "service", read_at }, confirmed: true };
}

function answerFor(resource: Resource, index: Map<string, Tags> | null): IndexAnswer {
  if (index === null) return { answer: "unavailable" };
  const tags = index.get(resource.arn);
  return tags ? { answer: "tags", tags } : { answer: "absent" };
}

/** Asks the index about a page; null when it cannot be asked. The first to find that out tells it, for the whole target. */
async function askIndex(
  api: TargetApi,
  arns: readonly string[],
  now: () => Date,
  signal: AbortSignal,
  tally: Tally,
): Promise<Map<string, Tags> | null> {
  if (api.index_unavailable && now() < api.index_unavailable.until) return null;
  try {
    return await readIndexTags(api, arns, signal);
  } catch (cause) {
    signal.throwIfAborted();
    const error = toReadError(cause, "GetResources");
    const { account_id, region } = api.target;
    if (!api.index_unavailable || now() >= api.index_unavailable.until) {
      api.index_unavailable = { error, until: new Date(now().getTime() + INDEX_REST_MS) };
      tally.warnings.push(
        `${account_id}/${region}: the tag index cannot be asked (GetResources: ${error.name}), so each resource's tags are ` +
          `read from the service, which takes much longer. The permission that it needs is tag:GetResources.`,
      );
    }
    return null;
  }
}
