import { z } from "zod";
import { RESOURCE_TYPE_NAMES } from "../inventory/resource-types.ts";
import { plainText } from "../policy/field-types.ts";
import { anyWildcard } from "../policy/wildcard.ts";
import { keyProblem, MAX_KEY_LENGTH, MAX_VALUE_LENGTH } from "../tags/limits.ts";
import { beginOf, endOf, INSTANT_FORMS } from "./instants.ts";

/** What the parts of an exemption may be, wherever it is said: in files, through the API and on the command line. */

/** Items of a list. A longer one is a pattern, or several exemptions. */
const MOST_ITEMS = 100;
/** ARNs and a name that no resource has, for telling a pattern that means every resource. */
const NOBODY = "\u{10FFFF}";
const ARNS_OF_NOBODY = ["campaign", "filter"].map(
  (type) => `arn:aws:personalize:xx-none-0:000000000000:${type}/${NOBODY}`,
);

/** Ids of exemptions, policies and rules. They are parts of names such as `cost-allocation/owner`, so they hold no slash. */
export const idText = plainText(64).regex(
  /^[A-Za-z0-9][A-Za-z0-9._-]*$/,
  "must begin with a letter or number and hold only letters, numbers and . _ -",
);

/** A tag key as a finding is about it. */
export const findingKey = z
  .string()
  .superRefine((key, context) => {
    const message = keyProblem(key);
    if (message) context.addIssue({ code: "custom", message });
  })
  .meta({ minLength: 1, maxLength: MAX_KEY_LENGTH });

export const accountId = z.string().regex(/^\d{12}$/, "must be twelve digits, in quotes");
export const regionName = z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, "must be a region such as `us-east-1`");
export const typeName = z.enum(RESOURCE_TYPE_NAMES);

export const namePattern = plainText(128).refine(
  (pattern) => !anyWildcard([pattern])(NOBODY),
  "matches every name: leave it out to mean any",
);

export const arnPattern = plainText(256)
  .regex(/^(arn:|\*)/, "must be an ARN, or a pattern such as `arn:aws:personalize:*:campaign/poc-*`")
  .refine(
    (pattern) => !ARNS_OF_NOBODY.every(anyWildcard([pattern])),
    "matches every resource: leave it out to mean any",
  );

/** Tags that a resource has to have. Keys of AWS are good here: `aws:cloudformation:stack-name` tells what made it. */
export const tagPatterns = z
  .record(
    plainText(MAX_KEY_LENGTH),
    z
      .string()
      .max(MAX_VALUE_LENGTH)
      .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), "must be one line of plain text"),
  )
  .refine((tags) => Object.keys(tags).length > 0, "names no tag: leave it out to mean any");

export const reasonText = plainText(500);
export const ticketText = plainText(200);
export const personText = plainText(200);

/** When it begins: the first instant of a day. */
export const beginText = z.string().refine((text) => beginOf(text) !== null, `must be ${INSTANT_FORMS}`);
/** When it ends: the last instant of a day. */
export const endText = z.string().refine((text) => endOf(text) !== null, `must be ${INSTANT_FORMS}`);

/** A list that names something. */
export function someOf<Item extends z.ZodType>(item: Item) {
  return z.array(item).min(1).max(MOST_ITEMS);
}
