import { tagValue, type Tags } from "./tags.ts";

/** Keys that name the owner of a resource, the first that has a value: as `reporting.shown_resources` has it. */
const OWNER_KEYS = ["Owner", "owner", "Team", "team"];

/** Who owns a resource by its tags; null: nobody is named. A value that must not be shown is masked. */
export function ownerOf(tags: Tags | null, isSensitive: (key: string) => boolean): string | null {
  if (tags === null) return null;
  const key = OWNER_KEYS.find((one) => (tagValue(tags, one) ?? "") !== "");
  if (key === undefined) return null;
  return isSensitive(key) ? "***" : (tagValue(tags, key) ?? null);
}
