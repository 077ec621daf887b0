import type { Resource, StoredReading } from "./resource.ts";
import { spread } from "./spread.ts";
import { sameUserTags, type Tags } from "../tags/tags.ts";

/** What the tag index said of one resource that it was asked about. */
export type IndexAnswer =
  | { readonly answer: "tags"; readonly tags: Tags }
  /** It does not know the resource: never tagged, not covered, or not yet indexed. */
  | { readonly answer: "absent" }
  /** It was not asked, because it does not cover the type. */
  | { readonly answer: "not-asked" }
  /** It could not be asked. */
  | { readonly answer: "unavailable" };

/** Where the tags of a resource are taken from. */
export type ReadingDecision = "take-index" | "take-stored" | "ask-service";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/**
 * Decides whether one of the readings at hand is good enough, or the service has to be asked.
 *
 * The index lags behind the service by a time that AWS does not bound, and shows resources that were never tagged not at
 * all. So its answer is taken only where it repeats what is stored, or where nothing was ever stored under this ARN, it has
 * tags and the resource is older than an hour. A service reading stands for 3 to 7 days where the index says nothing.
 */
export function decideReading(given: {
  readonly resource: Resource;
  readonly stored: StoredReading | undefined;
  readonly index: IndexAnswer;
  readonly now: Date;
}): ReadingDecision {
  const { resource, index, now } = given;
  if (index.answer === "unavailable") return "ask-service";
  const stored = given.stored && isOfSameResource(given.stored, resource) ? given.stored : undefined;
  if (stored && stored.reading_error !== null) return "ask-service";
  // On its way out: no rule applies, and the service refuses to answer for some such resources.
  if (stored && isBeingDeleted(resource)) return "take-stored";

  if (index.answer === "tags") {
    if (stored) return sameUserTags(stored.tags, index.tags) ? "take-index" : "ask-service";
    // The index may mean the one that had this ARN before; and what was found on that one closes only by the service's word.
    if (given.stored) return "ask-service";
    return isOlderThanAnHour(resource, now) && Object.keys(index.tags).length > 0 ? "take-index" : "ask-service";
  }
  if (!stored || stored.service_read_at === null) return "ask-service";
  if (stored.in_index && Object.keys(stored.tags).length > 0) return "ask-service";
  const age = now.getTime() - stored.service_read_at.getTime();
  return age > -HOUR && age < refreshAge(resource.arn) ? "take-stored" : "ask-service";
}

/** For how many milliseconds a service reading stands: 3 to 7 days, always the same for one ARN, so that refreshes spread. */
export function refreshAge(arn: string): number {
  return (3 + 4 * spread(arn)) * DAY;
}

/** A resource that was deleted and created anew has the ARN of the old one, and the index may still show the old one's tags. */
function isOfSameResource(stored: StoredReading, resource: Resource): boolean {
  return (
    stored.created_at === null ||
    resource.created_at === null ||
    stored.created_at.getTime() === resource.created_at.getTime()
  );
}

function isOlderThanAnHour(resource: Resource, now: Date): boolean {
  return resource.created_at !== null && now.getTime() - resource.created_at.getTime() > HOUR;
}

function isBeingDeleted(resource: Resource): boolean {
  return /^delete[ _]/i.test(resource.status);
}
