import type { Coverage, Resource, StoredReading, Unit } from "./resource.ts";
import { sameUserTags, type Tags, userTags } from "../tags/tags.ts";
import { spread } from "./spread.ts";

/** What one reading of a unit showed about the index. What could not be asked is no evidence. */
export type IndexEvidence = {
  /** The index was asked, and answered, at least once. */
  readonly asked: boolean;
  readonly returned: number;
  readonly missing: number;
};

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** One resource that is missing may be an accident of the index. */
const MISSING_TO_LEARN = 3;

/**
 * Whether the index is worth asking. Where it does not cover the type it is asked again after 6 to 8 days, spread by the unit,
 * because AWS may have added it. `coverage`: null or undefined when nothing was learned.
 */
export function isWorthAsking(coverage: Coverage | null | undefined, unit: Unit, now: Date): boolean {
  if (!coverage || coverage.covered) return true;
  const age = now.getTime() - coverage.learned_at.getTime();
  const { account_id, region, type } = unit;
  return age < -HOUR || age >= (6 + 2 * spread(`${account_id}/${region}/${type}`)) * DAY;
}

/**
 * What is to be stored of the evidence of one scan; null: nothing new. The type is covered once the index returned one resource of
 * it, and stays so. It is not when several are missing and none was ever returned.
 */
export function learn(before: Coverage | null, evidence: IndexEvidence, unit: Unit, now: Date): Coverage | null {
  const { asked, returned, missing } = evidence;
  if (returned > 0) return before?.covered ? null : { covered: true, returned, missing, learned_at: now };
  if (!asked || before?.covered || !isWorthAsking(before, unit, now)) return null;
  if (missing >= MISSING_TO_LEARN) return { covered: false, returned, missing, learned_at: now };
  return before && { ...before, learned_at: now };
}

/**
 * Whether the index, which did not return this resource, would have if it covered its type: the service says that it has user
 * tags, and neither its creation nor a change of tags that we know of is younger than the hour in which the index may lag.
 * `stored`: what was known before.
 */
export function isMissing(resource: Resource, tags: Tags, stored: StoredReading | undefined, now: Date): boolean {
  const isOld = (instant: Date | null) => instant !== null && now.getTime() - instant.getTime() > HOUR;
  if (!isOld(resource.created_at) || Object.keys(userTags(tags)).length === 0) return false;
  if (!stored) return true;
  return sameUserTags(stored.tags, tags) && (stored.service_read_at === null || isOld(stored.service_read_at));
}
