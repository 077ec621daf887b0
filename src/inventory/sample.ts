import { createHash } from "node:crypto";

/** Says of one item after another whether it is in a sample. */
export type Sample = () => boolean;

/**
 * A sample of a stream whose length nobody knows yet: of n items, share × n are in it, rounded up or down, spread evenly. Where
 * it begins depends on the seed, so that by other seeds every item comes to its turn, each as likely as any other.
 */
export function sampleOf(share: number, seed: string): Sample {
  // Adding up instead of drawing for each item: neither the work nor the number of calls depends on luck.
  let sum = createHash("sha256").update(seed).digest().readUInt32BE(0) / 2 ** 32;
  return () => {
    sum += share;
    if (sum < 1) return false;
    sum -= 1;
    return true;
  };
}
