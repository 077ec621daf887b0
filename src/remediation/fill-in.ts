import type { CompiledKeyRule } from "../policy/compile.ts";
import { ruleOf } from "../policy/fix.ts";
import type { PolicySet } from "../policy/load.ts";
import { obstacleOf } from "../policy/obstacle.ts";
import type { FindingKind } from "../policy/verdict.ts";
import { ownerOf } from "../tags/owner.ts";
import { nearest, nearestWord } from "../tags/spelling.ts";
import { tagValue, type Tags, userTags } from "../tags/tags.ts";
import { type PlannableResource, planResource, type Review } from "./plan.ts";
import { sensitiveKeys } from "./mask.ts";

/** A key of a resource for which a person is asked for a value. */
export type ToFillIn = {
  readonly arn: string;
  readonly name: string;
  readonly type: string;
  readonly account_id: string;
  readonly owner: string | null;
  /** Rules that ask for it, as `policy/rule`. */
  readonly rules: readonly string[];
  readonly kind: FindingKind;
  readonly key: string;
  /** The value that it has; null: none. `***` where it must not be shown. */
  readonly current: string | null;
  /** A value that would pass, and where it comes from, in words. */
  readonly suggestion: { readonly value: string; readonly from: string } | null;
  /** What would pass, in words. */
  readonly expected: string;
};

/**
 * What a person is asked for about one resource: a row for each key of an open finding that no rule can repair by itself. None
 * where its tags are not known, or where it may not be changed whatever the value is.
 */
export function toFillIn(
  set: PolicySet,
  plannable: PlannableResource,
  now: Date,
  selected: (finding: Pick<Review, "policy_id" | "rule_id">) => boolean = () => true,
): ToFillIn[] {
  const { resource, tags, unread, stack, around } = plannable;
  if (tags === null || unread !== null) return [];
  const { review } = planResource(set, plannable, { mode: "plan", now, selected: (_, finding) => selected(finding) });
  const asked = review.flatMap((finding) => {
    const rule = ruleOf(set, finding.policy_id, finding.rule_id);
    return rule?.about === "key" ? [{ finding, rule }] : [];
  });
  const policies = asked.map(({ finding }) => finding.policy_id);
  if (obstacleOf(set, { resource, tags, around, now }, stack, policies) !== null) return [];
  const isSensitive = sensitiveKeys(set);
  const byKey = Map.groupBy(asked, ({ finding }) => finding.key);
  return [...byKey].flatMap(([key, members]) => {
    const [first] = members;
    if (!first) return [];
    const hidden = isSensitive(key);
    const value = tagValue(tags, key) ?? null;
    const rules = members.map(({ rule }) => rule);
    return [
      {
        arn: resource.arn,
        name: resource.name,
        type: resource.type,
        account_id: resource.account_id,
        owner: ownerOf(tags, isSensitive),
        rules: [...new Set(members.map(({ finding }) => `${finding.policy_id}/${finding.rule_id}`))],
        kind: first.finding.kind,
        key,
        current: value !== null && hidden ? "***" : value,
        suggestion: hidden ? null : suggestionFor(rules, tags, around.lineage.ancestors, isSensitive),
        expected: [...new Set(rules.map(({ expected }) => expected))].join(" and "),
      },
    ];
  });
}

type Ancestors = PlannableResource["around"]["lineage"]["ancestors"];

/** The first that every rule lets pass: what another spelling of the key has, what a slip of the value means, what is above. */
function suggestionFor(
  rules: readonly CompiledKeyRule[],
  tags: Tags,
  ancestors: Ancestors,
  isSensitive: (key: string) => boolean,
): ToFillIn["suggestion"] {
  const [rule] = rules;
  if (!rule) return null;
  const value = tagValue(tags, rule.key) ?? "";
  const near = nearest(Object.keys(userTags(tags)), rule.slipsTo);
  const spellings = [...new Set([...rule.aliases, ...(near === null ? [] : [near])])].filter(
    (key) => !isSensitive(key),
  );
  const meant = value === "" ? null : nearestWord(value, rule.values);
  const candidates = [
    ...spellings.map((key) => ({ value: tagValue(tags, key), from: `the tag ${key}` })),
    { value: meant ?? undefined, from: "the allowed values" },
    ...ancestors.map((one) => ({
      value: one.tags ? tagValue(one.tags, rule.key) : undefined,
      from: `${one.type} ${one.name}`,
    })),
    { value: rule.values.length === 1 ? rule.values[0] : undefined, from: "the allowed values" },
  ];
  for (const { value: one = "", from } of candidates) {
    if (one !== "" && rules.every(({ passes }) => passes(one, true))) return { value: one, from };
  }
  return null;
}
