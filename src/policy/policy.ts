import { z } from "zod";
import { RESOURCE_TYPE_NAMES } from "../inventory/resource-types.ts";
import { keyProblem, MAX_KEY_LENGTH, MAX_USER_TAGS, MAX_VALUE_LENGTH, valueProblem } from "../tags/limits.ts";
import { FORMAT_NAMES } from "./formats.ts";
import { SEVERITIES } from "./verdict.ts";

/**
 * The format of a policy file: the one source of what is read, of its types, and of `policies/policy.schema.json`.
 * What a field says about itself ends up in the editor of whoever writes a policy. What needs two fields is in `check.ts`.
 */

/** A string that a database and a terminal can show: no control characters, no half of a surrogate pair. */
export function plainText(limit: number) {
  return z
    .string()
    .min(1)
    .max(limit)
    .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), "must be one line of plain text");
}

function checkedText(problem: (text: string) => string | null, limits: { minLength: number; maxLength: number }) {
  return z
    .string()
    .superRefine((text, context) => {
      const message = problem(text);
      if (message) context.addIssue({ code: "custom", message });
    })
    .meta(limits);
}

function nonEmpty<Item extends z.ZodType>(item: Item) {
  return z.array(item).min(1);
}

/** Ids are parts of names such as `cost-allocation/owner`, so they hold no slash. */
const id = plainText(64).regex(
  /^[A-Za-z0-9][A-Za-z0-9._-]*$/,
  "must begin with a letter or number and hold only letters, numbers and . _ -",
);
const tagKey = checkedText(keyProblem, { minLength: 1, maxLength: MAX_KEY_LENGTH });
const tagText = checkedText(valueProblem, { minLength: 0, maxLength: MAX_VALUE_LENGTH });
const keyWildcard = checkedText((text) => (text === "" ? "is empty" : keyProblem(text.replaceAll("*", "x"))), {
  minLength: 1,
  maxLength: MAX_KEY_LENGTH,
});

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
});

const common = {
  id: id.describe(
    "Name of the rule, unique in this file. Findings carry it: changing it closes them and opens new ones.",
  ),
  severity: z.enum(SEVERITIES).default("medium").describe("How bad a violation is."),
  message: plainText(500).optional().describe("One sentence for whoever has to repair it, in place of the usual one."),
};

const keeping = {
  sensitive: z.boolean().default(false).describe("Reports mask the values of this rule's keys."),
  protected: z.boolean().default(false).describe("A repair always needs a person, also under `remediation: auto`."),
};

const KeyFix = z.strictObject({
  variant: z
    .enum(["rename", "review"])
    .default("review")
    .describe("`rename`: move the value from the alias to the key. Only when no value is lost; else a person decides."),
  missing: z
    .union([
      z.literal("review"),
      z.strictObject({
        value: tagText.describe("The value to write where the key is missing."),
        despite_near_miss: z
          .boolean()
          .default(false)
          .describe("Write it even where a key that looks like a misspelling of this one is there."),
      }),
    ])
    .default("review")
    .describe("What to do where a required key is missing."),
  invalid: z
    .union([
      z.literal("review"),
      z.strictObject({
        map: z
          .record(z.string(), tagText)
          .describe("Value found → value to write. No value that is not named here is ever overwritten."),
      }),
    ])
    .default("review")
    .describe("What to do where the value is not allowed."),
});

/** A rule about one tag key. */
export const KeyRule = z
  .strictObject({
    ...common,
    key: tagKey.describe("The tag key, exact case."),
    aliases: nonEmpty(tagKey)
      .optional()
      .describe("Other spellings in use, exact case. A tag with such a key is a `variant`."),
    required: z.boolean().default(false).describe("Whether the key must be there, with a value that is not empty."),
    values: nonEmpty(tagText).optional().describe("The allowed values, exact case."),
    pattern: plainText(500).optional().describe("RE2 regular expression that the whole value must match."),
    format: z.enum(FORMAT_NAMES).optional().describe("A well-known form that the value must have."),
    allow_empty: z.boolean().default(false).describe("An empty value passes, whatever else the rule says."),
    ...keeping,
    fix: KeyFix.prefault({}).describe("How to repair each kind of violation; a person, when absent."),
  })
  .describe("A rule about one tag key.");

/** A rule that forbids tag keys. */
export const ForbiddenRule = z
  .strictObject({
    ...common,
    forbidden: nonEmpty(keyWildcard).describe("Tag keys that must not be there, exact case. `*` is a wildcard."),
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

/** Four times the tags that a resource can hold; each rule is compiled before anything is known of it. */
export const MAX_RULES = 200;

/** The file. */
export const Policy = z
  .strictObject({
    version: z.literal(1).describe("Version of the policy language."),
    id: id.describe("Name of the policy, unique among all files. Findings carry it."),
    title: plainText(200).optional().describe("What this policy is for, in a few words. The id, when absent."),
    owner: plainText(200).optional().describe("Who answers for this policy."),
    remediation: z
      .enum(["off", "plan", "auto"])
      .default("plan")
      .describe("`off`: report only. `plan`: repairs are planned, a person approves. `auto`: repaired after a scan."),
    applies_to: AppliesTo.prefault({}).describe(
      "Which resources. Every field that is given must match; a list matches if any item does.",
    ),
    rules: nonEmpty(z.union([KeyRule, ForbiddenRule, LimitRule]))
      .max(MAX_RULES)
      .describe("One rule says everything about one key."),
  })
  .meta({ title: "Tagwarden policy" });

/** A policy as read, defaults filled in. */
export type Policy = z.infer<typeof Policy>;
export type KeyRule = z.infer<typeof KeyRule>;
export type ForbiddenRule = z.infer<typeof ForbiddenRule>;
export type LimitRule = z.infer<typeof LimitRule>;
/** A rule as read, defaults filled in. */
export type Rule = KeyRule | ForbiddenRule | LimitRule;

/** JSON Schema of a policy file, for editors. Draft 7, because that is what YAML language servers read. */
export function policyJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(Policy, { target: "draft-7", io: "input" });
}
