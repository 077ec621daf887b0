import { z } from "zod";
import { nonEmpty, plainText, tagKey, tagText } from "./field-types.ts";

/** Where a value may be looked up: what the resource has, as a column of the file is called. */
const lookupBy = z.union([
  z.enum(["account_id", "account_name", "region", "type", "name"]),
  z.string().regex(/^tags\..+$/),
]);

/** Where the value for a missing key comes from: exactly one of these. Which one is checked in `check-fix.ts`. */
const source = {
  value: tagText.optional().describe("This value."),
  inherit: z
    .literal(true)
    .optional()
    .describe("The value of the nearest ancestor whose value the rule lets pass. Read anew before it is written."),
  account_tag: tagKey.optional().describe("The value of this tag of the account, as AWS Organizations has it."),
  lookup: z
    .strictObject({
      file: plainText(200).describe("A `.csv` or `.lookup.yaml` file beside the policies."),
      by: z
        .union([lookupBy, nonEmpty(lookupBy)])
        .describe(
          "What is looked up, a column of the file for each: `account_id`, `account_name`, `region`, `type`, `name`, or `tags.Key`. `*` in a cell is a wildcard.",
        ),
      column: plainText(100).describe("The column that holds the value. The first row that matches counts."),
    })
    .optional()
    .describe("The value that a table beside the policies gives."),
  template: plainText(500)
    .optional()
    .describe("Text with CEL expressions in braces: `{resource.name}-{account.name}`. Nothing, where one is absent."),
};

/** What to write where a required key is missing. */
export const MissingFix = z.strictObject({
  ...source,
  otherwise: z
    .union([tagText, z.strictObject(source)])
    .optional()
    .describe("A value, or another source, for where the first one has none that the rule lets pass."),
  despite_near_miss: z
    .boolean()
    .default(false)
    .describe("Write it even where a key that looks like a misspelling of this one is there."),
});

/** What to write in place of a value that is not allowed. */
export const InvalidFix = z.strictObject({
  clean: z
    .strictObject({
      trim: z.boolean().default(false).describe("Leave out spaces at both ends."),
      case: z.enum(["lower", "upper", "title"]).optional().describe("Change the case of all letters."),
      separators: z
        .string()
        .regex(/^[ _.:/=+\-@]?$/, "must be one of space _ . : / = + - @, or empty")
        .optional()
        .describe("Write this in place of each run of spaces and `_ . : / = + - @`."),
    })
    .optional()
    .describe("Clean the value up. If the rule lets the result pass it is written; else the map is asked for it."),
  map: z.record(z.string(), tagText).optional().describe("Value found → value to write."),
  ignore_case: z.boolean().default(false).describe("The values of the map are found in any letter case."),
  patterns: nonEmpty(
    z.strictObject({
      pattern: plainText(500).describe("RE2 expression that the whole value must match; `(?i)` in front ignores case."),
      value: tagText.describe("The value to write."),
    }),
  )
    .optional()
    .describe("Asked in order for what the map does not name."),
  otherwise: tagText
    .optional()
    .describe("The value to write in place of every other value that is not allowed. Without it a person decides."),
});

/** How to repair each kind of violation of a rule about a key. */
export const KeyFix = z.strictObject({
  variant: z
    .enum(["rename", "review"])
    .default("review")
    .describe("`rename`: move the value from the alias to the key. Only when no value is lost; else a person decides."),
  missing: z
    .union([z.literal("review"), MissingFix])
    .default("review")
    .describe("What to do where a required key is missing."),
  invalid: z
    .union([z.literal("review"), InvalidFix])
    .default("review")
    .describe("What to do where the value is not allowed. No value that is not named here is ever overwritten."),
});

export type MissingFix = z.infer<typeof MissingFix>;
export type InvalidFix = z.infer<typeof InvalidFix>;
export type LookupBy = z.infer<typeof lookupBy>;
/** One place that a value may come from, as the file says it. */
export type Source = Pick<MissingFix, "value" | "inherit" | "account_tag" | "lookup" | "template">;
