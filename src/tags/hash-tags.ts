import { createHash } from "node:crypto";
import { userTags, type Tags } from "./tags.ts";

/**
 * SHA-256, hex, of a resource's user tags, in any order; `aws:` tags do not count.
 * Every part is prefixed with its length, so that no two sets of tags share a form.
 */
export function hashTags(tags: Tags): string {
  const hash = createHash("sha256");
  const pairs = Object.entries(userTags(tags)).sort(([a], [b]) => (a < b ? -1 : 1));
  for (const part of pairs.flat()) hash.update(`${Buffer.byteLength(part)}:${part}`);
  return hash.digest("hex");
}
