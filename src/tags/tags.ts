import { isReserved } from "./limits.ts";

/** Tags as this project holds them everywhere: key → value, `aws:` keys included. Keys and values are case-sensitive. */
export type Tags = Readonly<Record<string, string>>;

/** No tags at all. */
export const NO_TAGS: Tags = Object.freeze(Object.create(null) as Tags);

/**
 * Builds tags from pairs; the last pair of a key wins.
 * The object has no prototype: `__proto__` and `constructor` are legal tag keys at AWS.
 */
export function tagsFrom(pairs: Iterable<readonly [string, string]>): Tags {
  const tags: Record<string, string> = Object.create(null);
  for (const [key, value] of pairs) tags[key] = value;
  return tags;
}

/** The value of a key, exact case; undefined when absent. Never a property that the object inherits. */
export function tagValue(tags: Tags, key: string): string | undefined {
  return Object.hasOwn(tags, key) ? tags[key] : undefined;
}

/** The tags that a person may set: all but `aws:`. */
export function userTags(tags: Tags): Tags {
  return tagsFrom(Object.entries(tags).filter(([key]) => !isReserved(key)));
}

/** Whether two resources' tags are the same, `aws:` included, in any order. */
export function tagsEqual(a: Tags, b: Tags): boolean {
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && a[key] === b[key]);
}

/** Whether two resources' user tags are the same. `aws:` tags are judged by no rule, and not every API of AWS shows them. */
export function sameUserTags(a: Tags, b: Tags): boolean {
  return tagsEqual(a, b) || tagsEqual(userTags(a), userTags(b));
}
