import { MAX_USER_TAGS } from "../tags/limits.ts";
import { tagsFrom, tagValue, userTags, type Tags } from "../tags/tags.ts";
import type { TagChange } from "./schema.ts";

/** The tags after some changes, in memory. */
export function withChanges(tags: Tags, changes: readonly Pick<TagChange, "key" | "after">[]): Tags {
  const result = new Map(Object.entries(tags));
  for (const { key, after } of changes) {
    if (after === null) result.delete(key);
    else result.set(key, after);
  }
  return tagsFrom(result);
}

/** The tags as they were before some changes: every changed key set back to `before`. */
export function withoutChanges(tags: Tags, changes: readonly TagChange[]): Tags {
  return withChanges(
    tags,
    changes.map(({ key, before }) => ({ key, after: before })),
  );
}

/** The value of a key, null when it is absent. */
export function valueOrNull(tags: Tags, key: string): string | null {
  return tagValue(tags, key) ?? null;
}

/** The changes that are not yet made. */
export function remainingChanges(tags: Tags, changes: readonly TagChange[]): TagChange[] {
  return changes.filter(({ key, after }) => valueOrNull(tags, key) !== after);
}

/** Whether two lists change the same keys to the same values, in any order. */
export function sameChanges(
  one: readonly Pick<TagChange, "key" | "after">[],
  other: readonly Pick<TagChange, "key" | "after">[],
): boolean {
  const wanted = new Map(other.map(({ key, after }) => [key, after]));
  return one.length === other.length && one.every(({ key, after }) => wanted.get(key) === after && wanted.has(key));
}

/** User tags; `aws:` tags do not count. */
export function countUserTags(tags: Tags): number {
  return Object.keys(userTags(tags)).length;
}

/** Whether a resource may have these tags: AWS allows 50 user tags. */
export function fits(tags: Tags): boolean {
  return countUserTags(tags) <= MAX_USER_TAGS;
}
