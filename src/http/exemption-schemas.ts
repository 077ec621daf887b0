import { z } from "@hono/zod-openapi";
import { ASKED } from "../exemptions/asked.ts";
import { EXEMPTION_SOURCES, EXEMPTION_STATUSES } from "../exemptions/exemption.ts";
import { personText, reasonText, ticketText } from "../exemptions/form.ts";
import { exactly } from "./params.ts";
import { accountId, instant, type, whole } from "./schemas.ts";

/** Shapes of exemptions in requests and answers. */

const patterns = (of: string) =>
  z
    .array(z.string())
    .nullable()
    .openapi({ description: `${of}; * is a wildcard; null: any` });

/** An exemption with how it stands now. */
export const Exemption = z
  .strictObject({
    id: z.string().openapi({ description: "As written in its file, else a UUIDv7", example: "poc-campaigns" }),
    source: z
      .enum(EXEMPTION_SOURCES)
      .openapi({ description: "Where it was decided; one of a file only its file changes" }),
    file: z.string().nullable(),
    status: z.enum(EXEMPTION_STATUSES),
    policy_id: z.string().nullable().openapi({ description: "null: any" }),
    rule_id: z.string().nullable().openapi({ description: "null: any" }),
    key: z.string().nullable().openapi({ description: "Tag key that the finding is about; null: any" }),
    accounts: z.array(accountId()).nullable().openapi({ description: "null: any" }),
    regions: z.array(z.string()).nullable().openapi({ description: "null: any" }),
    types: z.array(type()).nullable().openapi({ description: "null: any" }),
    names: patterns("Names of resources"),
    arns: patterns("ARNs of resources"),
    tags: z
      .record(z.string(), z.string())
      .nullable()
      .openapi({ description: "Tags that the resource has, key to pattern of the value, all of them; null: any" }),
    reason: z.string(),
    ticket: z.string().nullable(),
    requested_by: z.string(),
    approved_by: z.string(),
    created_at: instant(),
    starts_at: instant(),
    expires_at: instant(),
    expires_in_days: whole().nullable().openapi({ description: "Whole days; null: it is over" }),
    revoked_at: instant().nullable(),
    revoked_by: z.string().nullable(),
    version: whole().openapi({ description: "Its ETag: what a change names in If-Match" }),
    covered_findings: whole().openapi({ description: "Open findings that it covers now" }),
    unused: z.boolean().openapi({ description: "It is active and covers no open finding" }),
  })
  .openapi("Exemption");

/** Something that was decided about an exemption. */
export const ExemptionEvent = z
  .strictObject({
    id: z.int(),
    at: instant(),
    event: z.enum(["created", "changed", "revoked", "restored"]),
    actor: z.string(),
    version: whole(),
    before: z
      .record(z.string(), z.unknown())
      .nullable()
      .openapi({ description: "The terms that changed, as they were" }),
    after: z.record(z.string(), z.unknown()).nullable().openapi({ description: "The same terms from here on" }),
    note: z.string().nullable(),
  })
  .openapi("ExemptionEvent");

export const ExemptionWithHistory = Exemption.extend({ history: z.array(ExemptionEvent) }).openapi(
  "ExemptionWithHistory",
);

/** What an exemption is to be. */
export const NewExemption = exactly(ASKED).openapi("NewExemption", {
  description: "At least one part of the scope has to be named",
});

/** What is to be different about an exemption. */
export const ExemptionChange = exactly({
  changed_by: personText,
  expires_at: ASKED.expires_at.optional(),
  approved_by: personText.optional().openapi({ description: "Who accepts that it ends later; needed for that" }),
  reason: reasonText.optional(),
  ticket: ticketText.nullable().optional(),
})
  .refine(
    ({ expires_at, reason, ticket }) => [expires_at, reason, ticket].some((one) => one !== undefined),
    "Say what is to be different.",
  )
  .openapi("ExemptionChange");

/** Who revokes an exemption, and why. */
export const Revocation = exactly({ revoked_by: personText, reason: reasonText.optional() }).openapi("Revocation");
