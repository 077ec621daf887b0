import { isReserved } from "../tags/limits.ts";
import type { Tags } from "../tags/tags.ts";

/**
 * Whether two JSON values say the same: objects in any order of keys, a member that is undefined is absent. A database
 * gives keys back in an order of its own.
 */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const one = a as Record<string, unknown>;
  const other = b as Record<string, unknown>;
  for (const key of Object.keys(one)) {
    if (one[key] !== undefined && !(Object.hasOwn(other, key) && sameJson(one[key], other[key]))) return false;
  }
  return Object.keys(other).every(
    (key) => other[key] === undefined || (Object.hasOwn(one, key) && one[key] !== undefined),
  );
}

/** Whether two instants are the same, to the millisecond; null is the same as null only. */
export function sameInstant(a: Date | null, b: Date | null): boolean {
  return a?.getTime() === b?.getTime();
}

/**
 * Whether a reading adds nothing to the tags that are stored: the same user tags, and no `aws:` tag that is not stored. Not
 * every source shows `aws:` tags, so one that is missing is no change.
 */
export function repeatsTags(stored: Tags, read: Tags): boolean {
  for (const key of Object.keys(read)) if (!Object.hasOwn(stored, key) || stored[key] !== read[key]) return false;
  return Object.keys(stored).every((key) => Object.hasOwn(read, key) || isReserved(key));
}
