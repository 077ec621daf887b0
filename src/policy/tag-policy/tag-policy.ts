/**
 * Tag policies of AWS Organizations, as data. Sources: Organizations User Guide, pages "Tag policy syntax and examples",
 * "Inheritance operators" and "Quotas"; where they are silent or contradict each other, docs/tag-policies.md says what was chosen.
 */

/** What a policy may say about a key. */
export const SETTINGS = ["tag_key", "tag_value", "enforced_for", "report_required_tag_for"] as const;
export type Setting = (typeof SETTINGS)[number];

/** What a policy does to a setting that it inherits, in the order in which they work at one level, whatever the order in the text. */
export const OPERATORS = ["@@assign", "@@append", "@@remove"] as const;
export type Operator = (typeof OPERATORS)[number];

/** The field by which a policy says what the levels below may do. */
export const CHILD_CONTROL = "@@operators_allowed_for_child_policies";

/** A setting as written. `tag_key` is a list of one. An operator that is absent was not used. */
export type SettingNode = {
  readonly [operator in Operator]?: readonly string[];
} & {
  /** What the levels below may use; absent: everything. */
  readonly allowed?: readonly Operator[];
};

/** All that one policy says about one key. */
export type TagPolicyEntry = {
  /** The name of the entry as written; it counts without its case. */
  readonly policy_key: string;
  readonly allowed?: readonly Operator[];
  readonly settings: { readonly [setting in Setting]?: SettingNode };
};

/** A checked policy document. */
export type TagPolicy = {
  readonly allowed?: readonly Operator[];
  readonly entries: readonly TagPolicyEntry[];
};

/** What holds for one key in an account, after all that it inherits. */
export type EffectiveTag = {
  /** The name of the entry, in lower case. */
  readonly policy_key: string;
  /** The spelling that complies. */
  readonly tag_key: string;
  /** Whether a policy said the spelling; else it is the name of the entry in lower case. */
  readonly tag_key_assigned: boolean;
  /** The values that comply, with at most one `*` each; null: any. An empty list: none, so the key is prohibited. */
  readonly tag_value: readonly string[] | null;
  /** Resource types whose noncompliant tagging AWS refuses. */
  readonly enforced_for: readonly string[];
  /** Resource types that AWS reports when the key is missing. */
  readonly report_required_tag_for: readonly string[];
};

/** What holds in an account. */
export type EffectiveTagPolicy = { readonly tags: readonly EffectiveTag[] };

/** Letter case is all that AWS folds: `cost-center` is another key than `costcenter`. */
export function foldKey(key: string): string {
  return key.toLowerCase();
}

/** The document that AWS shows for an effective policy: bare values, keys in lower case, nothing for what restricts nothing. */
export function effectiveDocument(effective: EffectiveTagPolicy): { readonly tags: Readonly<Record<string, object>> } {
  const shown = effective.tags.map((tag) => [
    tag.policy_key,
    {
      tag_key: tag.tag_key,
      ...(tag.tag_value && { tag_value: tag.tag_value }),
      ...(tag.enforced_for.length > 0 && { enforced_for: tag.enforced_for }),
      ...(tag.report_required_tag_for.length > 0 && { report_required_tag_for: tag.report_required_tag_for }),
    },
  ]);
  return { tags: Object.fromEntries(shown) as Record<string, object> };
}
