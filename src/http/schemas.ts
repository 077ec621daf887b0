import { z } from "@hono/zod-openapi";
import { RESOURCE_TYPE_NAMES } from "../inventory/resource-types.ts";
import { FINDING_KINDS, SEVERITIES } from "../policy/verdict.ts";
import { TARGET_STATES, UNIT_STATES } from "../reports/db/scan-lists.ts";

/** Shapes of the API's answers: columns of the views of schema `reporting`, explicitly, so that a new column is not published by itself. */

export const instant = () =>
  z.iso.datetime().openapi({ description: "RFC 3339, UTC", example: "2026-03-01T12:00:00.000Z" });
export const accountId = () => z.string().openapi({ description: "Twelve digits, a string", example: "111122223333" });
export const type = () => z.enum(RESOURCE_TYPE_NAMES as [string, ...string[]]);
export const whole = () => z.int().min(0);
const ratio = (description: string) => z.number().min(0).max(1).nullable().openapi({ description });

/** Why something could not be read. */
const readError = () =>
  z.strictObject({
    name: z.string().openapi({ example: "AccessDeniedException" }),
    message: z.string(),
    operation: z.string().openapi({ example: "ListCampaigns" }),
  });
const ReadError = readError().openapi("ReadError");

/** What a rule saw and what it wanted. */
const Detail = z
  .strictObject({
    message: z.string(),
    observed: z
      .record(z.string(), z.string())
      .openapi({ description: "Keys and values the rule looked at; *** where a rule calls the key sensitive" }),
    expected: z.string(),
    near_miss: z.string().optional(),
    count: z.int().optional(),
    fight: z
      .strictObject({
        policy_id: z.string(),
        rule_id: z.string(),
        reverts: whole(),
        repaired_at: z.iso.datetime().openapi({ description: "When our last repair was recorded" }),
        reverted_at: z.iso.datetime().openapi({ description: "When it was first seen to be reverted" }),
        by: z
          .strictObject({ principal: z.string(), at: z.iso.datetime() })
          .optional()
          .openapi({ description: "Who wrote tags of the resource between the two, where it is known" }),
        lookup: z
          .union([
            z.strictObject({ outcome: z.literal("nobody"), at: z.iso.datetime() }),
            z.strictObject({ outcome: z.literal("failed"), at: z.iso.datetime(), error: readError() }),
          ])
          .optional()
          .openapi({ description: "That CloudTrail named nobody, or why it could not be asked; without `by` only" }),
        end_reason: z.string().optional().openapi({ description: "Why a person ended it" }),
      })
      .optional()
      .openapi({ description: "Of a fight: the rule by which we repair, and how that was reverted" }),
  })
  .openapi("FindingDetail");

export const Finding = z
  .strictObject({
    id: z.string().openapi({ description: "SHA-256, hex, of account, ARN, policy, rule and key: stable over time" }),
    account_id: accountId(),
    region: z.string(),
    type: type(),
    arn: z.string(),
    name: z.string().nullable(),
    owner: z.string().nullable(),
    policy_id: z.string(),
    rule_id: z.string(),
    policy_title: z.string().nullable(),
    policy_owner: z.string().nullable(),
    key: z.string().openapi({ description: "The canonical tag key; empty where the rule is about the tag set" }),
    kind: z.enum(FINDING_KINDS),
    severity: z.enum(SEVERITIES),
    sensitive: z.boolean(),
    detail: Detail,
    source: z.enum(["index", "service"]),
    state: z.enum(["open", "resolved"]),
    effective_status: z.enum(["open", "exempt", "resolved"]),
    exempt_until: instant().nullable(),
    exemption_ids: z.array(z.string()).openapi({ description: "Exemptions that cover it now" }),
    resolution: z.string().nullable(),
    opened_at: instant(),
    opened_cause: z.string(),
    first_opened_at: instant(),
    resolved_at: instant().nullable(),
    reopen_count: whole(),
    last_scan_id: z.uuid().nullable(),
    policy_version: z.int().nullable().openapi({ description: "Version of the set of policies that says so" }),
  })
  .openapi("Finding");

export const FindingEvent = z
  .strictObject({
    id: z.int(),
    at: instant(),
    event: z.enum(["opened", "changed", "reopened", "resolved"]),
    cause: z.string(),
    finding_id: z.string(),
    kind: z.enum(FINDING_KINDS),
    severity: z.enum(SEVERITIES),
    detail: Detail,
    source: z.enum(["index", "service"]).nullable(),
    policy_set_id: z.string(),
    policy_version: z.int().nullable(),
    scan_id: z.uuid().nullable(),
    actor: z.string().nullable(),
  })
  .openapi("FindingEvent");

