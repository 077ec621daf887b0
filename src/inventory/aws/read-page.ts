import { isMissing, isWorthAsking } from "../coverage.ts";
import { decideReading, type IndexAnswer } from "../decide-reading.ts";
import { isDigestOf } from "../reading-digest.ts";
import type { Coverage, Observation, ReadError, ReadingCounts, Resource, StoredReading, Unit } from "../resource.ts";
import { stackOf } from "../../tags/stack.ts";
import { sameUserTags, tagsEqual } from "../../tags/tags.ts";
import { answerFor, askIndex, type IndexPage } from "./ask-index.ts";
import { readServiceTags } from "./read-tags.ts";
import type { ReadUnitOptions } from "./read-unit.ts";
import type { TargetApi } from "./session.ts";

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** What the pages of a unit add up to while they are read. */
export type Tally = {
  resources: number;
  unread: number;
  error: ReadError | null;
  readonly warnings: string[];
  readonly readings: Mutable<ReadingCounts>;
  /** What was seen of the index: see coverage.ts. */
  readonly evidence: { asked: boolean; returned: number; missing: number };
};

/** A tally of nothing. */
export function newTally(): Tally {
  return {
    resources: 0,
    unread: 0,
    error: null,
    warnings: [],
    readings: { index: 0, service: 0, stored: 0, sampled: 0, mismatched: 0 },
    evidence: { asked: false, returned: 0, missing: 0 },
  };
}

/** The unit that a page belongs to, and what is known about reading it. */
export type PageContext = {
  readonly api: TargetApi;
  readonly unit: Unit;
  readonly options: ReadUnitOptions;
  /** What was learned about the index; undefined: nobody knows yet. */
  readonly coverage: { readonly value: Coverage | null | undefined };
  readonly signal: AbortSignal;
  readonly tally: Tally;
};

