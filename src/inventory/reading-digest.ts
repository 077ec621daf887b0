import { hash } from "node:crypto";
import type { Tags } from "../tags/tags.ts";
import type { Resource } from "./resource.ts";

/** A resource as listed, with its tags: what a row of `resources` holds of it, too. */
type Read = Pick<Resource, "name" | "status" | "created_at" | "updated_at" | "summary"> & {
  readonly in_index: boolean;
  /** `aws:` keys included. */
  readonly tags: Tags;
  readonly stack: string | null;
};

/** Characters of a digest: the first 132 bits of a SHA-256. */
const DIGEST_LENGTH = 22;

/** Digest of a resource and its tags: equal ones say the same. */
export function readingDigest({ name, status, in_index, stack, created_at, updated_at, tags, summary }: Read): string {
  const content: unknown[] = [name, status, in_index, stack, created_at?.getTime(), updated_at?.getTime()];
  appendJson(tags, content);
  appendJson(summary, content);
  return digestOf(content);
}

/** Whether the digest of a stored state, which begins with that of its reading, is of this one. */
export function isDigestOf(digest: string, read: Read): boolean {
  return digest.startsWith(readingDigest(read));
}

/** Digest of a list of JSON values. */
export function digestOf(content: readonly unknown[]): string {
  return hash("sha256", JSON.stringify(content), "base64url").slice(0, DIGEST_LENGTH);
}

/**
 * Appends a JSON value to a flat list, so that equal values come out equal, whatever the order of an object's keys, and no others
 * do. A member that is undefined is absent.
 */
export function appendJson(value: unknown, list: unknown[]): void {
  if (typeof value !== "object" || value === null) {
    list.push(value);
  } else if (Array.isArray(value)) {
    list.push([value.length, "items"]);
    for (const item of value) appendJson(item, list);
  } else {
    const members = value as Record<string, unknown>;
    const keys = Object.keys(members).filter((key) => members[key] !== undefined);
    list.push([keys.length]);
    for (const key of keys.sort()) {
      list.push(key);
      appendJson(members[key], list);
    }
  }
}
