/**
 * A reduced AWS service model: what a request must look like, and what an answer holds.
 *
 * Notation, one shape a line: `operation Name Input Output` · `structure Name member!:Shape member:Shape` (`!` required) ·
 * `list Name min..max Element` · `map Name min..max Key Value` · `enum Name VALUE…` ·
 * `string|integer|double|boolean|timestamp Name min..max pattern`. `-` stands for none.
 */

/** Bounds of a length, a count or a number; an absent end is open. */
type Range = { readonly min: number; readonly max: number };

/** One shape of a model. `pattern` is checked against the whole value, as AWS does. */
export type Shape =
  | { readonly kind: "structure"; readonly members: readonly Member[] }
  | { readonly kind: "list"; readonly range: Range; readonly element: string }
  | { readonly kind: "map"; readonly range: Range; readonly key: string; readonly value: string }
  | { readonly kind: "enum"; readonly values: readonly string[] }
  | { readonly kind: "string"; readonly range: Range; readonly pattern: string | null }
  | { readonly kind: "integer" | "double"; readonly range: Range }
  | { readonly kind: "boolean" | "timestamp" };

/** A member of a structure. */
type Member = { readonly name: string; readonly required: boolean; readonly shape: string };

/** A parsed model. An operation without input has `input: null`. */
export type Model = {
  readonly operations: ReadonlyMap<string, { readonly input: string | null; readonly output: string | null }>;
  readonly shapes: ReadonlyMap<string, Shape>;
};

/** Parses the notation above. Throws on a line it does not know: that is a bug of the generator. */
export function parseModel(text: string): Model {
  const operations = new Map<string, { input: string | null; output: string | null }>();
  const shapes = new Map<string, Shape>();
  for (const line of text.trim().split("\n")) {
    const [kind = "", name = "", ...rest] = line.split(" ");
    if (kind === "operation") operations.set(name, { input: orNull(rest[0]), output: orNull(rest[1]) });
    else shapes.set(name, parseShape(kind, rest));
  }
  return { operations, shapes };
}

/** The shape of a name. Throws when the model has none: a bug of the generator. */
export function shapeOf(model: Model, name: string): Shape {
  const shape = model.shapes.get(name);
  if (!shape) throw new Error(`The service model has no shape ${name}`);
  return shape;
}

/** Names of the members of a structure, in the order of the model. */
export function memberNames(model: Model, name: string): string[] {
  const shape = shapeOf(model, name);
  if (shape.kind !== "structure") throw new Error(`Shape ${name} is a ${shape.kind}, not a structure`);
  return shape.members.map((member) => member.name);
}

function parseShape(kind: string, rest: string[]): Shape {
  switch (kind) {
    case "structure":
      return { kind, members: rest.map(parseMember) };
    case "list":
      return { kind, range: parseRange(rest[0]), element: rest[1] ?? "" };
    case "map":
      return { kind, range: parseRange(rest[0]), key: rest[1] ?? "", value: rest[2] ?? "" };
    case "enum":
      return { kind, values: rest };
    case "string":
      return { kind, range: parseRange(rest[0]), pattern: rest.slice(1).join(" ") || null };
    case "integer":
    case "double":
      return { kind, range: parseRange(rest[0]) };
    case "boolean":
    case "timestamp":
      return { kind };
    default:
      throw new Error(`Unknown kind of shape: ${kind}`);
  }
}

function parseMember(text: string): Member {
  const [name = "", shape = ""] = text.split(":");
  return name.endsWith("!") ? { name: name.slice(0, -1), required: true, shape } : { name, required: false, shape };
}

function parseRange(text: string | undefined): Range {
  const [min, max] = text === undefined || text === "-" ? ["", ""] : text.split("..");
  return { min: min ? Number(min) : -Infinity, max: max ? Number(max) : Infinity };
}

function orNull(text: string | undefined): string | null {
  return text === undefined || text === "-" ? null : text;
}
