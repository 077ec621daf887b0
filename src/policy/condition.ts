import { type ASTNode, EvaluationError, type ParseResult } from "@marcbachmann/cel-js";
import { nearestWord } from "../tags/spelling.ts";
import { environment, fieldsOf, VARIABLES } from "./condition-environment.ts";
import type { Facts } from "./facts.ts";
import { compilePattern } from "./pattern.ts";
import { isTagMap, rewriteExpression } from "./rewrite-expression.ts";

/** What a condition needs to know beside the resource and its tags. */
export type Needs = { readonly lineage: boolean; readonly account: boolean; readonly now: boolean };

/** The answer of an expression; or why there is none, in words that hold no value of a tag. */
export type Answer<T> = { readonly value: T } | { readonly error: string };

/** A checked CEL expression. */
export type Expression<T> = {
  readonly text: string;
  readonly needs: Needs;
  /** What it looks at, in order: `tags`, `now`, `resource.type`, `account.name`, … */
  readonly looks_at: readonly string[];
  /** Keys of the resource's own tags that it names, in order. */
  readonly tag_keys: readonly string[];
  readonly evaluate: (facts: Facts) => Answer<T>;
};

/** An expression that is refused when the file loads. `start`, `end`: the part of the text that is wrong, from 0. */
export class ConditionError extends Error {
  override readonly name = "ConditionError";
  readonly start: number;
  readonly end: number;
  readonly hint: string | undefined;

  constructor(message: string, range: { start: number; end: number }, hint?: string) {
    super(message);
    this.start = range.start;
    this.end = range.end;
    this.hint = hint;
  }
}

/** Loops within loops: two of them over fifty tags are 2,500 steps. */
const MAX_NESTED_LOOPS = 2;
const LOOPS = new Set(["all", "exists", "exists_one", "map", "filter"]);

/** Prepares an expression that is true or false. @throws {ConditionError} */
export function compileCondition(text: string): Expression<boolean> {
  return compile(text, "bool", (value) => (typeof value === "boolean" ? { value } : null));
}

/** Prepares an expression whose answer is a text, or null where something in it is absent. @throws {ConditionError} */
export function compileText(text: string): Expression<string | null> {
  return compile(text, "string", (value) => (typeof value === "string" || value === null ? { value } : null));
}

function compile<T>(text: string, type: "bool" | "string", accept: (value: unknown) => { value: T } | null) {
  const { ast } = parse(text);
  const checked = environment.check(text);
  if (!checked.valid) throw refusal(text, checked.error);
  const given = checked.type?.replace(/^dyn<(.*)>$/, "$1");
  if (given !== type && given !== "dyn") {
    throw new ConditionError(`it is ${plainType(given ?? "")}, and must be ${plainType(type)}`, ast);
  }
  walk(ast, refuseNode, text);
  const run = environment.parse(rewriteExpression(ast, text));
  const looks_at = looksAt(ast);
  return {
    text,
    looks_at,
    needs: needsOf(looks_at),
    tag_keys: tagKeysOf(ast),
    evaluate: (facts: Facts): Answer<T> => {
      try {
        return accept(run(facts)) ?? { error: `\`${text}\` is neither true nor false` };
      } catch (error) {
        return { error: whyNot(error, text) };
      }
    },
  };
}

function parse(text: string): ParseResult {
  try {
    return environment.parse(text);
  } catch (error) {
    throw refusal(text, error);
  }
}

type Visit = (node: ASTNode, parent: ASTNode | null, loops: number, text: string) => void;

/** Visits every node of a parsed expression, outermost first; `loops`: in how many loops it stands. */
function walk(node: ASTNode, visit: Visit, text: string, parent: ASTNode | null = null, loops = 0): void {
  visit(node, parent, loops, text);
  const inner = isLoop(node) ? loops + 1 : loops;
  for (const child of childrenOf(node)) walk(child, visit, text, node, inner);
}

function isLoop(node: ASTNode): boolean {
  return node.op === "rcall" && LOOPS.has(node.args[0]);
}

/** The parts of a node that are nodes, in the order of the text. */
function childrenOf({ args }: ASTNode): ASTNode[] {
  const found: ASTNode[] = [];
  const collect = (value: unknown) => {
    if (Array.isArray(value)) value.forEach(collect);
    else if (typeof value === "object" && value !== null && "op" in value) found.push(value as ASTNode);
  };
  collect(args);
  return found.sort((a, b) => a.start - b.start);
}

