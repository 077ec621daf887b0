import { stringify } from "yaml";
import { CEL, FILE_KINDS, type FileKind, PIECES, REGEX, SEEDS, TREES } from "./fuzz-vocabulary.ts";

/** A mutated file: the same for the same seed and number, so that one that fails can be made again. */
export type FuzzedFile = { readonly kind: FileKind; readonly text: string };

/** A whole number from 0, below the given one. */
type Next = (below: number) => number;

/** Levels to which parts of expressions are put into each other. */
const EXPRESSION_DEPTH = 5;
/** One file in so many has a part that is repeated up to and beyond the size that is read. */
const LARGE_EVERY = 400;
/** Characters of the largest: above the 256 KiB that are read. */
const LARGE = 270_000;

/** Makes the file of this number. */
export function fuzzedFile(seed: number, number: number): FuzzedFile {
  const next = numbers(seed, number);
  const kind = next(3) > 0 ? "policy" : pick(FILE_KINDS, next);
  let text = next(2) === 0 && TREES[kind].length > 0 ? fromTree(kind, next) : pick(SEEDS[kind], next);
  for (let times = next(4); times > 0; times -= 1) text = pick(TEXT_CHANGES, next)(text, next);
  if (next(LARGE_EVERY) === 0) text = enlarged(text, next);
  // What a file on disk holds after decoding: no lone surrogates.
  return { kind, text: text.toWellFormed() };
}

/** Numbers that look random, the same for the same seed and number (mulberry32). */
function numbers(seed: number, number: number): Next {
  let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b)) >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

function pick<Item>(items: readonly Item[], next: Next): Item {
  return items[next(items.length)] as Item;
}

/** Changes of a text that know nothing of what it says. */
const TEXT_CHANGES: readonly ((text: string, next: Next) => string)[] = [
  flipped,
  (text, next) => around(text, next, 0, pick(PIECES, next)),
  (text, next) => around(text, next, next(12), ""),
  (text, next) => around(text, next, next(12), pick(PIECES, next)),
  (text, next) => text.slice(0, next(text.length + 1)) + text.slice(next(text.length + 1)),
  (text, next) => inLines(text, next, (lines, at) => lines.toSpliced(at, 1 + next(3))),
  (text, next) => inLines(text, next, (lines, at) => lines.toSpliced(at, 0, pick(lines, next))),
  (text, next) => inLines(text, next, (lines, at) => lines.with(at, `${" ".repeat(next(5))}${lines[at]}`)),
  (text, next) => inLines(text, next, (lines, at) => lines.with(at, (lines[at] ?? "").trimStart())),
  (text, next) => spliced(text, pick(SEEDS[pick(FILE_KINDS, next)], next), next),
  (text, next) => withScalar(text, next, JSON.stringify(scalar(next)) ?? "null"),
  (text, next) => withScalar(text, next, `&a${next(2)} ${pick(["[]", "{}", "x", "[*a0, *a0]", "{a: *a1}"], next)}`),
  (text, next) => withScalar(text, next, `*a${next(2)}`),
  (text, next) => withScalar(text, next, nested(next(40), next)),
];

/** Some bits of some bytes, as a disk or a network would; what is no UTF-8 then is replaced, as the loader would have refused it. */
function flipped(text: string, next: Next): string {
  const bytes = Buffer.from(text);
  for (let times = 1 + next(3); times > 0 && bytes.length > 0; times -= 1) {
    const at = next(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << next(8));
  }
  return bytes.toString();
}

function around(text: string, next: Next, removed: number, put: string): string {
  const at = next(text.length + 1);
  return text.slice(0, at) + put + text.slice(at + removed);
}

function inLines(text: string, next: Next, change: (lines: string[], at: number) => string[]): string {
  const lines = text.split("\n");
  return change(lines, next(lines.length)).join("\n");
}

function spliced(text: string, other: string, next: Next): string {
  const from = next(other.length + 1);
  return around(text, next, next(80), other.slice(from, from + next(200)));
}

