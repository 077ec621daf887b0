import { Environment, EvaluationError } from "@marcbachmann/cel-js";
import type { TagFacts } from "./facts.ts";
import { compilePattern } from "./pattern.ts";

/** A length of time as the engine has it. */
type Duration = {
  addDuration(other: Duration): Duration;
  subtractDuration(other: Duration): Duration;
  valueOf(): number;
};

/**
 * Functions to which an expression is rewritten, where the engine's own would take null for an error, or for a value of the
 * type that it expected: they give null for null, and say so in their types (`dyn<…>`), so that a comparison looks.
 */
export const NULLABLE = {
  /** `int(x)` and the like, by name. */
  conversions: new Map([
    ["int", "nullableInt"],
    ["double", "nullableDouble"],
    ["timestamp", "nullableTimestamp"],
    ["duration", "nullableDuration"],
  ]),
  /** `x.trim()` and the like, by name. */
  methods: new Map([
    ["lowerAscii", "nullableLowerAscii"],
    ["upperAscii", "nullableUpperAscii"],
    ["trim", "nullableTrim"],
    ["substring", "nullableSubstring"],
    ["indexOf", "nullableIndexOf"],
    ["lastIndexOf", "nullableLastIndexOf"],
  ]),
  operators: new Map([
    ["+", "nullablePlus"],
    ["-", "nullableMinus"],
  ]),
} as const;

const TYPES = { nullableInt: "int", nullableDouble: "double", nullableTimestamp: "google.protobuf.Timestamp" } as const;

/** The engine as it is, for what is not null. */
const plain = new Environment({ unlistedVariablesAreDyn: true });

/** Makes the functions known, and `days(n)`, which CEL lacks. */
export function registerNullable(made: Environment): void {
  const second = plain.parse("duration('1s')")() as object;
  // The engine does not export the class of its durations.
  const Duration = second.constructor as new (seconds: bigint) => Duration;
  made.registerFunction("days(int): google.protobuf.Duration", (days: bigint) => new Duration(days * 86_400n));
  made.registerFunction(
    "hasKey(dyn, dyn): bool",
    (tags: TagFacts, key: string | null) => key !== null && tags.has(key),
  );
  made.registerFunction("matchesRe2(dyn, dyn): bool", matchesRe2);

  for (const [name, nullable] of NULLABLE.conversions) {
    const convert = plain.parse(`${name}(x)`);
    const type = nullable in TYPES ? TYPES[nullable as keyof typeof TYPES] : "google.protobuf.Duration";
    made.registerFunction(`${nullable}(dyn): dyn<${type}>`, (x: unknown) => (x === null ? null : convert({ x })));
  }
  for (const [name, nullable] of NULLABLE.methods) {
    const type = name.endsWith("ndexOf") ? "int" : "string";
    for (const args of argumentsOf(name)) {
      const call = plain.parse(`x.${name}(${args.join(", ")})`);
      const signature = `${nullable}(${["dyn", ...args.map(() => "dyn")].join(", ")}): dyn<${type}>`;
      made.registerFunction(signature, (x: unknown, a: unknown, b: unknown) => (x === null ? null : call({ x, a, b })));
    }
  }
  for (const [operator, nullable] of NULLABLE.operators) {
    const reckon = plain.parse(`x ${operator} y`);
    made.registerFunction(`${nullable}(dyn, dyn): dyn`, (x: unknown, y: unknown) =>
      x === null || y === null ? null : reckon({ x, y }),
    );
  }
}

/** The numbers of arguments that a method may have. */
function argumentsOf(method: string): string[][] {
  if (method === "substring" || method.endsWith("ndexOf")) return [["a"], ["a", "b"]];
  return [[]];
}

const patterns = new Map<string, (text: string) => boolean>();
/** Patterns remembered: sets have few, and those made of tags must not fill the memory. */
const REMEMBERED = 1000;

/** Whether RE2 finds the pattern anywhere in the text, as `matches` of CEL does. */
function matchesRe2(text: string | null, pattern: string | null): boolean {
  if (text === null || pattern === null) return false;
  let find = patterns.get(pattern);
  if (!find) {
    if (patterns.size >= REMEMBERED) patterns.clear();
    find = compileOrFail(pattern);
    patterns.set(pattern, find);
  }
  return find(text);
}

function compileOrFail(pattern: string): (text: string) => boolean {
  try {
    return compilePattern(pattern, "find");
  } catch (cause) {
    throw new EvaluationError({ code: "invalid_pattern", message: "no RE2 expression", cause });
  }
}
