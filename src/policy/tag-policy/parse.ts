import { keyProblem } from "../../tags/limits.ts";
import { type JsonNode, memberOf, readJson } from "../json-text.ts";
import { Complaints, type Spot } from "./complaints.ts";
import { compactLength, MAX_POLICY_CHARACTERS, MAX_REQUIRED_KEYS, overRequired } from "./limits.ts";
import { childControl, isObject, parseSetting, repeatedFields, strayField } from "./parse-setting.ts";
import { type DocumentProblem, type DocumentWarning, shown } from "./problem.ts";
import { supportOf } from "./resource-types.ts";
import {
  foldKey,
  type Setting,
  type SettingNode,
  SETTINGS,
  type TagPolicy,
  type TagPolicyEntry,
} from "./tag-policy.ts";

/** A document that was checked. */
export type ParsedTagPolicy = {
  /** Null when anything is wrong with it. */
  readonly policy: TagPolicy | null;
  /** What AWS refuses, in the order of the document: the first hundred. */
  readonly problems: readonly DocumentProblem[];
  readonly more_problems: number;
  readonly warnings: readonly DocumentWarning[];
};

/** Checks a tag policy document completely: a string as JSON text, anything else as the value of one. Never throws. */
export function parseTagPolicy(input: unknown): ParsedTagPolicy {
  const complaints = new Complaints(input);
  const policy = readPolicy(input, complaints);
  const all = complaints.all();
  return { policy: all.problems.length === 0 ? policy : null, ...all };
}

function readPolicy(input: unknown, complaints: Complaints): TagPolicy | null {
  const json = readJson(input);
  if ("problem" in json) {
    complaints.problem("malformed_json", { names: [], at: json.problem.at }, `is no JSON: ${json.problem.message}`);
    return null;
  }
  const { node } = json;
  const policy = readDocument(node, complaints);
  checkSize(node, input, complaints);
  if (policy) checkRequired(policy, { names: [], at: node.at }, complaints);
  if (policy) tellUnknownTypes(policy, { names: ["tags"], at: memberOf(node, "tags")?.at ?? -1 }, complaints);
  return policy;
}

function readDocument(node: JsonNode, complaints: Complaints): TagPolicy | null {
  const root: Spot = { names: [], at: node.at };
  if (!isObject(node, root, complaints)) return null;
  for (const { key, at } of node.members) {
    if (key !== "tags") strayField({ names: [key], at }, ["tags"], complaints);
  }
  repeatedFields(node, [], complaints);
  const tags = memberOf(node, "tags");
  if (tags) return readTags(tags, complaints);
  // `Tags` was told as an unknown field, with the right one as a hint.
  if (!node.members.some(({ key }) => key.toLowerCase() === "tags"))
    complaints.problem(
      "missing_tags_root",
      root,
      "has no field `tags`",
      "A tag policy is an object with this one field.",
    );
  return null;
}

function readTags(node: JsonNode, complaints: Complaints): TagPolicy | null {
  if (!isObject(node, { names: ["tags"], at: node.at }, complaints)) return null;
  const controls = node.members.filter(({ key }) => key.startsWith("@@"));
  repeatedFields({ ...node, members: controls }, ["tags"], complaints);
  const seen = new Map<string, string>();
  const entries = node.members.flatMap(({ key, at, value }) => {
    const spot: Spot = { names: ["tags", key], at };
    if (key.startsWith("@@")) {
      strayField(spot, [], complaints);
      return [];
    }
    checkPolicyKey(key, spot, seen, complaints);
    return [readEntry(key, value, spot.names, complaints)];
  });
  return { ...childControl(node, ["tags"], complaints), entries };
}

function checkPolicyKey(key: string, spot: Spot, seen: Map<string, string>, complaints: Complaints): void {
  const problem = keyProblem(key);
  if (problem !== null) complaints.problem("bad_policy_key", spot, `the key ${shown(key)} ${problem}`);
  const other = seen.get(foldKey(key));
  seen.set(foldKey(key), other ?? key);
  if (other === undefined) return;
  const message = other === key ? `${shown(key)} is there twice` : `${shown(key)} is ${shown(other)} in another case`;
  complaints.problem("duplicate_policy_key", spot, message, "One entry says everything about one key.");
}

function readEntry(policy_key: string, node: JsonNode, names: Spot["names"], complaints: Complaints): TagPolicyEntry {
  const settings: { [setting in Setting]?: SettingNode } = {};
  if (!isObject(node, { names, at: node.at }, complaints)) return { policy_key, settings };
  for (const { key, at, value } of node.members) {
    const setting = SETTINGS.find((one) => one === key);
    if (setting) settings[setting] = parseSetting(setting, policy_key, value, [...names, key], complaints);
    else strayField({ names: [...names, key], at }, SETTINGS, complaints);
  }
  repeatedFields(node, names, complaints);
  return { policy_key, ...childControl(node, names, complaints), settings };
}

function checkSize(node: JsonNode, input: unknown, complaints: Complaints): void {
  const spot: Spot = { names: [], at: node.at };
  const compact = compactLength(node);
  if (compact > MAX_POLICY_CHARACTERS) {
    const message = `has ${compact} characters without white space, AWS allows ${MAX_POLICY_CHARACTERS}`;
    complaints.problem("policy_too_large", spot, message, "Split it into several policies.");
  } else if (typeof input === "string" && input.length > MAX_POLICY_CHARACTERS) {
    const message = `has ${input.length} characters with its white space: the console removes that, other clients are refused`;
    complaints.warn("white_space_counts", spot, message);
  }
}

function checkRequired({ entries }: TagPolicy, { at }: Spot, complaints: Complaints): void {
  const required = entries.map(({ policy_key, settings: { report_required_tag_for: node } }) => ({
    key: foldKey(policy_key),
    types: [...(node?.["@@assign"] ?? []), ...(node?.["@@append"] ?? [])],
  }));
  for (const { type, keys } of overRequired(required)) {
    const message = `${keys} keys are required of ${shown(type)}, AWS allows ${MAX_REQUIRED_KEYS}`;
    complaints.problem("too_many_required_keys", { names: [type], at }, message);
  }
}

const NAMED_TYPES = 10;

/** One warning for all: AWS has hundreds of types that a tag policy may name. */
function tellUnknownTypes({ entries }: TagPolicy, spot: Spot, complaints: Complaints): void {
  const named = entries
    .flatMap(({ settings }) => [settings.enforced_for, settings.report_required_tag_for])
    .flatMap((node) => [...(node?.["@@assign"] ?? []), ...(node?.["@@append"] ?? [])]);
  const unknown = [...new Set(named)].filter((type) => supportOf(type) === null);
  if (unknown.length === 0) return;
  const more = unknown.length > NAMED_TYPES ? ` and ${unknown.length - NAMED_TYPES} more` : "";
  const words = unknown.slice(0, NAMED_TYPES).map(shown).join(", ");
  complaints.warn("unknown_resource_type", spot, `whether AWS supports ${words}${more} is not known here`);
}