/** Puts something in the place of one value: after a colon, a comma, a bracket or a dash. */
function withScalar(text: string, next: Next, put: string): string {
  const places = [...text.matchAll(/(?<=[:,[{-] ?)[\w.*'@-]+/g)];
  if (places.length === 0) return put;
  const { index, 0: found } = pick(places, next);
  return text.slice(0, index) + put + text.slice(index + found.length);
}

function nested(levels: number, next: Next): string {
  const [open, close] = pick(
    [
      ["[", "]"],
      ["{a: ", "}"],
      ["- ", ""],
      ["? ", ""],
      ["[", ""],
    ] as const,
    next,
  );
  return open.repeat(levels) + close.repeat(levels);
}

function enlarged(text: string, next: Next): string {
  const piece = pick(
    [...PIECES, "[", "{a: ", "- ", "? ", "k: 1\n", "a,", "x", pick(text.split("\n"), next), text],
    next,
  );
  return around(text, next, 0, piece.repeat(Math.ceil(next(LARGE) / Math.max(1, piece.length))));
}

/** A valid file with some of its values changed for others, written as YAML or as JSON, so that the changes reach what checks values. */
function fromTree(kind: FileKind, next: Next): string {
  let tree = structuredClone(pick(TREES[kind], next));
  for (let times = 1 + next(4); times > 0; times -= 1) tree = changed(tree, kind, next);
  return next(2) === 0 ? (JSON.stringify(tree, null, next(3)) ?? "null") : stringify(tree);
}

function changed(tree: unknown, kind: FileKind, next: Next): unknown {
  if (typeof tree !== "object" || tree === null || next(8) === 0) return value(kind, next);
  const entries = Object.entries(tree);
  const [key, inner] = entries.length === 0 ? ["", null] : pick(entries, next);
  if (next(3) > 0) return withEntry(tree, key, changed(inner, kind, next));
  const ways = [
    () => withoutEntry(tree, key),
    () => withEntry(tree, Array.isArray(tree) ? String(entries.length) : String(scalar(next)), inner),
    () => withEntry(tree, key, [inner, inner]),
    () => withEntry(tree, key, { [String(scalar(next))]: inner }),
    () => withEntry(tree, key, pick(entries, next)[1]),
  ];
  return entries.length === 0 ? value(kind, next) : pick(ways, next)();
}

function withEntry(tree: object, key: string, put: unknown): unknown {
  if (Array.isArray(tree)) return tree.toSpliced(Number(key), 1, put);
  return Object.fromEntries([...Object.entries(tree).filter(([name]) => name !== key), [key, put]]);
}

function withoutEntry(tree: object, key: string): unknown {
  if (Array.isArray(tree)) return tree.toSpliced(Number(key), 1);
  return Object.fromEntries(Object.entries(tree).filter(([name]) => name !== key));
}

/** A value of any form, or a part of another file of that kind. */
function value(kind: FileKind, next: Next): unknown {
  if (next(3) > 0) return scalar(next);
  if (next(3) > 0) return pick([[], {}, [[]], [null], { "": null }, null, true, [scalar(next), scalar(next)]], next);
  let part = pick(TREES[kind], next);
  for (let steps = next(5); steps > 0 && typeof part === "object" && part !== null; steps -= 1)
    part = pick(Object.values(part) as unknown[], next);
  return part ?? null;
}

function scalar(next: Next): unknown {
  const ways = [
    () => expression(CEL, next),
    () => expression(CEL, next),
    () => expression(REGEX, next),
    () => `{${expression(CEL, next)}}-{${expression(CEL, next)}}`,
    () => pick(PIECES, next),
    () => `${pick(PIECES, next)}${pick(PIECES, next)}`,
    () => "a".repeat(next(600)),
    () => pick(["é", "ß", "İ", "ﬁ", "a*", "*"], next).repeat(next(130)),
    () => pick([0, -1, 1.5, 50, 51, 2 ** 53, 1e300, true, false, null], next),
    () =>
      pick(
        ["review", "rename", "remove", "parent", "campaign", "111122223333", "us-east-1", "2026-03-01", "broad"],
        next,
      ),
  ];
  return pick(ways, next)();
}

function expression(parts: readonly string[], next: Next, depth = 0): string {
  const text = pick(parts, next);
  if (depth >= EXPRESSION_DEPTH) return text.includes("~") ? "a" : text;
  return text.replaceAll("~", () => expression(parts, next, depth + 1));
}
