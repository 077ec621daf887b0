import { MAX_ATTACHED, MAX_EFFECTIVE_CHARACTERS, MAX_REQUIRED_KEYS, overRequired } from "./limits.ts";
import { type MergeProblem, type MergeWarning, pathOf, shown } from "./problem.ts";
import {
  effectiveDocument,
  type EffectiveTag,
  type EffectiveTagPolicy,
  foldKey,
  type Operator,
  OPERATORS,
  type Setting,
  SETTINGS,
  type TagPolicy,
  type TagPolicyEntry,
} from "./tag-policy.ts";

/** A policy and where it is attached: the root, a unit or an account. */
export type AttachedTagPolicy = { readonly target: string; readonly policy: TagPolicy };

/** What policies are together. An account whose effective policy has a problem stays on its last one without. */
export type MergedTagPolicies = {
  readonly effective: EffectiveTagPolicy;
  readonly warnings: readonly MergeWarning[];
  readonly problems: readonly MergeProblem[];
};

/** What is inherited for one setting: no value before a policy gives one. */
type SettingState = { readonly value: readonly string[] | undefined; readonly allowed: readonly Operator[] };
/** Members that come new to a container may use what it allows; those that are there have their own control. */
type EntryState = { allowed: readonly Operator[]; readonly settings: Map<Setting, SettingState> };
type Tree = { allowed: readonly Operator[]; readonly entries: Map<string, EntryState> };
type Warn = (code: MergeWarning["code"], names: readonly string[], message: string) => void;

/**
 * The policies along root → units → account, each target's in the order in which they were attached, as AWS makes one of them.
 * At each target, for each setting: the first `@@assign` of all its policies, then every `@@append`, then every `@@remove`; what
 * a level above does not allow is passed over, and the rest of the document counts. A control binds the levels below only.
 */
export function mergeTagPolicies(attached: readonly AttachedTagPolicy[]): MergedTagPolicies {
  const tree: Tree = { allowed: OPERATORS, entries: new Map() };
  const warnings: MergeWarning[] = [];
  const levels = Map.groupBy(attached, ({ target }) => target);
  for (const [target, peers] of levels) {
    const warn: Warn = (code, names, message) => warnings.push({ code, path: pathOf(names), target, message });
    mergeLevel(
      tree,
      peers.map(({ policy }) => policy),
      warn,
    );
  }
  const effective = { tags: [...tree.entries].map(([policy_key, entry]) => effectiveTag(policy_key, entry)) };
  return { effective, warnings, problems: [...attachmentProblems(levels), ...effectiveProblems(effective)] };
}

function mergeLevel(tree: Tree, peers: readonly TagPolicy[], warn: Warn): void {
  const byKey = Map.groupBy(
    peers.flatMap(({ entries }) => entries),
    ({ policy_key }) => foldKey(policy_key),
  );
  for (const [key, entries] of byKey) {
    const names = ["tags", key];
    const known = tree.entries.get(key);
    if (!known && tree.allowed.length === 0) {
      warn("operator_blocked_by_parent", names, "a level above lets no key be added");
      continue;
    }
    const entry = known ?? { allowed: tree.allowed, settings: new Map<Setting, SettingState>() };
    const blocked = SETTINGS.map((setting) => mergeSetting(entry, setting, entries, [...names, setting], warn));
    entry.allowed = narrowed(entry.allowed, entries);
    // A new key of which nothing took effect is not there.
    if (known || entry.settings.size > 0 || !blocked.includes(true)) tree.entries.set(key, entry);
  }
  tree.allowed = narrowed(tree.allowed, peers);
}

