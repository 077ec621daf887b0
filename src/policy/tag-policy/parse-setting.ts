import { valueProblem } from "../../tags/limits.ts";
import { nearestWord } from "../../tags/spelling.ts";
import { type JsonMember, type JsonNode, memberOf } from "../json-text.ts";
import type { Complaints, Spot } from "./complaints.ts";
import { shown } from "./problem.ts";
import { normalType, supportOf, typeProblem, type TypeSetting } from "./resource-types.ts";
import {
  CHILD_CONTROL,
  foldKey,
  type Operator,
  OPERATORS,
  type Setting,
  type SettingNode,
  SETTINGS,
} from "./tag-policy.ts";

type Names = Spot["names"];
type ObjectNode = JsonNode & { readonly kind: "object"; readonly members: readonly JsonMember[] };

/** Reads what a policy says about one setting of a key: operators, and nothing else. */
export function parseSetting(
  setting: Setting,
  policy_key: string,
  node: JsonNode,
  names: Names,
  complaints: Complaints,
): SettingNode {
  if (node.kind !== "object") {
    const hint = 'Write `{"@@assign": …}`: an effective policy, as AWS shows it, cannot be used as a policy.';
    complaints.problem(
      "missing_operator",
      { names, at: node.at },
      `\`${setting}\` has a value without an operator`,
      hint,
    );
    return {};
  }
  const operators: { [operator in Operator]?: readonly string[] } = {};
  for (const { key, at, value } of node.members) {
    const operator = OPERATORS.find((one) => one === key);
    const inner = [...names, key];
    if (operator === undefined) strayField({ names: inner, at }, [...OPERATORS, CHILD_CONTROL], complaints);
    else if (setting !== "tag_key") operators[operator] = readItems(setting, value, inner, complaints);
    else if (operator === "@@assign") operators[operator] = readTagKey(policy_key, value, inner, complaints);
    else {
      const message = `\`${operator}\` cannot be used on \`tag_key\`, which is a single value`;
      complaints.problem("operator_not_allowed_for_field", { names: inner, at }, message, "Use `@@assign`.");
    }
  }
  repeatedFields(node, names, complaints);
  if (node.members.length === 0)
    complaints.warn("empty_setting", { names, at: node.at }, `\`${setting}\` says nothing`);
  return { ...operators, ...childControl(node, names, complaints) };
}

function readTagKey(policy_key: string, node: JsonNode, names: Names, complaints: Complaints): readonly string[] {
  const spot: Spot = { names, at: node.at };
  if (node.kind !== "string") {
    complaints.problem("type_mismatch", spot, "`tag_key` is one string");
    return [];
  }
  if (foldKey(node.text) !== foldKey(policy_key)) {
    const message = `the key ${shown(node.text)} is another one than ${shown(policy_key)}`;
    complaints.problem("tag_key_mismatch", spot, message, "Only letter case may differ.");
  }
  return [node.text];
}

function readItems(
  setting: Exclude<Setting, "tag_key">,
  node: JsonNode,
  names: Names,
  complaints: Complaints,
): readonly string[] {
  if (node.kind !== "list") {
    complaints.problem(
      "type_mismatch",
      { names, at: node.at },
      `\`${setting}\` is a list of strings`,
      "Put it in brackets.",
    );
    return [];
  }
  return node.items.flatMap((item) => {
    const spot: Spot = { names, at: item.at };
    // AWS turns numbers and truth values into strings.
    if (item.kind !== "string" && item.kind !== "number" && item.kind !== "boolean") {
      complaints.problem("type_mismatch", spot, "an item that is no string");
      return [];
    }
    if (setting === "tag_value") checkValue(item.text, spot, complaints);
    else checkType(setting, item.text, spot, complaints);
    return [item.text];
  });
}

function checkValue(value: string, spot: Spot, complaints: Complaints): void {
  if (value.split("*").length > 2) {
    complaints.problem("too_many_wildcards", spot, `${shown(value)} has more than one \`*\``);
    return;
  }
  const problem = valueProblem(value.replace("*", "x"));
  if (problem !== null)
    complaints.warn("impossible_value", spot, `no tag has the value ${shown(value)}: it ${problem}`);
}

