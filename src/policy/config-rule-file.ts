import { type JsonNode, memberOf, readJson } from "./json-text.ts";

/** A `required-tags` rule as a file has it. */
export type FoundConfigRule = {
  /** What to call it in a sentence. */
  readonly name: string;
  /** The types of its scope; empty: every type that Config records. */
  readonly types: readonly string[];
  /** What else narrows its scope, in words. */
  readonly narrower: readonly string[];
  readonly tags: readonly { readonly number: number; readonly key: string; readonly values: string | null }[];
};

/** Something in a file that cannot be read; `at`: where, in the text. */
export type ConfigRuleComplaint = {
  readonly code: "bad_parameter" | "malformed_json" | "no_config_rule";
  readonly path: string;
  readonly at: number;
  readonly message: string;
};

type Complain = (code: ConfigRuleComplaint["code"], path: string, at: number, message: string) => void;

/** As `Source.SourceIdentifier` names it. */
const REQUIRED_TAGS = "REQUIRED_TAGS";
/** Config takes six keys. */
const PARAMETER = /^tag([1-6])(Key|Value)$/;
const SCOPE: Readonly<Record<string, string>> = {
  ComplianceResourceId: "id",
  TagKey: "tag key",
  TagValue: "tag value",
};

/** Finds the `required-tags` rules of a file: parameters alone, one rule, or a list as `describe-config-rules` prints it. */
export function findConfigRules(text: string): {
  rules: FoundConfigRule[];
  other_rules: string[];
  complaints: ConfigRuleComplaint[];
} {
  const complaints: ConfigRuleComplaint[] = [];
  const complain: Complain = (code, path, at, message) => complaints.push({ code, path, at, message });
  const json = readJson(text);
  if ("problem" in json) {
    complain("malformed_json", "", json.problem.at, `is no JSON: ${json.problem.message}`);
    return { rules: [], other_rules: [], complaints };
  }
  const list = memberOf(json.node, "ConfigRules");
  const nodes = list?.kind === "list" ? list.items : [json.node];
  const isParameters = json.node.kind === "object" && json.node.members.some(({ key }) => PARAMETER.test(key));
  if (isParameters) {
    const rule = { name: "the rule", types: [], narrower: [], tags: readTags(json.node, "", null, complain) };
    return { rules: [rule], other_rules: [], complaints };
  }
  const mine = nodes.filter((node) => textOf(memberOf(node, "Source"), "SourceIdentifier") === REQUIRED_TAGS);
  const other_rules = nodes.filter((node) => !mine.includes(node)).map(nameOf);
  if (mine.length === 0) {
    const message = "holds no required-tags rule: neither tag1Key nor the SourceIdentifier REQUIRED_TAGS";
    complain("no_config_rule", "", json.node.at, message);
    return { rules: [], other_rules: [], complaints };
  }
  return { rules: mine.map((node) => readRule(node, complain)), other_rules, complaints };
}

function readRule(node: JsonNode, complain: Complain): FoundConfigRule {
  const scope = memberOf(node, "Scope");
  const types = scope && memberOf(scope, "ComplianceResourceTypes");
  return {
    name: nameOf(node),
    types: types?.kind === "list" ? types.items.flatMap((item) => (item.kind === "string" ? [item.text] : [])) : [],
    narrower: Object.entries(SCOPE).flatMap(([field, words]) => (textOf(scope, field) === null ? [] : [words])),
    tags: readParameters(memberOf(node, "InputParameters"), complain),
  };
}

/** The API has the parameters as JSON within a string, templates of CloudFormation as an object. */
function readParameters(node: JsonNode | undefined, complain: Complain): FoundConfigRule["tags"] {
  const path = "InputParameters";
  if (node?.kind !== "string") return node ? readTags(node, path, null, complain) : [];
  const inner = readJson(node.text);
  if ("node" in inner) return readTags(inner.node, path, node.at, complain);
  complain("malformed_json", path, node.at, `is a string that holds no JSON: ${inner.problem.message}`);
  return [];
}

/** `at`: where the parameters stand, when they have no place of their own. */
function readTags(node: JsonNode, path: string, at: number | null, complain: Complain): FoundConfigRule["tags"] {
  if (node.kind !== "object") {
    complain("bad_parameter", path, at ?? node.at, 'the parameters are an object such as {"tag1Key": "Owner"}');
    return [];
  }
  const texts = new Map<string, string>();
  for (const member of node.members) {
    const place = [path, member.key].filter(Boolean).join(".");
    if (!PARAMETER.test(member.key))
      complain("bad_parameter", place, at ?? member.at, "required-tags has no such parameter");
    else if (member.value.kind === "string") texts.set(member.key, member.value.text);
    else complain("bad_parameter", place, at ?? member.value.at, "is no string");
  }
  return [1, 2, 3, 4, 5, 6].flatMap((number) => {
    const key = texts.get(`tag${number}Key`) ?? "";
    const values = texts.get(`tag${number}Value`) ?? "";
    if (key !== "") return [{ number, key, values: values.trim() === "" ? null : values }];
    if (values !== "")
      complain("bad_parameter", `tag${number}Value`, at ?? node.at, `has no tag${number}Key beside it`);
    return [];
  });
}

function nameOf(node: JsonNode): string {
  return textOf(node, "ConfigRuleName") ?? "the rule";
}

function textOf(node: JsonNode | undefined, field: string): string | null {
  const found = node && memberOf(node, field);
  return found?.kind === "string" ? found.text : null;
}
