import { type ChainRow, EMPTY, type Head } from "./chain.ts";
import { type Fault, faultAt, holds } from "./fault.ts";

/** What came of reading a whole log: its head, or that of the part that holds, and what is wrong after that. */
export type Verification = {
  readonly rows: number;
  readonly head: Head;
  readonly fault: Fault | null;
};

/**
 * Reads a chain row by row, in the order of their positions, up to the first one that does not hold. Remembers two rows, however many there are.
 * `known`: a head that was kept elsewhere: a log that ends before it, or has another row there, does not hold. `count`: how many rows
 * there are, asked only when something is wrong.
 */
export async function verifyChain(
  rows: AsyncIterable<ChainRow>,
  known: Pick<Head, "position" | "hash"> | null,
  count: () => Promise<number>,
): Promise<Verification> {
  let head = EMPTY;
  let prev: ChainRow | null = null;
  for await (const { row, next } of withNext(rows)) {
    if (!holds({ prev, row })) {
      return { rows: head.position, head, fault: faultAt({ prev, row, next }, await count()) };
    }
    head = headOf(row);
    if (known !== null && head.position === known.position && head.hash !== known.hash) {
      return { rows: head.position, head, fault: rewritten(known) };
    }
    prev = row;
  }
  const fault = known !== null && head.position < known.position ? cutOff(head, known) : null;
  return { rows: head.position, head, fault };
}

/** Each row with the one after it. */
async function* withNext(rows: AsyncIterable<ChainRow>): AsyncGenerator<{ row: ChainRow; next: ChainRow | null }> {
  let row: ChainRow | null = null;
  for await (const next of rows) {
    if (row !== null) yield { row, next };
    row = next;
  }
  if (row !== null) yield { row, next: null };
}

/** The head that a row which holds would be. */
function headOf({ position, hash, at }: ChainRow): Head {
  return { position: Number(position), hash: hash ?? "", at: new Date(Number(at)) };
}

function rewritten({ position }: Pick<Head, "position">): Fault {
  const message = "it is not the row that the head names: the log was written anew up to there";
  return { position, fault: "rewritten", message };
}

function cutOff({ position }: Head, known: Pick<Head, "position">): Fault {
  const end = position === 0 ? "the log is empty" : `the log ends with row ${position}`;
  return { position: position + 1, fault: "cut_off", message: `${end}, and the head names row ${known.position}` };
}
