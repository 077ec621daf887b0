import { type JsonNode, memberOf, readJson } from "../json-text.ts";
import { Complaints, type Spot } from "./complaints.ts";
import { anyCaseComplies } from "./judge.ts";
import { isObject } from "./parse-setting.ts";
import { type DocumentProblem, type DocumentWarning, shown } from "./problem.ts";
import { type EffectiveTag, type EffectiveTagPolicy, foldKey, SETTINGS } from "./tag-policy.ts";

/** An effective policy that was read. */
export type ParsedEffectivePolicy = {
  /** Null when anything is wrong with it. */
  readonly effective: EffectiveTagPolicy | null;
  readonly problems: readonly DocumentProblem[];
  readonly more_problems: number;
  /** What it says beyond what is known here: AWS adds settings. */
  readonly warnings: readonly DocumentWarning[];
};

/** Reads the effective policy that DescribeEffectivePolicy shows for an account: bare values, no operators. Never throws. */
export function parseEffectivePolicy(input: unknown): ParsedEffectivePolicy {
  const complaints = new Complaints(input);
  const json = readJson(input);
  let tags: EffectiveTag[] = [];
  if ("problem" in json) {
    complaints.problem("malformed_json", { names: [], at: json.problem.at }, `is no JSON: ${json.problem.message}`);
  } else tags = readTags(json.node, complaints);
  const all = complaints.all();
  return { effective: all.problems.length === 0 ? { tags } : null, ...all };
}

function readTags(root: JsonNode, complaints: Complaints): EffectiveTag[] {
  const spot: Spot = { names: [], at: root.at };
  if (!isObject(root, spot, complaints)) return [];
  const node = memberOf(root, "tags");
  if (!node) complaints.problem("missing_tags_root", spot, "has no field `tags`");
  if (!node || !isObject(node, { names: ["tags"], at: node.at }, complaints)) return [];
  const seen = new Set<string>();
  return node.members.map(({ key, at, value }) => {
    const names = ["tags", key];
    const policy_key = foldKey(key);
    if (seen.has(policy_key)) complaints.problem("duplicate_policy_key", { names, at }, `${shown(key)} is there twice`);
    seen.add(policy_key);
    return readTag(policy_key, value, names, complaints);
  });
}

function readTag(policy_key: string, node: JsonNode, names: Spot["names"], complaints: Complaints): EffectiveTag {
  tellUnknown(node, names, complaints);
  const tag_key = memberOf(node, "tag_key");
  if (tag_key && tag_key.kind !== "string")
    complaints.problem("type_mismatch", { names: [...names, "tag_key"], at: tag_key.at }, "`tag_key` is one string");
  const list = (setting: string): readonly string[] | null => {
    const found = memberOf(node, setting);
    return found ? readList(found, { names: [...names, setting], at: found.at }, complaints) : null;
  };
  const tag: EffectiveTag = {
    policy_key,
    tag_key: tag_key?.kind === "string" ? tag_key.text : policy_key,
    // AWS shows the default in the same way as what a policy says, so what it shows is taken for said.
    tag_key_assigned: tag_key !== undefined,
    tag_value: anyValue(list("tag_value")),
    enforced_for: list("enforced_for") ?? [],
    report_required_tag_for: list("report_required_tag_for") ?? [],
  };
  if (tag.tag_key_assigned && anyCaseComplies({ ...tag, tag_key_assigned: tag.tag_key !== policy_key })) {
    const message = `AWS does not show whether a policy says that ${shown(tag.tag_key)} is written so; it is taken for said`;
    complaints.warn("spelling_not_shown", { names, at: node.at }, message);
  }
  return tag;
}

/** AWS shows a list that no policy gives as `*`, which means the same. */
function anyValue(values: readonly string[] | null): readonly string[] | null {
  return values?.includes("*") ? null : values;
}

function tellUnknown(node: JsonNode, names: Spot["names"], complaints: Complaints): void {
  if (!isObject(node, { names, at: node.at }, complaints)) return;
  for (const { key, at } of node.members) {
    if (SETTINGS.some((setting) => setting === key)) continue;
    const spot: Spot = { names: [...names, key], at };
    if (key.startsWith("@@")) {
      complaints.problem("operator_not_allowed_here", spot, `\`${key}\` cannot stand in an effective policy`);
    } else complaints.warn("unknown_setting", spot, `${shown(key)} is a setting that is not known here`);
  }
}

function readList(node: JsonNode, spot: Spot, complaints: Complaints): readonly string[] {
  if (node.kind !== "list") {
    const hint = "With operators, it is a policy and no effective policy.";
    complaints.problem("type_mismatch", spot, `${shown(spot.names.at(-1) ?? "")} is a list of strings`, hint);
    return [];
  }
  return node.items.flatMap((item) => {
    if (item.kind === "string") return [item.text];
    complaints.problem("type_mismatch", { ...spot, at: item.at }, "an item that is no string");
    return [];
  });
}
