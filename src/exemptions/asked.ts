import type { z } from "zod";
import { type Asked, scopeOf } from "./exemption.ts";
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
import { beginOf, endOf } from "./instants.ts";

const WILD = "`*` is a wildcard";

/** What may be said of a new exemption through the API and on the command line, in the words of the table. */
export const ASKED = {
  policy_id: idText.optional(),
  rule_id: idText.optional(),
  key: findingKey.optional().describe("Tag key that the finding is about, exact case"),
  accounts: someOf(accountId).optional(),
  regions: someOf(regionName).optional(),
  types: someOf(typeName).optional(),
  names: someOf(namePattern).optional().describe(`Names of resources, exact case; ${WILD}`),
  arns: someOf(arnPattern).optional().describe(`ARNs of resources; ${WILD}`),
  tags: tagPatterns.optional().describe(`Tags that the resource has, key to value, exact case, all of them; ${WILD}`),
  reason: reasonText,
  ticket: ticketText.optional(),
  requested_by: personText,
  approved_by: personText,
  starts_at: beginText.optional().describe("RFC 3339 instant, or a day, from its begin in UTC. Absent: at once"),
  expires_at: endText.describe(
    "RFC 3339 instant, or a day, to its end in UTC; at most 180 days after the day on which it begins",
  ),
};

/** What is asked for, from words that passed the form. */
export function toAsked(words: z.infer<z.ZodObject<typeof ASKED>>): Asked {
  const { reason, ticket = null, requested_by, approved_by, starts_at, expires_at, ...scope } = words;
  return {
    ...scopeOf(scope),
    reason,
    ticket,
    requested_by,
    approved_by,
    starts_at: starts_at === undefined ? null : beginOf(starts_at),
    expires_at: toEnd(expires_at),
  };
}

/** The instant of an end that passed the form. */
export function toEnd(text: string): Date {
  const end = endOf(text);
  if (end === null) throw new Error(`${text} passed as an end and is none`);
  return end;
}
