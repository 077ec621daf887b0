import { isReserved } from "../../tags/limits.ts";
import type { Tags } from "../../tags/tags.ts";
import { anyWildcard } from "../wildcard.ts";
import { covers } from "./resource-types.ts";
import { type EffectiveTag, type EffectiveTagPolicy, foldKey } from "./tag-policy.ts";

/** Why a resource does not comply. */
type Reason =
  | { readonly code: "key_case_mismatch"; readonly key: string; readonly expected_key: string }
  | { readonly code: "value_not_allowed"; readonly key: string; readonly value: string }
  | { readonly code: "required_key_missing"; readonly key: string };

/** What AWS says of a resource. */
export type TagPolicyJudgement = {
  readonly compliant: boolean;
  readonly reasons: readonly Reason[];
  /** Whether AWS would refuse the call that sets these tags: `enforced_for` has the type and a key or value is wrong. A missing key never blocks. */
  readonly would_block: boolean;
  /** AWS's report of an organization leaves out what never had a tag; one without tags may be such. */
  readonly aws_report: "listed" | "omitted_if_never_tagged";
};

/** Of what a key is required. `listed`: of the types that the policy names, as AWS does. `everywhere`: what is required of any type is required of all. */
export type Require = "listed" | "everywhere";

/**
 * Judges the tags of a resource as AWS would, or stricter with `everywhere`. Pure. `type` as tag policies name it:
 * `personalize:dataset-group`.
 *
 * Spelling and values count for every type, whether or not `enforced_for` has it, and only for tags that are there; a missing key
 * counts only where `report_required_tag_for` has the type. Tags of AWS itself do not count. Sources: Organizations User Guide,
 * "Tag policies", "Enforce tagging consistency", "Report tagging compliance".
 */
export function judgeByTagPolicy(
  effective: EffectiveTagPolicy,
  resource: { readonly type: string; readonly tags: Tags },
  require: Require = "listed",
): TagPolicyJudgement {
  const user = Object.entries(resource.tags).filter(([key]) => !isReserved(key));
  const reasons: Reason[] = [];
  let would_block = false;
  for (const tag of effective.tags) {
    const mine = user.filter(([key]) => foldKey(key) === tag.policy_key);
    const wrong = mine.flatMap(([key, value]) => wrongTag(tag, key, value));
    would_block ||= wrong.length > 0 && covers(tag.enforced_for, resource.type, "enforced_for");
    reasons.push(...wrong);
    const present = mine.some(([key]) => key === tag.tag_key || anyCaseComplies(tag));
    if (!present && isRequired(tag, resource.type, require))
      reasons.push({ code: "required_key_missing", key: tag.tag_key });
  }
  const aws_report = user.length === 0 ? "omitted_if_never_tagged" : "listed";
  return { compliant: reasons.length === 0, reasons, would_block, aws_report };
}

/** Whether a policy asks for the key on a type at all. */
function isRequired(tag: EffectiveTag, type: string, require: Require): boolean {
  if (require === "everywhere") return tag.report_required_tag_for.length > 0;
  return covers(tag.report_required_tag_for, type, "report_required_tag_for");
}

/**
 * Whether the spelling does not count: the key is required of some type, and no policy says a spelling or values. The page "Report
 * tagging compliance" says so for this case, and says before that without a spelling only lower case complies; the special
 * sentence is taken.
 */
export function anyCaseComplies(tag: EffectiveTag): boolean {
  return tag.report_required_tag_for.length > 0 && !tag.tag_key_assigned && tag.tag_value === null;
}

function wrongTag(tag: EffectiveTag, key: string, value: string): Reason[] {
  const reasons: Reason[] = [];
  if (key !== tag.tag_key && !anyCaseComplies(tag))
    reasons.push({ code: "key_case_mismatch", key, expected_key: tag.tag_key });
  if (tag.tag_value !== null && !anyWildcard(tag.tag_value)(value))
    reasons.push({ code: "value_not_allowed", key, value });
  return reasons;
}
