/**
 * A key among `candidates` that looks like a slip of `key`; the closest, then the first in code-unit order; null when none is near.
 */
export function nearMiss(key: string, candidates: Iterable<string>): string | null {
  return nearest(candidates, slipsFrom(key));
}

/** The candidate with the smallest distance, then the first in code-unit order; null when none has a distance. */
export function nearest(candidates: Iterable<string>, distanceTo: (candidate: string) => number | null): string | null {
  let best: string | null = null;
  let least = Infinity;
  for (const candidate of candidates) {
    const distance = distanceTo(candidate);
    if (distance === null || distance > least) continue;
    if (distance < least || best === null || candidate < best) best = candidate;
    least = distance;
  }
  return best;
}

/**
 * Prepares the question how far another key is from this one: 0 for another case or separator (`cost_center`,
 * `COSTCENTER`), 1 or 2 for slips in a longer word (`Enviroment`), null for another word, or the key itself.
 */
export function slipsFrom(key: string): (candidate: string) => number | null {
  const wanted = fold(key);
  const limit = slipsAllowed(wanted);
  return (candidate) => {
    if (candidate === key) return null;
    const distance = editDistance(wanted, fold(candidate), limit);
    return distance > limit ? null : distance;
  };
}

/** The word that was probably meant; null when none is near. For hints in messages: more generous than `nearMiss`. */
export function nearestWord(word: string, words: Iterable<string>): string | null {
  const wanted = fold(word);
  const limit = Math.max(1, Math.floor(wanted.length / 3));
  return nearest(words, (candidate) => {
    const distance = editDistance(wanted, fold(candidate), limit);
    return distance > limit ? null : distance;
  });
}

/** In short words a letter makes another word: Env and End, Team and Term. */
function slipsAllowed(word: string): number {
  if (word.length >= 8) return 2;
  return word.length >= 5 ? 1 : 0;
}

function fold(key: string): string {
  return key
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[\p{Z}_.:/=+\-@]/gu, "");
}

/** Insertions, deletions, substitutions and swaps of neighbours; anything above `limit` comes back as `limit + 1`. */
function editDistance(a: string, b: string, limit: number): number {
  if (a === "" || b === "" || Math.abs(a.length - b.length) > limit) return limit + 1;
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const substitution = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      let distance = Math.min(substitution, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1);
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        distance = Math.min(distance, (beforePrevious[column - 2] ?? 0) + 1);
      }
      current.push(distance);
    }
    beforePrevious = previous;
    previous = current;
  }
  return Math.min(previous[b.length] ?? 0, limit + 1);
}
