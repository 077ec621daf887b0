import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  type Document,
  type Node,
  type Pair,
  type YAMLMap,
} from "yaml";
import { nearestWord } from "../tags/spelling.ts";

/** A place in a policy file, as keys and indexes from its root. */
export type Path = readonly (string | number)[];
type Position = { readonly line: number; readonly column: number };
/** Something wrong, at a place of one file. */
export type FileProblem = Position & { readonly message: string; readonly hint?: string };

/** A file as data, and where in the file each part of it stands. `value` is undefined when the file is no single YAML document. */
export type ParsedFile = {
  readonly value: unknown;
  readonly problems: readonly FileProblem[];
  /** Where a value stands; the nearest part around it when it is not there. */
  readonly valueAt: (path: Path) => Position;
  /** Where the character at `offset` of a text stands, if the file has it as it is; else where the text begins. */
  readonly within: (path: Path, offset: number) => Position;
  /** Where the key of a mapping stands, its last path element. */
  readonly keyAt: (path: Path) => Position;
  /** The text of a plain value as written: `007`, where the data says 7. */
  readonly sourceAt: (path: Path) => string | null;
};

/** Bytes of a file. The largest policy that fifty keys need is a tenth of it. */
export const MAX_FILE_BYTES = 256 * 1024;
/** Levels of nesting. The language has five. */
const MAX_DEPTH = 20;
/** Of one file; what follows the first few is mostly their consequence. */
const REPORTED_SYNTAX_ERRORS = 5;
const TOO_DEEP: FileProblem = { line: 0, column: 0, message: `is nested deeper than ${MAX_DEPTH} levels` };
const START: Position = { line: 1, column: 1 };

