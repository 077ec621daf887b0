/**
 * A key among `candidates` that looks like a slip of `key`: another case or separator (`cost_center`, `COSTCENTER`), else
 * a few letters off in a longer word (`Enviroment`). The closest, then the first in code-unit order; null when none is near.
 */
export function nearMiss(key: string, candidates: Iterable<string>): string | null {
  const wanted = fold(key);
  const limit = slipsAllowed(wanted);
  let best: { candidate: string; distance: number } | null = null;
  for (const candidate of candidates) {
    if (candidate === key) continue;
    const distance = editDistance(wanted, fold(candidate), limit);
    if (distance > limit) continue;
    if (!best || distance < best.distance || (distance === best.distance && candidate < best.candidate)) {
      best = { candidate, distance };
    }
  }
  return best?.candidate ?? null;
}

/** Whether two keys differ in nothing but case and separators. Keys of separators alone are like nothing. */
export function sameWord(a: string, b: string): boolean {
  const folded = fold(a);
  return folded !== "" && folded === fold(b);
}

/** The word that was probably meant; null when none is near. For hints in messages: more generous than `nearMiss`. */
export function nearestWord(word: string, words: Iterable<string>): string | null {
  const wanted = fold(word);
  const limit = Math.max(1, Math.floor(wanted.length / 3));
  let best: { candidate: string; distance: number } | null = null;
  for (const candidate of words) {
    const distance = editDistance(wanted, fold(candidate), limit);
    if (distance <= limit && (!best || distance < best.distance)) best = { candidate, distance };
  }
  return best?.candidate ?? null;
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
