import { BEFORE_FIRST, type ChainRow, rowHash } from "./chain.ts";

/**
 * What is wrong with a log. `cut_off`: rows at its end are missing that a head knows of. `rewritten`: the chain holds, but a row is
 * not the one that a head names.
 */
type FaultKind = "altered" | "missing" | "inserted" | "out_of_order" | "cut_off" | "rewritten";

/** The first bad row of a log, and what is wrong with it, for a person. */
export type Fault = { readonly position: number; readonly fault: FaultKind; readonly message: string };

/** A row with those around it. `prev` null: it is the first; `next` null: the last. */
export type Around = { readonly prev: ChainRow | null; readonly row: ChainRow; readonly next: ChainRow | null };

/** Whether a row follows the one before it and is as it was written. */
export function holds({ prev, row }: Omit<Around, "next">): boolean {
  return row.position === String(placeAfter(prev)) && row.prev_hash === hashOf(prev) && rowHash(row) === row.hash;
}

/**
 * What is wrong where the chain first does not hold; every row before this one holds. What was done is concluded from the places
 * for which hashes are right, looked for as far away as there are rows: `count`.
 */
export function faultAt({ prev, row, next }: Around, count: number): Fault {
  const due = placeAfter(prev);
  const position = Number(row.position);
  if (row.position === null || position < due) {
    return told(position, "inserted", "no row belongs there: the rows begin at 1, and each place has one");
  }
  if (position > due) return told(due, "missing", `the row after the one before it is row ${position}`);
  if (rowHash(row) === row.hash) return brokenLink({ prev, row, next });

  const origin = originOf(row, count);
  if (origin === null) {
    return next?.prev_hash === hashOf(prev)
      ? told(position, "inserted", "the row after it is chained to the one before it, and nothing to this one")
      : told(position, "altered", "it does not hash to what it says");
  }
  const origin_of_next = next && originOf(next, count);
  if (origin < position) {
    return origin_of_next === null || origin_of_next === origin + 1
      ? told(origin, "inserted", `what was row ${origin} is now row ${position}`)
      : told(position, "inserted", `it is a copy of row ${origin}`);
  }
  return next === null || origin_of_next === origin + 1
    ? told(position, "missing", `what was row ${origin} has been moved up to its place`)
    : told(position, "out_of_order", `what is there was row ${origin}`);
}

/** A row that is whole, but chained to something else than the row before it. */
function brokenLink({ prev, row, next }: Around): Fault {
  const both = "with its hash made anew";
  if (prev !== null && (next === null || next.prev_hash === row.hash)) {
    return told(Number(prev.position), "altered", `it was altered, ${both}: row ${row.position} is chained to another`);
  }
  return told(Number(row.position), "altered", `it was altered, ${both}: it is not chained to the row before it`);
}

/** The place for which a row's hash is right, nearest first; null: there is none. */
function originOf(row: ChainRow, count: number): number | null {
  const place = Number(row.position);
  const fits = (position: number) => position > 0 && rowHash({ ...row, position: String(position) }) === row.hash;
  for (let distance = 0; distance <= count; distance++) {
    if (fits(place + distance)) return place + distance;
    if (fits(place - distance)) return place - distance;
  }
  return null;
}

function placeAfter(prev: ChainRow | null): number {
  return prev === null ? 1 : Number(prev.position) + 1;
}

function hashOf(prev: ChainRow | null): string | null {
  return prev === null ? BEFORE_FIRST : prev.hash;
}

function told(position: number, fault: FaultKind, message: string): Fault {
  return { position, fault, message };
}
