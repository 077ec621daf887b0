/**
 * JSON with places: what `JSON.parse` gives has lost where things stood, and which member of an object was written twice.
 * Bounded in size and depth, so that no input, however hostile, costs more than a look at it.
 */

/** A part of a JSON document. `at`: where it begins in the text; -1 where there is no text. */
export type JsonNode = { readonly at: number } & (
  | { readonly kind: "object"; readonly members: readonly JsonMember[] }
  | { readonly kind: "list"; readonly items: readonly JsonNode[] }
  /** `text`: of a string its characters, of a number or truth value what was written. */
  | { readonly kind: "string" | "number" | "boolean"; readonly text: string }
  | { readonly kind: "null" }
);

/** A member of an object; one key may come twice. */
export type JsonMember = { readonly key: string; readonly at: number; readonly value: JsonNode };

/** Why something is no JSON, and where. */
export type JsonProblem = { readonly at: number; readonly message: string };

/** Characters of a text: more than twice what the largest effective policy of AWS has. */
const MAX_CHARACTERS = 1_000_000;
/** Levels of nesting. A tag policy has five. */
const MAX_DEPTH = 50;
/** Parts of a value that was no text. */
const MAX_NODES = 200_000;

/** Reads JSON: a string as text, anything else as what a text would have become. Never throws. */
export function readJson(input: unknown): { readonly node: JsonNode } | { readonly problem: JsonProblem } {
  try {
    return {
      node: typeof input === "string" ? new Reader(input).document() : fromValue(input, 0, { left: MAX_NODES }),
    };
  } catch (error) {
    if (error instanceof NotJson) return { problem: { at: error.at, message: error.message } };
    // A getter or a proxy of the value threw.
    return { problem: { at: -1, message: "cannot be read" } };
  }
}

/** Line and column, from 1, of a place in a text; 0 and 0 for what stands in no text. */
export function placeIn(text: unknown): (at: number) => { readonly line: number; readonly column: number } {
  if (typeof text !== "string") return () => ({ line: 0, column: 0 });
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (at) => {
    if (at < 0) return { line: 0, column: 0 };
    let line = 0;
    let after = starts.length;
    while (after - line > 1) {
      const middle = (line + after) >>> 1;
      if ((starts[middle] ?? 0) <= at) line = middle;
      else after = middle;
    }
    return { line: line + 1, column: at - (starts[line] ?? 0) + 1 };
  };
}

/** The value of a member, the last one of that key as `JSON.parse` has it; undefined when it is no object or has none. */
export function memberOf(node: JsonNode, key: string): JsonNode | undefined {
  return node.kind === "object" ? node.members.findLast((member) => member.key === key)?.value : undefined;
}

class NotJson extends Error {
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

function fromValue(value: unknown, depth: number, budget: { left: number }): JsonNode {
  budget.left -= 1;
  if (depth > MAX_DEPTH || budget.left < 0) throw new NotJson(-1, "is too large or nested too deep");
  const next = (inner: unknown) => fromValue(inner, depth + 1, budget);
  if (value === null) return { at: -1, kind: "null" };
  if (typeof value === "string") return { at: -1, kind: "string", text: value };
  if (typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value))) {
    return { at: -1, kind: typeof value === "number" ? "number" : "boolean", text: String(value) };
  }
  if (Array.isArray(value)) {
    if (value.length > budget.left) throw new NotJson(-1, "is too large");
    return { at: -1, kind: "list", items: Array.from(value, next) };
  }
  if (typeof value !== "object") throw new NotJson(-1, `holds a ${typeof value}, which JSON has not`);
  const members = Object.entries(value).map(([key, inner]) => ({ key, at: -1, value: next(inner) }));
  return { at: -1, kind: "object", members };
}

const ESCAPES = '"\\/bfnrt';
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    if (text.length > MAX_CHARACTERS) throw new NotJson(0, `has more than ${MAX_CHARACTERS} characters`);
    this.#text = text;
  }

  document(): JsonNode {
    this.#skipSpace();
    const node = this.#value(0);
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.#unexpected("after the end of the document");
    return node;
  }

  #value(depth: number): JsonNode {
    const at = this.#at;
    if (depth > MAX_DEPTH) throw new NotJson(at, `is nested deeper than ${MAX_DEPTH} levels`);
    const first = this.#text[at];
    if (first === "{") return { at, kind: "object", members: this.#sequence("}", () => this.#member(depth)) };
    if (first === "[") return { at, kind: "list", items: this.#sequence("]", () => this.#value(depth + 1)) };
    return first === '"' ? { at, kind: "string", text: this.#string() } : this.#word(at);
  }

  #sequence<Item>(end: string, read: () => Item): Item[] {
    const items: Item[] = [];
    this.#at += 1;
    this.#skipSpace();
    if (this.#take(end)) return items;
    for (;;) {
      items.push(read());
      this.#skipSpace();
      if (this.#take(end)) return items;
      if (!this.#take(",")) throw this.#unexpected(`where \`,\` or \`${end}\` should be`);
      this.#skipSpace();
    }
  }

  #member(depth: number): JsonMember {
    const at = this.#at;
    if (this.#text[at] !== '"') throw this.#unexpected("where a key in double quotes should be");
    const key = this.#string();
    this.#skipSpace();
    if (!this.#take(":")) throw this.#unexpected("where `:` should be");
    this.#skipSpace();
    return { key, at, value: this.#value(depth + 1) };
  }

  #string(): string {
    const begin = this.#at;
    for (let at = begin + 1; at < this.#text.length; at += 1) {
      const character = this.#text[at] ?? "";
      if (character === '"') {
        this.#at = at + 1;
        return JSON.parse(this.#text.slice(begin, this.#at)) as string;
      }
      if (character < " ") throw new NotJson(at, "a control character within a string");
      if (character !== "\\") continue;
      const escape = this.#text[at + 1] ?? "";
      const known =
        escape === "u" ? /^[\da-fA-F]{4}$/.test(this.#text.slice(at + 2, at + 6)) : ESCAPES.includes(escape);
      if (!known || escape === "") throw new NotJson(at, "an escape that JSON has not");
      at += 1;
    }
    throw new NotJson(begin, "a string without an end");
  }

  #word(at: number): JsonNode {
    for (const word of ["true", "false", "null"]) {
      if (!this.#text.startsWith(word, at)) continue;
      this.#at += word.length;
      return word === "null" ? { at, kind: "null" } : { at, kind: "boolean", text: word };
    }
    NUMBER.lastIndex = at;
    const [number] = NUMBER.exec(this.#text) ?? [];
    if (number === undefined) throw this.#unexpected("where a value should be");
    this.#at += number.length;
    return { at, kind: "number", text: number };
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #skipSpace(): void {
    // A byte order mark at the very beginning is no part of the document.
    if (this.#at === 0 && this.#text[0] === "\ufeff") this.#at = 1;
    while (" \t\n\r".includes(this.#text[this.#at] ?? "x")) this.#at += 1;
  }

  #unexpected(where: string): NotJson {
    const character = this.#text[this.#at];
    return new NotJson(this.#at, `${character === undefined ? "the end" : JSON.stringify(character)} ${where}`);
  }
}
