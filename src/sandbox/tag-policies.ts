import type { Json } from "./check-input.ts";

/** A tag policy of the organization. */
export type SandboxTagPolicy = {
  readonly name: string;
  readonly description: string;
  /** `root`, the name of a unit, or the id of an account. */
  readonly attached_to: string;
  readonly content: Json;
};

const CONTROL = "@@operators_allowed_for_child_policies";

/** The rules of the emulated company: what every account keeps to, and what production does more strictly. */
export const SEEDED_TAG_POLICIES: readonly SandboxTagPolicy[] = [
  {
    name: "tagging-standard",
    description: "Keys that every account uses, and how they are written",
    attached_to: "root",
    content: {
      tags: {
        CostCenter: {
          tag_key: { "@@assign": "CostCenter", [CONTROL]: ["@@none"] },
          tag_value: { "@@assign": ["CC-*"] },
          report_required_tag_for: { "@@assign": ["personalize:dataset-group", "personalize:solution", "s3:bucket"] },
        },
        Environment: {
          tag_key: { "@@assign": "Environment", [CONTROL]: ["@@none"] },
          tag_value: { "@@assign": ["dev", "staging", "prod", "shared"] },
        },
        Owner: {
          tag_key: { "@@assign": "Owner" },
          tag_value: { "@@assign": ["*@example.com"], [CONTROL]: ["@@append"] },
          enforced_for: { "@@assign": ["s3:bucket"] },
        },
      },
    },
  },
  {
    name: "production",
    description: "What production does more strictly",
    attached_to: "Production",
    content: {
      tags: {
        Environment: { tag_value: { "@@assign": ["prod"] } },
        Owner: {
          tag_value: { "@@append": ["*@partner.example"], "@@remove": ["*@example.com"] },
          report_required_tag_for: { "@@assign": ["personalize:dataset-group"] },
        },
        DataClass: {
          tag_key: { "@@assign": "DataClass" },
          tag_value: { "@@assign": ["public", "internal", "confidential"] },
          report_required_tag_for: { "@@append": ["personalize:dataset", "personalize:dataset-group"] },
        },
        "tmp-run": { tag_value: { "@@assign": [] } },
      },
    },
  },
];

const LISTS = ["tag_value", "enforced_for", "report_required_tag_for"];
const OPERATORS = ["@@assign", "@@append", "@@remove"];

/**
 * The effective policy of the documents at each level, the root's first; null when there is none at any. Written apart from
 * Tagwarden's own merge, one setting at a time, so that the two do not share a mistake; a control on a key, or on all, is taken for
 * everything or nothing.
 */
export function mergeTagPolicies(levels: readonly (readonly Json[])[]): Json | null {
  if (levels.every((level) => level.length === 0)) return null;
  const entries = levels.map((level) => level.map((document) => lowerKeys(document["tags"] as Json)));
  const keys = new Set(entries.flat().flatMap(Object.keys));
  const tags: [string, Json][] = [];
  for (const key of keys) {
    if (key === CONTROL) continue;
    const first = entries.findIndex((level) => level.some((entry) => Object.hasOwn(entry, key)));
    if (entries.slice(0, first).flat().some(locks)) continue;
    const nodes = entries.map((level) =>
      level.flatMap((entry) => (Object.hasOwn(entry, key) ? [entry[key] as Json] : [])),
    );
    tags.push([key, effectiveEntry(key, nodes)]);
  }
  return { tags: Object.fromEntries(tags) };
}

function effectiveEntry(key: string, nodes: readonly (readonly Json[])[]): Json {
  const [tag_key = key] = foldSetting("tag_key", nodes) ?? [];
  const [values, ...types] = LISTS.map((setting) => foldSetting(setting, nodes));
  const named = LISTS.slice(1).map((setting, index) => [setting, types[index] ?? []] as const);
  return { tag_value: values ?? ["*"], tag_key, ...Object.fromEntries(named.filter(([, list]) => list.length > 0)) };
}

/** Walks down the levels with what one setting has there, and what the level may do to it. */
function foldSetting(setting: string, nodes: readonly (readonly Json[])[]): readonly string[] | undefined {
  let value: string[] | undefined;
  let allowed = OPERATORS;
  let isLocked = false;
  let isKnown = false;
  for (const level of nodes) {
    const here = level.flatMap((entry) => (entry[setting] === undefined ? [] : [entry[setting] as Json]));
    if (here.length > 0 && (isKnown || !isLocked)) {
      isKnown = true;
      const uses = (operator: string) =>
        allowed.includes(operator)
          ? here.flatMap((node) => (node[operator] === undefined ? [] : [asList(node[operator])]))
          : [];
      value = uses("@@assign")[0] ?? value;
      for (const item of uses("@@append").flat()) if (!value?.includes(item)) value = [...(value ?? []), item];
      if (uses("@@append").length > 0) value ??= [];
      const removed = uses("@@remove").flat();
      value = value?.filter((item) => !removed.includes(item));
      allowed = allowed.filter((operator) => here.every((node) => permits(node, operator)));
    }
    isLocked ||= level.some(locks);
  }
  return value;
}

function asList(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [String(value)];
}

function permits(node: Json, operator: string): boolean {
  const control = node[CONTROL] as readonly string[] | undefined;
  return control === undefined || control.includes("@@all") || control.includes(operator);
}

function locks(node: Json): boolean {
  return (node[CONTROL] as readonly string[] | undefined)?.includes("@@none") ?? false;
}

function lowerKeys(tags: Json): Json {
  return Object.fromEntries(Object.entries(tags).map(([key, entry]) => [key.toLowerCase(), entry]));
}
