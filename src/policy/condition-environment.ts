import { Environment } from "@marcbachmann/cel-js";
import { AccountFacts, AncestorFacts, LineageFacts, ResourceFacts, SUMMARY_FIELDS } from "./facts.ts";
import { registerNullable } from "./nullable-functions.ts";

const TAGS = "map<string, dyn<string>>";
const TEXT = "dyn<string>";
const INSTANT = "dyn<google.protobuf.Timestamp>";

/** The names that a condition may use. */
export const VARIABLES = ["tags", "resource", "account", "now"];

/** The fields of each of the types, with what they hold. `dyn<…>`: it, or null. */
const FIELDS = {
  Ancestor: { arn: TEXT, type: TEXT, name: TEXT, tags: TAGS },
  Lineage: { dataset_group: "Ancestor", dataset: "Ancestor", solution: "Ancestor", solution_version: "Ancestor" },
  Account: { id: "string", name: TEXT, tags: TAGS },
  Resource: {
    arn: "string",
    type: "string",
    name: "string",
    status: "string",
    account_id: "string",
    region: "string",
    created_at: INSTANT,
    updated_at: INSTANT,
    age: "dyn<google.protobuf.Duration>",
    parent: "Ancestor",
    lineage: "Lineage",
    summary: "map<string, dyn>",
    ...(Object.fromEntries(Object.keys(SUMMARY_FIELDS).map((name) => [name, TEXT])) as Record<
      keyof typeof SUMMARY_FIELDS,
      string
    >),
  },
} as const;

/** Names of the fields among which `field` was looked for, by what stands before it in the text. */
export function fieldsOf(text: string, position: number, field: string): string[] {
  const path = text.slice(0, text.indexOf(field, position)).replace(/\.\s*$/, "");
  if (/\b(account)$/.test(path)) return Object.keys(FIELDS.Account);
  if (/\blineage$/.test(path)) return Object.keys(FIELDS.Lineage);
  if (/\bresource$/.test(path)) return Object.keys(FIELDS.Resource);
  return Object.keys(FIELDS.Ancestor);
}

/** Sizes of an expression: more than any rule needs, and little enough that it is judged in microseconds. */
const LIMITS = { maxAstNodes: 300, maxDepth: 40, maxListElements: 200, maxMapEntries: 50, maxCallArguments: 8 };

/**
 * What conditions are made of: CEL with our variables and types. An absent tag is null, and so is what is not known of a
 * resource; null is equal to null alone, every other comparison with it is false, and a method on it gives false or null.
 */
export const environment = makeEnvironment();

function makeEnvironment(): Environment {
  const made = new Environment({ limits: LIMITS })
    .registerType("Ancestor", { ctor: AncestorFacts, fields: FIELDS.Ancestor })
    .registerType("Lineage", { ctor: LineageFacts, fields: FIELDS.Lineage })
    .registerType("Account", { ctor: AccountFacts, fields: FIELDS.Account })
    .registerType("Resource", { ctor: ResourceFacts, fields: FIELDS.Resource })
    .registerVariable("tags", TAGS)
    .registerVariable("resource", "Resource")
    .registerVariable("account", "Account")
    .registerVariable("now", "google.protobuf.Timestamp");
  registerNullable(made);
  return registerNull(made);
}

function registerNull(made: Environment): Environment {
  const types = ["string", "int", "double", "bool", "google.protobuf.Timestamp", "google.protobuf.Duration"];
  for (const operator of ["<", "<=", ">", ">="]) {
    made.registerOperator(`null ${operator} null: bool`, () => false);
    for (const type of types) {
      made.registerOperator(`null ${operator} ${type}: bool`, () => false);
      made.registerOperator(`${type} ${operator} null: bool`, () => false);
    }
  }
  for (const method of ["startsWith", "endsWith", "contains", "matches"]) {
    made.registerFunction(`null.${method}(string): bool`, () => false);
    made.registerFunction(`null.${method}(null): bool`, () => false);
    made.registerFunction(`string.${method}(null): bool`, () => false);
  }
  made.registerFunction("size(null): int", () => 0n);
  made.registerFunction("null.size(): int", () => 0n);
  return made;
}
