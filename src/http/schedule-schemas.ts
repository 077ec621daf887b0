import { z } from "@hono/zod-openapi";
import { personText, someOf } from "../exemptions/form.ts";
import { RESOURCE_TYPE_NAMES } from "../inventory/resource-types.ts";
import { SLOT_OUTCOMES } from "../scan/schedules/slots.ts";
import { exactly } from "./params.ts";
import { accountId, instant, type, whole } from "./schemas.ts";

/** Shapes of schedules in requests and answers. */

const CATCH_UP = ["latest", "none"] as const;
const OVERLAP = ["skip", "queue"] as const;

const scheduleId = () =>
  z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "lower-case letters, digits and dashes")
    .openapi({ example: "nightly" });

/** A schedule with what was last decided and what comes next. */
export const Schedule = z
  .strictObject({
    id: scheduleId(),
    origin: z
      .enum(["config", "api"])
      .openapi({ description: "Where it is said; one of the configuration file only that file changes" }),
    cron: z.string().openapi({ example: "30 2 * * *" }),
    time_zone: z.string().openapi({ example: "Europe/Berlin" }),
    jitter_seconds: whole().openapi({
      description: "A slot begins by up to so much later, always the same for a slot",
    }),
    catch_up: z
      .enum(CATCH_UP)
      .openapi({ description: "Of slots that were missed, latest has the last one, none has none" }),
    overlap: z
      .enum(OVERLAP)
      .openapi({ description: "A slot that comes while a scan of it runs is left out (skip), or one waits (queue)" }),
    enabled: z.boolean(),
    accounts: z.array(accountId()).nullable().openapi({ description: "null: all that are configured" }),
    regions: z.array(z.string()).nullable().openapi({ description: "null: all that are configured" }),
    types: z.array(type()).nullable().openapi({ description: "null: all" }),
    next_slot: instant().nullable().openapi({ description: "null: it is not enabled" }),
    next_starts_at: instant().nullable().openapi({ description: "When that begins: with its jitter" }),
    last_slot: instant().nullable(),
    last_outcome: z.enum(SLOT_OUTCOMES).nullable(),
    last_scan_id: z.uuid().nullable(),
    created_at: instant(),
    created_by: z.string(),
    updated_at: instant(),
    updated_by: z.string(),
    version: whole().openapi({ description: "Its ETag: what a change names in If-Match" }),
  })
  .openapi("Schedule");

/** What was decided about a slot. */
export const ScheduleSlot = z
  .strictObject({
    schedule_id: scheduleId(),
    slot: instant().openapi({ description: "The instant that the expression names, jitter not counted" }),
    outcome: z.enum(SLOT_OUTCOMES),
    scan_id: z.uuid().nullable(),
    caught_up: whole().openapi({
      description: "Missed slots that this one settles: itself when it was late, and those before it",
    }),
    decided_at: instant(),
    error: z.string().nullable().openapi({ description: "Why it failed" }),
  })
  .openapi("ScheduleSlot");

const TERMS = {
  cron: z.string().max(200).openapi({ description: "Five fields, as crontab(5) has them", example: "30 2 * * *" }),
  time_zone: z.string().max(64),
  jitter_seconds: z.int().min(0),
  catch_up: z.enum(CATCH_UP),
  overlap: z.enum(OVERLAP),
  enabled: z.boolean(),
  accounts: someOf(z.string().regex(/^\d{12}$/, "an account id has twelve digits")).nullable(),
  regions: someOf(z.string().min(1).max(64)).nullable(),
  types: someOf(z.enum(RESOURCE_TYPE_NAMES)).nullable(),
};

/** What a schedule is to be. */
export const NewSchedule = exactly({
  id: scheduleId(),
  cron: TERMS.cron,
  time_zone: TERMS.time_zone.default("UTC"),
  jitter_seconds: TERMS.jitter_seconds.default(0),
  catch_up: TERMS.catch_up.default("latest"),
  overlap: TERMS.overlap.default("skip"),
  enabled: TERMS.enabled.default(true),
  accounts: TERMS.accounts.default(null),
  regions: TERMS.regions.default(null),
  types: TERMS.types.default(null),
  created_by: personText,
}).openapi("NewSchedule");

/** What is to be different about a schedule. */
export const ScheduleChange = exactly({
  updated_by: personText,
  cron: TERMS.cron.optional(),
  time_zone: TERMS.time_zone.optional(),
  jitter_seconds: TERMS.jitter_seconds.optional(),
  catch_up: TERMS.catch_up.optional(),
  overlap: TERMS.overlap.optional(),
  enabled: TERMS.enabled.optional(),
  accounts: TERMS.accounts.optional(),
  regions: TERMS.regions.optional(),
  types: TERMS.types.optional(),
})
  .refine((change) => Object.keys(change).some((name) => name in TERMS), "Say what is to be different.")
  .openapi("ScheduleChange");
