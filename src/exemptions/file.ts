import { z } from "zod";
import {
  accountId,
  arnPattern,
  beginText,
  endText,
  findingKey,
  idText,
  namePattern,
  personText,
  reasonText,
  regionName,
  someOf,
  tagPatterns,
  ticketText,
  typeName,
} from "./form.ts";

/**
 * The format of a file of exemptions: the one source of what is read, of its types, and of `policies/exemptions.schema.json`.
 * What a field says about itself ends up in the editor of whoever writes one.
 */

function oneOrMore<Item extends z.ZodType>(item: Item) {
  return z.union([item, someOf(item)]);
}

const WILD = "`*` is a wildcard.";

export const Entry = z
  .strictObject({
    id: idText.describe("Name of the exemption, unique in this database. Its history goes by it: do not change it."),
    policy: idText.optional().describe("Id of a policy. Absent: any."),
    rule: idText.optional().describe("Id of a rule, of that policy when one is named. Absent: any."),
    key: findingKey.optional().describe("Tag key that the finding is about, exact case. Absent: any."),
    accounts: oneOrMore(accountId).optional().describe("Account ids of twelve digits, in quotes. Absent: all."),
    types: oneOrMore(typeName).optional().describe("Resource types, such as `campaign`. Absent: all."),
    regions: oneOrMore(regionName).optional().describe("Regions, such as `us-east-1`. Absent: all."),
    names: oneOrMore(namePattern)
      .optional()
      .describe(`Names of resources, exact case; a solution version has its solution's. ${WILD} Absent: all.`),
    arns: oneOrMore(arnPattern).optional().describe(`ARNs of resources. ${WILD} Absent: all.`),
    tags: tagPatterns
      .optional()
      .describe(`Tags that the resource has, key to value, exact case; all of them. ${WILD} Absent: any.`),
    reason: reasonText.describe("Why the violation is accepted."),
    ticket: ticketText.optional().describe("Where it was decided, such as `GOV-12`."),
    requested_by: personText.describe("Who asked for it."),
    approved_by: personText.describe("Who accepted it."),
    starts: beginText.optional().describe("A day, from its begin in UTC, or an RFC 3339 instant. Absent: at once."),
    expires: endText.describe(
      "A day, to its end in UTC, or an RFC 3339 instant; at most 180 days after the day on which it begins.",
    ),
  })
  .describe(
    "One decision: which findings are accepted, why, by whom, and until when. Name at least one part of its scope.",
  );

/** Exemptions in one file. Four times what anybody has an eye on. */
const MOST_ENTRIES = 1000;

/** The file. */
export const ExemptionsFile = z
  .strictObject({
    version: z.literal(1).describe("Version of this format."),
    exemptions: z.array(Entry).max(MOST_ENTRIES).describe("Violations that are accepted for a time."),
  })
  .meta({ title: "Tagwarden exemptions" });

/** An exemption as written in a file. */
export type Entry = z.infer<typeof Entry>;

/** JSON Schema of a file of exemptions, for editors. Draft 7, because that is what YAML language servers read. */
export function exemptionsJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(ExemptionsFile, { target: "draft-7", io: "input" });
}