/** Reads one YAML 1.2 document of bounded size, depth and expansion. `noun`: what it should be, for messages. Never throws. */
export function parseFile(text: string, noun = "policy"): ParsedFile {
  if (Buffer.byteLength(text) > MAX_FILE_BYTES) {
    return failed([{ line: 0, column: 0, message: `is larger than ${MAX_FILE_BYTES / 1024} KiB` }]);
  }
  const positionOf = positionsIn(text);
  const control = /[^\P{Cc}\t\n\r]/u.exec(text);
  if (control) {
    const before = text.slice(0, control.index).split("\n");
    const position = { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
    return failed([{ ...position, message: `a control character, which no ${noun} needs` }]);
  }
  const documents = documentsIn(text);
  if (documents === null) return failed([TOO_DEEP]);
  const [document] = documents;
  if (!document || document.contents === null) {
    return failed([{ ...START, message: "is empty", hint: `A ${noun} begins with \`version: 1\`.` }]);
  }
  const problems = documentProblems(documents, positionOf, noun);
  if (problems.length > 0) return failed(problems);
  return convert(document, text, positionOf);
}

/**
 * The documents of a text; null when they are nested so deeply that the parser, which calls itself for each level, does not reach
 * the end. It makes an error of everything that is wrong, 100,000 in a bad file, and their stacks would take most of the time.
 */
function documentsIn(text: string): readonly Document[] | null {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    const documents = parseAllDocuments(text, { prettyErrors: false, uniqueKeys: false, logLevel: "error" });
    // What the parser says of a full stack in its second half.
    const full = documents.some(({ errors }) => errors.some(({ code }) => code === "RESOURCE_EXHAUSTION"));
    return full ? null : documents;
  } catch (error) {
    // What the engine throws when its stack is full.
    if (error instanceof RangeError) return null;
    throw error;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Counts lines by itself: the parser loses count of them where it goes on after a syntax error. */
function positionsIn(text: string): (offset: number) => Position {
  const counter = new LineCounter();
  for (let start = 0; start >= 0; start = text.indexOf("\n", start) + 1 || -1) counter.addNewLine(start);
  return (offset) => {
    const { line, col } = counter.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
}

function failed(problems: FileProblem[]): ParsedFile {
  const start = () => START;
  return { value: undefined, problems, valueAt: start, within: start, keyAt: start, sourceAt: () => null };
}

function documentProblems(
  documents: readonly Document[],
  positionOf: (offset: number) => Position,
  noun: string,
): FileProblem[] {
  const [document, second] = documents;
  const broken = [...(document?.errors ?? []), ...(document?.warnings ?? [])];
  const problems: FileProblem[] = broken.slice(0, REPORTED_SYNTAX_ERRORS).map((error) => ({
    ...positionOf(error.pos[0]),
    message: `not valid YAML: ${error.message.replace(/\.$/, "")}`,
  }));
  const version = document?.directives?.yaml;
  if (version?.explicit && version.version !== "1.2") {
    problems.push({ ...START, message: `YAML ${version.version} is not supported`, hint: "Remove the %YAML line." });
  }
  if (second) {
    const position = positionOf(second.contents?.range?.[0] ?? second.range?.[0] ?? 0);
    problems.push({
      ...position,
      message: "a second document",
      hint: `One file holds one ${noun}: remove the \`---\`.`,
    });
  }
  return problems;
}

function convert(document: Document, text: string, positionOf: (offset: number) => Position): ParsedFile {
  if (isTooDeep(document)) return failed([TOO_DEEP]);
  const problems = keyProblems(document, positionOf);
  const at = (node: Node | null): Position => (node?.range ? positionOf(node.range[0]) : START);
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return failed([...problems, { line: 0, column: 0, message: `cannot be read: ${message}` }]);
  }
  const nodeAt = finder(document);
  const plain = (node: Node | null) => (isScalar(node) && node.type === "PLAIN" ? (node.source ?? null) : null);
  return {
    value,
    problems,
    valueAt: (path) => at(nodeAt(path).value),
    within: (path, offset) => {
      const { value: node } = nodeAt(path);
      const [start = 0, end = 0] = node?.range ?? [];
      const inside = isScalar(node) ? text.slice(start, end).indexOf(String(node.value)) : -1;
      return inside < 0 ? at(node) : positionOf(start + inside + offset);
    },
    keyAt: (path) => at(nodeAt(path).key),
    sourceAt: (path) => plain(nodeAt(path).value),
  };
}

type Found = { readonly key: Node | null; readonly value: Node | null };

/**
 * Finds the node at a path and the key that names it; the last ones on the way there when the path goes on without them.
 * Keys of a mapping are indexed once: a file of nothing but unknown fields asks for each of them.
 */
function finder(document: Document): (path: Path) => Found {
  const indexes = new Map<YAMLMap, Map<string, Pair>>();
  const pairOf = (map: YAMLMap, step: string | number): Pair | undefined => {
    let index = indexes.get(map);
    if (!index) {
      index = new Map(map.items.flatMap((pair) => (isScalar(pair.key) ? [[String(pair.key.value), pair]] : [])));
      indexes.set(map, index);
    }
    return index.get(String(step));
  };
  return (path) => {
    let key: Node | null = document.contents;
    let value: Node | null = key;
    for (const step of path) {
      if (isAlias(value)) value = value.resolve(document) ?? null;
      if (isSeq(value) && typeof step === "number") {
        const item = value.items[step] as Node | undefined;
        if (!item) break;
        key = value = item;
      } else if (isMap(value)) {
        const pair = pairOf(value, step);
        if (!pair) break;
        key = pair.key as Node;
        value = (pair.value ?? pair.key) as Node;
      } else break;
    }
    return { key, value };
  };
}

function isTooDeep(document: Document): boolean {
  return everyNode(document).some(({ depth }) => depth > MAX_DEPTH);
}

/** What YAML allows in a mapping and a policy does not: a key twice, keys that are no strings. */
function keyProblems(document: Document, positionOf: (offset: number) => Position): FileProblem[] {
  const problems: FileProblem[] = [];
  for (const { node } of everyNode(document)) {
    if (!isMap(node)) continue;
    const seen = new Set<string>();
    for (const pair of node.items) {
      const key = pair.key as Node | null;
      const position = positionOf(key?.range?.[0] ?? node.range?.[0] ?? 0);
      const problem = keyProblem(key, seen);
      if (problem) problems.push({ ...position, ...problem });
    }
  }
  return problems.sort((a, b) => a.line - b.line || a.column - b.column);
}

function keyProblem(key: Node | null, seen: Set<string>): { message: string; hint?: string } | null {
  if (!isScalar(key) || typeof key.value !== "string") {
    const hint = isScalar(key) && key.source ? `Put it in quotes: '${key.source}'.` : "Put it in quotes.";
    return { message: "a key that is not a string", hint };
  }
  if (key.value === "__proto__") return { message: "`__proto__` cannot be a key here" };
  if (seen.has(key.value)) return { message: `\`${key.value}\` is there twice`, hint: "Keep one of the two." };
  seen.add(key.value);
  return null;
}

/** All nodes with their depth, without following aliases and without recursion: the file may be nested without end. */
function everyNode(document: Document): { node: unknown; depth: number }[] {
  const found: { node: unknown; depth: number }[] = [{ node: document.contents, depth: 0 }];
  for (const { node, depth } of found) {
    if (isSeq(node)) for (const item of node.items) found.push({ node: item, depth: depth + 1 });
    if (isMap(node)) for (const { value } of node.items) found.push({ node: value, depth: depth + 1 });
  }
  return found;
}

/** A sentence that names the word probably meant, or all that are possible. */
export function didYouMean(word: string, words: readonly string[]): string {
  const nearest = nearestWord(word, words);
  return nearest === null ? `Possible here: ${words.join(", ")}.` : `Did you mean \`${nearest}\`?`;
}
