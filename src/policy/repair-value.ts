import type { InvalidFix } from "./fix-format.ts";
import { compilePattern } from "./pattern.ts";

/** Spaces and the punctuation that a tag may hold. */
const SEPARATORS = /[\p{Z}_.:/=+\-@]+/gu;

/**
 * Prepares what to write in place of a value that is not allowed; null: a person decides. The value is cleaned up first: if
 * the rule lets the result pass, that is it; else the map names it, the first pattern that matches, or `otherwise`.
 */
export function compileInvalidFix(
  fix: InvalidFix,
  passes: (value: string) => boolean,
): (value: string) => string | null {
  const fold = (value: string) => (fix.ignore_case ? value.toLowerCase() : value);
  const map = new Map(Object.entries(fix.map ?? {}).map(([from, to]) => [fold(from), to]));
  const patterns = (fix.patterns ?? []).map(({ pattern, value }) => ({ matches: compilePattern(pattern), value }));
  return (value) => {
    const cleaned = fix.clean ? cleanText(value, fix.clean) : value;
    if (cleaned !== value && passes(cleaned)) return cleaned;
    const mapped = map.get(fold(cleaned)) ?? map.get(fold(value));
    if (mapped !== undefined) return mapped;
    return patterns.find(({ matches }) => matches(cleaned))?.value ?? fix.otherwise ?? null;
  };
}

/** A text without spaces around it, in another case, with other separators: as far as `clean` says. */
export function cleanText(text: string, clean: NonNullable<InvalidFix["clean"]>): string {
  const trimmed = (one: string) => (clean.trim ? one.replace(/^\p{Z}+|\p{Z}+$/gu, "") : one);
  let result = trimmed(text);
  // Once more, where the separators became spaces.
  if (clean.separators !== undefined) result = trimmed(result.replaceAll(SEPARATORS, clean.separators));
  if (clean.case === "lower") return result.toLowerCase();
  if (clean.case === "upper") return result.toUpperCase();
  if (clean.case === "title")
    return result.toLowerCase().replaceAll(/\p{L}+/gu, (word) => word.charAt(0).toUpperCase() + word.slice(1));
  return result;
}
