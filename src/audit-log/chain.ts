import { createHash } from "node:crypto";
import type { AuditEntry } from "./entry.ts";

/** The `prev_hash` of the first row. */
export const BEFORE_FIRST = "0".repeat(64);

/**
 * A row as the text of its columns, `at` in milliseconds since 1970 and `detail` as the very text that was written: nothing that
 * could be read in two ways is between what is stored and what is hashed. Null only where somebody has tampered.
 */
export type ChainRow = {
  readonly position: string | null;
  readonly at: string | null;
  readonly actor: string | null;
  readonly action: string | null;
  readonly subject: string | null;
  readonly detail: string | null;
  readonly prev_hash: string | null;
  readonly hash: string | null;
};

/** The last row of a log: what all before it can be checked against. Of an empty log the position is 0. */
export type Head = { readonly position: number; readonly hash: string; readonly at: Date | null };

/** What an empty log ends with. */
export const EMPTY: Head = { position: 0, hash: BEFORE_FIRST, at: null };

/** SHA-256, hex, over all other columns, in the order of `ChainRow`. */
export function rowHash(row: Omit<ChainRow, "hash">): string {
  const { position, at, actor, action, subject, detail, prev_hash } = row;
  const hash = createHash("sha256");
  for (const part of [position, at, actor, action, subject, detail, prev_hash]) hash.update(prefixed(part));
  return hash.digest("hex");
}

/** UTF-8 with its length in bytes before it, 4 bytes big-endian, so that no two different rows share a form. */
function prefixed(part: string | null): Buffer {
  const bytes = Buffer.from(part ?? "", "utf8");
  const length = Buffer.alloc(4);
  // No text is so long: null has a form of its own.
  length.writeUInt32BE(part === null ? 0xffff_ffff : bytes.length);
  return Buffer.concat([length, bytes]);
}

/** The rows that follow a head, each chained to the one before it. */
export function chained(entries: readonly AuditEntry[], head: Pick<Head, "position" | "hash">): ChainedRow[] {
  let { position, hash } = head;
  return entries.map((entry) => {
    const prev_hash = hash;
    position++;
    const { at, action } = entry;
    const actor = storable(entry.actor);
    const subject = storable(entry.subject);
    const detail = JSON.stringify(entry.detail, (_, value: unknown) =>
      typeof value === "string" ? storable(value) : value,
    );
    const text = { position: String(position), at: String(at.getTime()), actor, action, subject, detail, prev_hash };
    hash = rowHash(text);
    return { position, at, actor, action, subject, detail, prev_hash, hash };
  });
}

/** A row about to be written, `detail` as text. */
type ChainedRow = Omit<AuditEntry, "detail"> & {
  readonly position: number;
  readonly detail: string;
  readonly prev_hash: string;
  readonly hash: string;
};

/** PostgreSQL keeps no NUL and no half of a surrogate pair, not even written as an escape. */
function storable(text: string): string {
  return text.toWellFormed().replaceAll("\u0000", "\ufffd");
}