/** What the type check lets through, and what is never right or has no bound. */
const refuseNode: Visit = (node, _, loops, text) => {
  if (node.op === "id" && node.args === "cel")
    throw new ConditionError("`cel.bind` is not available: values bound to each other grow without bound", node);
  if (isLoop(node) && loops >= MAX_NESTED_LOOPS)
    throw new ConditionError(`more than ${MAX_NESTED_LOOPS} loops within each other`, node);
  if (node.op === "rcall" && node.args[0] === "matches") {
    const [pattern] = node.args[2];
    if (pattern?.op === "value" && typeof pattern.args === "string") refusePattern(pattern.args, pattern);
  }
  if (node.op === "==" || node.op === "!=") {
    const [left, right] = node.args;
    for (const [side, other] of [
      [left, right],
      [right, left],
    ] as const) {
      if (isTagValue(side) && other.op === "value" && other.args !== null && typeof other.args !== "string")
        throw new ConditionError("the value of a tag is text", other, `Write '${text.slice(other.start, other.end)}'.`);
    }
  }
};

/** The engine would find out only when it meets a value. */
function refusePattern(pattern: string, node: ASTNode): void {
  try {
    compilePattern(pattern, "find");
  } catch (error) {
    throw new ConditionError(
      `the pattern is no RE2 expression: ${error instanceof Error ? error.message : String(error)}`,
      node,
    );
  }
}

function isTagValue(node: ASTNode): boolean {
  return (node.op === "." || node.op === "[]") && isTagMap(node.args[0]);
}

/** Names of variables, with the field where one of `resource` or `account` is asked for. Variables of loops are left out. */
function looksAt(ast: ASTNode): string[] {
  const names = new Set<string>();
  walk(
    ast,
    (node, parent) => {
      if (node.op !== "id" || !VARIABLES.includes(node.args)) return;
      const field = parent?.op === "." && parent.args[0] === node ? parent.args[1] : null;
      const has_fields = node.args === "resource" || node.args === "account";
      names.add(has_fields ? `${node.args}.${field ?? "*"}` : node.args);
    },
    "",
  );
  return [...names];
}

function needsOf(looks_at: readonly string[]): Needs {
  const one = (...names: string[]) => names.some((name) => looks_at.includes(name));
  return {
    lineage: one("resource.parent", "resource.lineage", "resource.*"),
    account: one("account.name", "account.tags", "account.*"),
    now: one("now", "resource.age"),
  };
}

function tagKeysOf(ast: ASTNode): string[] {
  const keys = new Set<string>();
  walk(
    ast,
    (node) => {
      if (node.op === "." && isOwnTags(node.args[0])) keys.add(node.args[1]);
      if (node.op === "[]" && isOwnTags(node.args[0])) addText(keys, node.args[1]);
      if (node.op === "in" && isOwnTags(node.args[1])) addText(keys, node.args[0]);
    },
    "",
  );
  return [...keys];
}

function isOwnTags(node: ASTNode): boolean {
  return node.op === "id" && node.args === "tags";
}

function addText(keys: Set<string>, node: ASTNode): void {
  if (node.op === "value" && typeof node.args === "string") keys.add(node.args);
}

type EngineError = { code?: string; summary?: string; message?: string; range?: { start: number; end: number } };

/** What the engine says against an expression, in our words, with the word that was probably meant. */
function refusal(text: string, error: unknown): ConditionError {
  const { code, summary, message = "", range } = (error ?? {}) as EngineError;
  const place = range ?? { start: 0, end: text.length };
  const said = plainType((summary ?? message).split("\n")[0] ?? "");
  const word = text.slice(place.start, place.end);
  if (code === "unknown_variable") {
    const name = /^[\w]+/.exec(word)?.[0] ?? word;
    return new ConditionError(`\`${name}\` is not known here`, place, meant(name, VARIABLES));
  }
  const missing = /^No such key: (\w+)$/.exec(said)?.[1];
  if (missing !== undefined) {
    const fields = fieldsOf(text, place.start, missing);
    return new ConditionError(`there is no \`${missing}\` here`, place, meant(missing, fields));
  }
  return new ConditionError(said, place);
}

function meant(word: string, words: readonly string[]): string {
  const near = nearestWord(word, words);
  return near === null ? `Possible here: ${words.join(", ")}.` : `Did you mean \`${near}\`?`;
}

function plainType(text: string): string {
  return text
    .replaceAll(/dyn<([\w.]+)>/g, "$1")
    .replaceAll("google.protobuf.", "")
    .replaceAll("no such overload:", "cannot be compared or combined:");
}

/** Characters of an expression that a reason quotes. */
const QUOTED = 120;

/** An error while evaluating, by its code and the expression as written: its own words may quote a tag. */
function whyNot(error: unknown, text: string): string {
  const words = error instanceof EvaluationError ? error.code.replaceAll("_", " ") : "failed";
  const line = text.replaceAll(/\s+/g, " ").trim();
  return `${words} in ${line.length > QUOTED ? `${line.slice(0, QUOTED)}…` : line}`;
}