export const STATUSES = ["compliant", "noncompliant", "exempt", "unknown", "not_applicable"] as const;

export const ResourceItem = z
  .strictObject({
    arn: z.string(),
    account_id: accountId(),
    region: z.string(),
    type: type(),
    name: z.string(),
    owner: z.string().nullable(),
    status: z.enum(STATUSES),
    unknown_reason: z.string().nullable(),
    service_status: z.string().openapi({ description: "As Amazon Personalize spells it", example: "ACTIVE" }),
    tags: z
      .record(z.string(), z.string())
      .nullable()
      .openapi({ description: "null: never read, which is not the same as none" }),
    source: z.enum(["index", "service"]).nullable(),
    tags_read_at: instant().nullable(),
    service_read_at: instant().nullable(),
    reading_error: ReadError.nullable(),
    stack: z.string().nullable(),
    created_at: instant().nullable(),
    first_seen_at: instant(),
    recorded_at: instant(),
    unit_listed_at: instant().nullable(),
    open_findings: whole(),
    exempt_findings: whole(),
  })
  .openapi("Resource");

export const ResourceWithFindings = ResourceItem.extend({ findings: z.array(Finding) }).openapi("ResourceWithFindings");

const readingsShape = {
  readings_index: whole().openapi({ description: "Readings of tags for which the tag index was believed" }),
  readings_service: whole().openapi({ description: "Readings for which the service was asked" }),
  readings_stored: whole().openapi({ description: "Readings for which a stored one of the service stood" }),
  readings_sampled: whole().openapi({ description: "Answers of the index that were checked with the service" }),
  readings_mismatched: whole().openapi({ description: "Of these, those that were wrong" }),
};
const apiCalls = () =>
  z
    .record(z.string(), z.number())
    .openapi({ description: "total, throttled, and a count for each operation; each attempt counts" });

export const Scan = z
  .strictObject({
    id: z.uuid(),
    state: z.enum(["queued", "running", "succeeded", "partial", "failed", "cancelled"]),
    trigger: z.enum(["cli", "api", "schedule", "start"]),
    requested_by: z.string(),
    schedule_id: z.string().nullable(),
    confirm_all: z.boolean(),
    policy_set_id: z.string().nullable(),
    policy_version: z.int().nullable(),
    created_at: instant(),
    started_at: instant().nullable(),
    finished_at: instant().nullable(),
    duration_seconds: z.number().nullable(),
    stop_requested_at: instant().nullable(),
    stop_reason: z.enum(["cancelled", "timed_out"]).nullable(),
    stopped_by: z.string().nullable(),
    targets: whole(),
    targets_ended: whole(),
    seconds_left: z
      .number()
      .nullable()
      .openapi({ description: "Of a running scan, estimated; null before a target has ended" }),
    types: z.array(type()),
    warnings: z.array(z.string()),
    api_calls: apiCalls(),
    calls_per_second: z.number().nullable().openapi({ description: "In the mean since its start" }),
    error: z.string().nullable(),
    units: whole(),
    units_ended: whole(),
    units_complete: whole(),
    resources: whole(),
    unread: whole(),
    opened: whole(),
    reopened: whole(),
    changed: whole(),
    resolved: whole(),
    unchanged: whole(),
    held: whole(),
    ...readingsShape,
  })
  .openapi("Scan");

export const ScanUnit = z
  .strictObject({
    account_id: accountId(),
    region: z.string(),
    type: type(),
    state: z.enum(UNIT_STATES),
    listed: z.boolean(),
    resources: whole(),
    pages: whole(),
    unread: whole(),
    ...readingsShape,
    error: ReadError.nullable(),
    opened: whole(),
    reopened: whole(),
    changed: whole(),
    resolved: whole(),
    unchanged: whole(),
    held: whole(),
    started_at: instant().nullable(),
    finished_at: instant().nullable(),
  })
  .openapi("ScanUnit");

export const ScanTarget = z
  .strictObject({
    account_id: accountId(),
    region: z.string(),
    state: z.enum(TARGET_STATES),
    attempts: whole().openapi({ description: "How often a process took it and neither ended it nor gave it back" }),
    lease_owner: z.string().nullable().openapi({ description: "Who works on it: host, process and a random part" }),
    lease_expires_at: instant()
      .nullable()
      .openapi({ description: "After it another process may take it, unless whoever has it gives a sign of life" }),
    started_at: instant().nullable(),
    finished_at: instant().nullable(),
    api_calls: apiCalls(),
    warnings: z.array(z.string()),
  })
  .openapi("ScanTarget");