function checkType(setting: TypeSetting, item: string, spot: Spot, complaints: Complaints): void {
  const problem = typeProblem(item);
  if (problem !== null) {
    complaints.problem("bad_resource_type", spot, `${shown(item)} ${problem}`);
    return;
  }
  const type = normalType(item);
  if (type !== item) complaints.warn("old_wildcard", spot, `${shown(item)} is the old form of ${shown(type)}`);
  if (supportOf(type)?.[setting] === false)
    complaints.warn("unsupported_resource_type", spot, `AWS does not support ${shown(type)} in \`${setting}\``);
}

/** What a node says about the levels below it. */
export function childControl(
  node: JsonNode,
  names: Names,
  complaints: Complaints,
): { readonly allowed?: readonly Operator[] } {
  const control = memberOf(node, CHILD_CONTROL);
  if (!control) return {};
  const words = control.kind === "list" ? control.items.map((item) => (item.kind === "string" ? item.text : "")) : [];
  const problem = controlProblem(words);
  if (problem === null) {
    return { allowed: OPERATORS.filter((operator) => words.includes(operator) || words.includes("@@all")) };
  }
  const spot: Spot = { names: [...names, CHILD_CONTROL], at: control.at };
  complaints.problem("bad_child_operator", spot, `\`${CHILD_CONTROL}\` ${problem}`);
  return {};
}

function controlProblem(words: readonly string[]): string | null {
  const known: readonly string[] = ["@@all", "@@none", ...OPERATORS];
  if (words.length === 0) return "is a list of one operator or more";
  if (!words.every((word) => known.includes(word))) return `holds nothing but ${known.join(", ")}`;
  if (new Set(words).size < words.length) return "names an operator twice";
  return words.includes("@@none") && words.length > 1 ? "has `@@none`, which stands alone" : null;
}

/** A field that does not belong where it is; `@@operators_allowed_for_child_policies` belongs everywhere but at the root. */
export function strayField(spot: Spot, known: readonly string[], complaints: Complaints): void {
  const word = spot.names.at(-1) ?? "";
  const isOperator = word === CHILD_CONTROL || OPERATORS.some((operator) => operator === word);
  if (word === CHILD_CONTROL && spot.names.length > 1) return;
  if (isOperator) {
    const hint = `Operators stand under ${SETTINGS.join(", ")}.`;
    complaints.problem("operator_not_allowed_here", spot, `\`${word}\` cannot stand here`, hint);
    return;
  }
  const words = word.startsWith("@@") ? [...OPERATORS, CHILD_CONTROL] : known;
  const near = nearestWord(word, words);
  const hint = near === null ? `Possible here: ${words.join(", ")}.` : `Did you mean \`${near}\`?`;
  if (word.startsWith("@@")) complaints.problem("unknown_operator", spot, `there is no operator ${shown(word)}`, hint);
  else complaints.problem("unknown_field", spot, `there is no field ${shown(word)} here`, hint);
}

/** A field that is there twice, of which JSON keeps the last without a word. Entries of `tags` are looked at by case as well, elsewhere. */
export function repeatedFields(node: ObjectNode, names: Names, complaints: Complaints): void {
  const seen = new Set<string>();
  for (const { key, at } of node.members) {
    if (seen.has(key))
      complaints.problem("malformed_json", { names: [...names, key], at }, `${shown(key)} is there twice`);
    seen.add(key);
  }
}

/** Whether a node is an object; tells when it is not. */
export function isObject(node: JsonNode, spot: Spot, complaints: Complaints): node is ObjectNode {
  if (node.kind === "object") return true;
  const what = spot.names.length === 0 ? "the document" : shown(spot.names.at(-1) ?? "");
  complaints.problem("type_mismatch", spot, `${what} is no object`);
  return false;
}