/** Reads the tags of the resources of one page, and adds to the tally. Throws what the database threw, or the reason of an abort. */
export async function readPage(context: PageContext, page: readonly Resource[]): Promise<Observation[]> {
  if (page.length === 0) return [];
  const { options, tally } = context;
  // A reading is as old as its question: a repair that is recorded while the answers are on their way is newer.
  const now = options.now();
  const [digests, index] = await Promise.all([
    options.confirm_all ? null : options.digests?.(),
    askAbout(context, page, now),
  ]);
  const observations: Observation[] = [];
  const asked: Promise<void>[] = [];
  /** Places an observation, or the one that the service's answer to a question about the same resource makes. */
  const place = (position: number, observation: Observation | Promise<Observation>) => {
    if (!(observation instanceof Promise)) {
      observations[position] = observation;
      return;
    }
    const placed = observation.then((answered) => void (observations[position] = answered));
    // Its failure is seen where all are awaited; when the database fails before that, it must not count as unhandled.
    placed.catch(() => {});
    asked.push(placed);
  };
  const others: { position: number; resource: Resource }[] = [];
  for (const [position, resource] of page.entries()) {
    const again = observeAgain(resource, digests?.get(resource.arn), answerFor(resource.arn, index), now);
    if (again) place(position, believe(context, again));
    else others.push({ position, resource });
  }
  const stored = others.length === 0 ? null : await options.stored(others.map(({ resource }) => resource.arn));
  for (const { position, resource } of others) {
    const answer = answerFor(resource.arn, index);
    place(position, observe(context, resource, stored?.get(resource.arn), answer, now));
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

/** What the index says of a page, if it is worth asking. */
async function askAbout(context: PageContext, page: readonly Resource[], now: Date): Promise<IndexPage> {
  const { api, unit, options, coverage, signal, tally } = context;
  if (!isWorthAsking(coverage.value, unit, now)) return "not-asked";
  const arns = page.map(({ arn }) => arn);
  const index = await askIndex(api, arns, { now: options.now, signal, warnings: tally.warnings });
  if (index instanceof Map) {
    tally.evidence.asked = true;
    tally.evidence.returned += index.size;
  }
  return index;
}

/** An observation that says what the index says. */
type IndexObservation = Extract<Observation, { outcome: "read" }>;

/**
 * The observation of a resource that is listed, and shown by the index, as it is stored: then the index is to be believed, whatever
 * else is stored. Null: what is stored has to be looked at.
 */
function observeAgain(
  resource: Resource,
  digest: string | undefined,
  index: IndexAnswer,
  now: Date,
): IndexObservation | null {
  if (digest === undefined || index.answer !== "tags") return null;
  const { tags } = index;
  if (!isDigestOf(digest, { ...resource, in_index: true, tags, stack: stackOf(tags) })) return null;
  const reading = { tags, source: "index", read_at: now } as const;
  return { resource, in_index: true, outcome: "read", reading, confirmed: false, stored_digest: digest };
}

/** The observation of a resource that has to be looked at: what the readings at hand allow, else what the service says. */
function observe(
  context: PageContext,
  resource: Resource,
  stored: StoredReading | undefined,
  index: IndexAnswer,
  now: Date,
): Observation | Promise<Observation> {
  const { options, tally } = context;
  const decision = decideReading({ resource, stored, index, now });
  const read = { resource, outcome: "read", confirmed: false } as const;
  if (decision === "take-index" && index.answer === "tags") {
    const reading = { tags: index.tags, source: "index", read_at: now } as const;
    return believe(context, { ...read, in_index: true, reading });
  }
  if (decision === "take-stored" && stored && !options.confirm_all) {
    const { tags, source, service_read_at } = stored;
    tally.readings.stored += 1;
    if (index.answer === "absent" && isMissing(resource, tags, stored, now)) tally.evidence.missing += 1;
    return { ...read, in_index: isInIndex(index, stored), reading: { tags, source, read_at: service_read_at ?? now } };
  }
  return askService(context, resource, stored, index, now);
}

/** Believes the index, unless this resource is to be confirmed or is in the sample by which the index is checked. */
function believe(context: PageContext, observation: IndexObservation): Observation | Promise<Observation> {
  const { confirm_all, sample } = context.options;
  if (confirm_all || sample?.()) return check(context, observation);
  context.tally.readings.index += 1;
  return observation;
}

/** Asks the service about a resource for which the index would be believed, and counts whether it was right. */
async function check(context: PageContext, believed: IndexObservation): Promise<Observation> {
  const { options, tally } = context;
  const { resource, reading, stored_digest } = believed;
  const index = { answer: "tags", tags: reading.tags } as const;
  const answered = await askService(context, resource, undefined, index, options.now());
  if (answered.outcome === "unknown" && !options.confirm_all) {
    // A question that nobody had to ask makes nothing worse.
    tally.readings.index += 1;
    return believed;
  }
  if (answered.outcome !== "read") return answered;
  tally.readings.sampled += 1;
  if (!sameUserTags(answered.reading.tags, reading.tags)) tally.readings.mismatched += 1;
  const same = stored_digest !== undefined && tagsEqual(answered.reading.tags, reading.tags);
  return same ? { ...answered, stored_digest } : answered;
}

async function askService(
  context: PageContext,
  resource: Resource,
  stored: StoredReading | undefined,
  index: IndexAnswer,
  now: Date,
): Promise<Observation> {
  const { api, options, signal, tally } = context;
  const answer = await readServiceTags(api, resource.arn, signal, options.now);
  const stack = index.answer === "tags" ? stackOf(index.tags) : null;
  const seen = { resource, in_index: isInIndex(index, stored), ...(stack !== null && { stack }) };
  if (answer.outcome !== "read") return { ...seen, ...answer };
  const { tags, read_at } = answer;
  tally.readings.service += 1;
  if (index.answer === "absent" && isMissing(resource, tags, stored, now)) tally.evidence.missing += 1;
  return { ...seen, outcome: "read", reading: { tags, source: "service", read_at }, confirmed: true };
}

/** When the index was not asked, what it said before still stands. */
function isInIndex(index: IndexAnswer, stored: StoredReading | undefined): boolean {
  if (index.answer === "unavailable" || index.answer === "not-asked") return stored?.in_index ?? false;
  return index.answer === "tags";
}
