import { z } from "zod";
import { RESOURCE_TYPE_NAMES } from "../inventory/resource-types.ts";
import { MAX_USER_TAGS } from "../tags/limits.ts";
import { condition, id, keyWildcard, nonEmpty, plainText, tagKey, valueWildcard } from "./field-types.ts";
import { KeyFix } from "./fix-format.ts";
import { FORMAT_NAMES } from "./formats.ts";
import { SEVERITIES } from "./verdict.ts";

/**
 * The format of a policy file: the one source of what is read, of its types, and of `policies/policy.schema.json`.
 * What a field says about itself ends up in the editor of whoever writes a policy. What needs two fields is in `check.ts`.
 */

const AppliesTo = z.strictObject({
  types: nonEmpty(z.union([z.enum(RESOURCE_TYPE_NAMES), z.string().regex(/\*/)]))
    .optional()
    .describe("Resource types, such as `campaign` or `dataset-*`. Absent: all thirteen."),
  accounts: nonEmpty(
    z.string().regex(/^(\d{12}|(?=.*\*)[\d*]{1,12})$/, "must be twelve digits, or fewer with a `*`, in quotes"),
  )
    .optional()
    .describe("Account ids of twelve digits, in quotes. `*` is a wildcard. Absent: all."),
  regions: nonEmpty(z.string().regex(/^[a-z0-9*-]+$/, "must be a region such as `us-east-1` or `us-*`"))
    .optional()
    .describe("Regions, such as `us-*`. `*` is a wildcard. Absent: all."),
  names: nonEmpty(plainText(128))
    .optional()
    .describe(
      "Names of resources, exact case; a solution version has its solution's name. `*` is a wildcard. Absent: all.",
    ),
  where: condition
    .optional()
    .describe(
      "A condition in CEL over `resource`, `tags`, `account` and `now`. Absent: all. An error makes it unknown.",
    ),
});

const formerly = nonEmpty(id)
  .optional()
  .describe(
    "Names that it had before: its findings, their history and its exemptions come along when it is activated.",
  );

const common = {
  id: id.describe(
    "Name of the rule, unique in this file. Findings carry it: when it changes, put the old one into `formerly`.",
  ),
  formerly,
  severity: z.enum(SEVERITIES).default("medium").describe("How bad a violation is."),
  message: plainText(500).optional().describe("One sentence for whoever has to repair it, in place of the usual one."),
};

const keeping = {
  sensitive: z.boolean().default(false).describe("Reports mask the values of this rule's keys."),
  protected: z.boolean().default(false).describe("A repair always needs a person, also under `remediation: auto`."),
};

/** A rule about one tag key. */
export const KeyRule = z
  .strictObject({
    ...common,
    key: tagKey.describe("The tag key, exact case."),
    aliases: nonEmpty(tagKey)
      .optional()
      .describe("Other spellings in use, exact case. A tag with such a key is a `variant`."),
    any_case: z
      .boolean()
      .default(false)
      .describe("The key in any other letter case counts as an alias: `costcenter`, `COSTCENTER` for `CostCenter`."),
    required: z
      .union([z.boolean(), condition])
      .default(false)
      .describe("Whether the key must be there, with a value that is not empty: true, false, or a condition in CEL."),
    values: nonEmpty(valueWildcard).optional().describe("The allowed values, exact case. `*` is a wildcard."),
    pattern: plainText(500).optional().describe("RE2 regular expression that the whole value must match."),
    format: z.enum(FORMAT_NAMES).optional().describe("A well-known form that the value must have."),
    allow_empty: z.boolean().default(false).describe("An empty value passes, whatever else the rule says."),
    agrees_with: z
      .literal("parent")
      .optional()
      .describe("The value must be that of the nearest ancestor whose value this rule lets pass, where there is one."),
    ...keeping,
    fix: KeyFix.prefault({}).describe("How to repair each kind of violation; a person, when absent."),
  })
  .describe("A rule about one tag key.");

/** A rule that forbids tag keys. */
export const ForbiddenRule = z
  .strictObject({
    ...common,
    forbidden: nonEmpty(keyWildcard).describe("Tag keys that must not be there, exact case. `*` is a wildcard."),
    any_case: z.boolean().default(false).describe("The keys are forbidden in any letter case."),
    ...keeping,
    fix: z
      .strictObject({
        forbidden: z.enum(["remove", "review"]).default("review").describe("`remove`: take the tag off."),
      })
      .prefault({})
      .describe("How to repair a violation; a person, when absent."),
  })
  .describe("A rule that forbids tag keys.");

/** A rule about the number of tags. */
export const LimitRule = z
  .strictObject({
    ...common,
    max_tags: z
      .int()
      .min(0)
      .max(MAX_USER_TAGS)
      .describe("The most tags a resource may have; `aws:` tags are not counted."),
  })
  .describe("A rule about the number of tags. A person decides which ones go.");

/** A rule about the tags together. */
export const AssertRule = z
  .strictObject({
    ...common,
    assert: condition.describe("A condition in CEL that must be true."),
    sensitive: keeping.sensitive,
  })
  .describe("A condition over the tags together. A person decides how to repair it.");

/** Four times the tags that a resource can hold; each rule is compiled before anything is known of it. */
export const MAX_RULES = 200;

/** The file. */
export const Policy = z
  .strictObject({
    version: z.literal(1).describe("Version of the policy language."),
    id: id.describe("Name of the policy, unique among all files. Findings carry it."),
    formerly,
    title: plainText(200).optional().describe("What this policy is for, in a few words. The id, when absent."),
    owner: plainText(200).optional().describe("Who answers for this policy."),
    remediation: z
      .enum(["off", "plan", "auto"])
      .default("plan")
      .describe("`off`: report only. `plan`: repairs are planned, a person approves. `auto`: repaired after a scan."),
    managed: condition
      .optional()
      .describe(
        "A condition in CEL: resources for which it is true are managed elsewhere, such as by a stack whose mark they do not carry, and are never repaired.",
      ),
    applies_to: AppliesTo.prefault({}).describe(
      "Which resources. Every field that is given must match; a list matches if any item does.",
    ),
    rules: nonEmpty(z.union([KeyRule, ForbiddenRule, LimitRule, AssertRule]))
      .max(MAX_RULES)
      .describe("One rule says everything about one key."),
  })
  .meta({ title: "Tagwarden policy" });

/** A policy as read, defaults filled in. */
export type Policy = z.infer<typeof Policy>;
export type KeyRule = z.infer<typeof KeyRule>;
export type ForbiddenRule = z.infer<typeof ForbiddenRule>;
export type LimitRule = z.infer<typeof LimitRule>;
export type AssertRule = z.infer<typeof AssertRule>;
/** A rule as read, defaults filled in. */
export type Rule = KeyRule | ForbiddenRule | LimitRule | AssertRule;

/** The kinds of rule, each told by the field that names what it is about. */
export const RULE_KINDS = { key: KeyRule, forbidden: ForbiddenRule, max_tags: LimitRule, assert: AssertRule } as const;

/** JSON Schema of a policy file, for editors. Draft 7, because that is what YAML language servers read. */
export function policyJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(Policy, { target: "draft-7", io: "input" });
}
