import { AwsError } from "./error.ts";
import type { Model, Shape } from "./model.ts";
import { shapeOf } from "./model.ts";

/** A decoded request or a part of it. */
export type Json = Record<string, unknown>;

/**
 * Checks a request against its shape as AWS does: a value of the wrong kind throws SerializationException; broken constraints
 * (required, length, count, range, pattern, enum) are returned, worded as AWS words them. Unknown members are ignored.
 */
export function checkInput(model: Model, shape: string, input: Json): string[] {
  const problems: string[] = [];
  check(model, shape, input, "", problems);
  return problems;
}

/** The message of a request that breaks constraints. */
export function constraintMessage(problems: string[]): string {
  return `${problems.length} validation error${problems.length === 1 ? "" : "s"} detected: ${problems.join("; ")}`;
}

function check(model: Model, name: string, value: unknown, path: string, problems: string[]): void {
  const shape = shapeOf(model, name);
  const fail = (constraint: string): void => {
    problems.push(`Value at '${path}' failed to satisfy constraint: Member must ${constraint}`);
  };
  switch (shape.kind) {
    case "structure":
      return checkStructure(model, shape, asObject(value, path), path, problems);
    case "list": {
      if (!Array.isArray(value)) throw wrongKind(path, "a list");
      checkRange(shape.range, value.length, "have length", fail);
      value.forEach((item, index) => check(model, shape.element, item, `${path}.${index + 1}.member`, problems));
      return;
    }
    case "map": {
      const entries = Object.entries(asObject(value, path));
      checkRange(shape.range, entries.length, "have length", fail);
      for (const [key, item] of entries) {
        check(model, shape.key, key, `${path}.${key}.key`, problems);
        check(model, shape.value, item, `${path}.${key}.value`, problems);
      }
      return;
    }
    case "enum":
      if (typeof value !== "string") throw wrongKind(path, "a String");
      if (!shape.values.includes(value)) fail(`satisfy enum value set: [${shape.values.join(", ")}]`);
      return;
    case "string":
      if (typeof value !== "string") throw wrongKind(path, "a String");
      checkRange(shape.range, lengthOf(value), "have length", fail);
      if (shape.pattern !== null && !patternOf(shape.pattern).test(value)) {
        fail(`satisfy regular expression pattern: ${shape.pattern}`);
      }
      return;
    case "integer":
    case "double":
      if (typeof value !== "number" || (shape.kind === "integer" && !Number.isInteger(value))) {
        throw wrongKind(path, shape.kind === "integer" ? "an Integer" : "a Double");
      }
      checkRange(shape.range, value, "have value", fail);
      return;
    case "boolean":
      if (typeof value !== "boolean") throw wrongKind(path, "a Boolean");
      return;
    case "timestamp":
      if (typeof value !== "number") throw wrongKind(path, "a Timestamp");
  }
}

function checkStructure(
  model: Model,
  shape: Extract<Shape, { kind: "structure" }>,
  value: Json,
  path: string,
  problems: string[],
): void {
  for (const member of shape.members) {
    const item = Object.hasOwn(value, member.name) ? value[member.name] : undefined;
    const at = path === "" ? member.name : `${path}.${member.name}`;
    if (item !== undefined && item !== null) check(model, member.shape, item, at, problems);
    else if (member.required) {
      problems.push(`Value null at '${at}' failed to satisfy constraint: Member must not be null`);
    }
  }
}

function checkRange(
  range: { min: number; max: number },
  size: number,
  what: string,
  fail: (constraint: string) => void,
): void {
  if (size < range.min) fail(`${what} greater than or equal to ${range.min}`);
  if (size > range.max) fail(`${what} less than or equal to ${range.max}`);
}

/** Length in Unicode code points, as the models mean it. */
function lengthOf(value: string): number {
  let length = 0;
  for (const _ of value) length++;
  return length;
}

const patterns = new Map<string, RegExp>();

function patternOf(pattern: string): RegExp {
  let compiled = patterns.get(pattern);
  if (!compiled) {
    // The models escape a dash outside of brackets too, which Unicode mode refuses; its code means the same everywhere.
    compiled = new RegExp(`^(?:${pattern.replaceAll(String.raw`\-`, String.raw`\x2d`)})$`, "u");
    patterns.set(pattern, compiled);
  }
  return compiled;
}

function asObject(value: unknown, path: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrongKind(path, "a structure");
  return value as Json;
}

function wrongKind(path: string, wanted: string): AwsError {
  return new AwsError("SerializationException", `The value at '${path}' can not be converted to ${wanted}`);
}