/** Returns whether something of it was not allowed. */
function mergeSetting(
  entry: EntryState,
  setting: Setting,
  entries: readonly TagPolicyEntry[],
  names: readonly string[],
  warn: Warn,
): boolean {
  const nodes = entries.flatMap(({ settings }) => settings[setting] ?? []);
  if (nodes.length === 0) return false;
  const known = entry.settings.get(setting);
  if (!known && entry.allowed.length === 0) {
    warn("operator_blocked_by_parent", names, "a level above lets no setting be added to this key");
    return true;
  }
  const { value: inherited, allowed } = known ?? { value: undefined, allowed: entry.allowed };
  let value = inherited;
  let blocked = false;
  for (const operator of OPERATORS) {
    const lists = nodes.flatMap((node) => (node[operator] ? [node[operator]] : []));
    if (lists.length === 0) continue;
    if (allowed.includes(operator)) {
      const next = applied(operator, value, lists);
      lint(operator, { setting, before: value, after: next, lists }, [...names, operator], warn);
      value = next;
    } else {
      blocked = true;
      warn("operator_blocked_by_parent", [...names, operator], `a level above does not allow \`${operator}\` here`);
    }
  }
  if (known || value !== undefined || !blocked)
    entry.settings.set(setting, { value, allowed: narrowed(allowed, nodes) });
  return blocked;
}

type Value = readonly string[] | undefined;

function applied(operator: Operator, value: Value, lists: readonly (readonly string[])[]): Value {
  if (operator === "@@assign") return lists[0];
  if (operator === "@@append") return [...new Set([...(value ?? []), ...lists.flat()])];
  // Exact text: `dev*` removes the item `dev*`, not `development`.
  return value?.filter((item) => !lists.some((list) => list.includes(item)));
}

function lint(
  operator: Operator,
  change: { setting: Setting; before: Value; after: Value; lists: readonly (readonly string[])[] },
  names: readonly string[],
  warn: Warn,
): void {
  const { setting, before = [], after = [], lists } = change;
  if (operator === "@@assign" && lists.some((list) => list.join("\n") !== after.join("\n")))
    warn(
      "assign_loses_to_peer",
      names,
      "a policy that was attached to the same target before says otherwise, and wins",
    );
  if (operator === "@@remove" && setting === "tag_value" && before.length > 0 && after.length === 0)
    warn("values_emptied", names, "no value is left, so every value of this key is noncompliant");
}

/** What the levels below may use: what all of these let them, of what was allowed here. */
function narrowed(
  allowed: readonly Operator[],
  nodes: readonly { readonly allowed?: readonly Operator[] }[],
): readonly Operator[] {
  return allowed.filter((operator) => nodes.every((node) => node.allowed?.includes(operator) ?? true));
}

function effectiveTag(policy_key: string, { settings }: EntryState): EffectiveTag {
  const valueOf = (setting: Setting): readonly string[] | null => settings.get(setting)?.value ?? null;
  const tag_key = valueOf("tag_key")?.[0];
  return {
    policy_key,
    tag_key: tag_key ?? policy_key,
    tag_key_assigned: tag_key !== undefined,
    tag_value: valueOf("tag_value"),
    enforced_for: valueOf("enforced_for") ?? [],
    report_required_tag_for: valueOf("report_required_tag_for") ?? [],
  };
}

function attachmentProblems(levels: ReadonlyMap<string, readonly AttachedTagPolicy[]>): MergeProblem[] {
  return [...levels].flatMap(([target, { length }]) => {
    if (length <= MAX_ATTACHED) return [];
    const message = `${length} tag policies are attached to ${shown(target)}, AWS allows ${MAX_ATTACHED}`;
    return [
      { code: "too_many_policies_attached", path: target, limit: MAX_ATTACHED, actual: length, message } as const,
    ];
  });
}

function effectiveProblems(effective: EffectiveTagPolicy): MergeProblem[] {
  const required = effective.tags.map(({ policy_key, report_required_tag_for }) => ({
    key: policy_key,
    types: report_required_tag_for,
  }));
  const problems: MergeProblem[] = overRequired(required).map(({ type, keys }) => ({
    code: "too_many_required_keys",
    path: type,
    limit: MAX_REQUIRED_KEYS,
    actual: keys,
    message: `${keys} keys together are required of ${shown(type)}, AWS allows ${MAX_REQUIRED_KEYS}`,
  }));
  const size = Array.from(JSON.stringify(effectiveDocument(effective))).length;
  if (size > MAX_EFFECTIVE_CHARACTERS) {
    const message = `the effective policy has ${size} characters, AWS allows ${MAX_EFFECTIVE_CHARACTERS}`;
    problems.push({ code: "effective_too_large", path: "", limit: MAX_EFFECTIVE_CHARACTERS, actual: size, message });
  }
  return problems;
}