const complianceShape = {
  compliant: whole(),
  noncompliant: whole(),
  exempt: whole(),
  unknown: whole(),
  not_applicable: whole(),
  ratio: ratio("compliant ÷ (compliant + noncompliant), rounded down; null: nothing was judged"),
  strict_ratio: ratio("compliant ÷ all in scope, rounded down; exempt and unknown count against"),
  coverage: ratio(
    "share of the resources in scope that are not unknown, rounded down; null while a unit was never read",
  ),
  units_incomplete: whole(),
  units_never_read: whole(),
};

/** One unit that was not read to its end at the last attempt, or never. */
export const IncompleteUnit = z
  .strictObject({
    account_id: accountId(),
    region: z.string(),
    type: type(),
    state: z
      .enum(["complete", "partial", "denied", "failed"])
      .nullable()
      .openapi({ description: "null: never attempted to its end" }),
    error: ReadError.nullable(),
    attempted_at: instant().nullable(),
    listed_at: instant().nullable().openapi({ description: "Last time the list reached its last page" }),
  })
  .openapi("IncompleteUnit");

export const Compliance = z
  .strictObject({
    ...complianceShape,
    as_of: instant().nullable().openapi({ description: "When a unit was last listed to its end; null: none ever was" }),
    oldest_listed_at: instant().nullable().openapi({ description: "The unit that was listed longest ago" }),
    policy_set_id: z.string().nullable(),
    policy_version: z.int().nullable(),
    index_checks: z
      .strictObject({
        sampled: whole(),
        mismatched: whole(),
        mismatch_rate: z.number().nullable().openapi({ description: "mismatched ÷ sampled; null: none was checked" }),
      })
      .openapi({
        description:
          "How often the tag index was wrong in the last 30 days, in the accounts and regions asked for: answers that would have been believed and were checked with the service",
      }),
    incomplete: z
      .array(IncompleteUnit)
      .openapi({ description: "At most 100 of the units that are incomplete or were never read" }),
  })
  .openapi("Compliance");

/** A group of a breakdown. */
export const BreakdownGroup = z
  .strictObject({
    group: z.string().nullable().openapi({ description: "A rule as policy/rule; null: no owner is named" }),
    title: z.string().nullable().openapi({ description: "For rules: the title of the policy" }),
    severity: z.enum(SEVERITIES).nullable().openapi({ description: "For rules" }),
    compliant: whole().nullable(),
    noncompliant: whole(),
    exempt: whole(),
    unknown: whole().nullable(),
    not_applicable: whole().nullable(),
    ratio: complianceShape.ratio,
    strict_ratio: complianceShape.strict_ratio,
    coverage: complianceShape.coverage,
    units_incomplete: whole().nullable(),
    units_never_read: whole().nullable(),
    open_findings: whole(),
    exempt_findings: whole(),
    oldest_opened_at: instant()
      .nullable()
      .openapi({ description: "For keys and rules: start of the oldest open finding" }),
  })
  .openapi("BreakdownGroup", {
    description:
      "Counts of resources, and of findings. For key and rule only resources with findings are known: the other counts are null",
  });

/** Problem details, RFC 9457. */
export const Problem = z
  .strictObject({
    type: z.string().openapi({ example: "/problems/unknown-parameter" }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string().openapi({ description: "Id of the request, as in the log and in X-Request-Id" }),
    errors: z.array(z.strictObject({ pointer: z.string(), detail: z.string() })).optional(),
  })
  .openapi("Problem");

/** How many there are: `AT_LEAST` when counting stopped early. */
const Total = z.strictObject({ count: whole(), type: z.enum(["EXACT", "AT_LEAST"]) }).openapi("Total");

/** A page of a list. */
export function pageOf<T extends z.ZodType>(item: T) {
  return z.strictObject({
    items: z.array(item),
    next_page_token: z.string().nullable().openapi({ description: "null: this is the last page" }),
    total: Total,
    applied_filters: z.record(z.string(), z.array(z.string())),
  });
}

/** The content of an answer, and the body that a request has to have. */
export const json = <T extends z.ZodType>(schema: T) => ({ "application/json": { schema } });
export const body = <T extends z.ZodType>(schema: T) => ({ required: true, content: json(schema) });

export const problem = (description: string) => ({
  description,
  content: { "application/problem+json": { schema: Problem } },
});

/** Problems that every operation may answer with. */
export const commonProblems = {
  400: problem("The request is not valid, or names an unknown parameter"),
  503: problem("The database is not reachable"),
} as const;

export const notFound = { 404: problem("There is no such thing") } as const;

/** Problems of an operation that changes something. */
export const changeProblems = {
  403: problem("The request came from another site"),
  413: problem("The body is larger than 1 MB"),
  415: problem("The body is not JSON"),
  422: problem("The request cannot be carried out, or its idempotency key was used for another"),
} as const;
