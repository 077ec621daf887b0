import { createRoute, z } from "@hono/zod-openapi";
import { SLOT_OUTCOMES, slotsPage } from "../../scan/schedules/slots.ts";
import {
  changeSchedule,
  createSchedule,
  removeSchedule,
  type ScheduleDecided,
  type ScheduleItem,
  type ScheduleRefusal,
  type ScheduleTerms,
  schedule,
  schedulesPage,
} from "../../scan/schedules/store.ts";
import type { HttpDeps } from "../deps.ts";
import { IdempotentAnswers } from "../idempotency.ts";
import { appliedFilters, exactly, listOf, pageParameters, publish } from "../params.ts";
import { ProblemError } from "../problem.ts";
import { apiRouter } from "../router.ts";
import { NewSchedule, Schedule, ScheduleChange, ScheduleSlot } from "../schedule-schemas.ts";
import { changeProblems, commonProblems, notFound, pageOf, problem } from "../schemas.ts";

const Id = z.object({
  id: z
    .string()
    .min(1)
    .max(64)
    .openapi({ param: { name: "id", in: "path" } }),
});
const ETag = z.object({ ETag: z.string().openapi({ description: "Its version, in quotes" }) });

/** Schedules: to look at, to make, to change and to remove. Who does it is what the request says: there is no sign-in. */
export function scheduleRoutes({ database, now, checkScope }: HttpDeps) {
  const answers = new IdempotentAnswers<string>(now);
  return apiRouter()
    .openapi(
      createRoute({
        method: "get",
        path: "/schedules",
        operationId: "listSchedules",
        tags: ["schedules"],
        summary: "Schedules by their ids, each with its last and its next slot",
        request: {
          query: exactly({
            origin: listOf(["config", "api"], "Where it is said"),
            enabled: z.enum(["true", "false"]).optional(),
            ...pageParameters,
          }),
        },
        responses: {
          200: {
            description: "A page",
            content: { "application/json": { schema: pageOf(Schedule).openapi("SchedulePage") } },
          },
          ...commonProblems,
        },
      }),
      async (c) => {
        const { page_size, page_token, origin, enabled } = c.req.valid("query");
        const filters = { origin, enabled: enabled === undefined ? undefined : enabled === "true" };
        const page = await schedulesPage(database, filters, { page_size, page_token });
        const items = page.items.map((row) => publish(Schedule, row));
        return c.json({ ...page, items, applied_filters: appliedFilters({ origin, enabled }) }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/schedules",
        operationId: "createSchedule",
        tags: ["schedules"],
        summary: "Let scans begin by themselves",
        request: {
          headers: z.object({
            "idempotency-key": z
              .string()
              .optional()
              .openapi({ description: "Repeated with the same body within 24 h, the same schedule is the answer" }),
          }),
          body: { required: true, content: { "application/json": { schema: NewSchedule } } },
        },
        responses: {
          201: {
            description: "It counts from now on; Location names it",
            headers: ETag.extend({ Location: z.string() }),
            content: { "application/json": { schema: Schedule } },
          },
          ...commonProblems,
          ...changeProblems,
          409: problem("There is one with this id"),
        },
      }),
      async (c) => {
        const body = c.req.valid("json");
        const { id: asked, created_by, ...terms } = body;
        const id = await answers.once(c.req.valid("header")["idempotency-key"], body, async () => {
          await checkScope(scopeOf(terms));
          return done(await createSchedule(database, asked, terms, created_by));
        });
        const made = await found(id);
        return c.json(publish(Schedule, made), 201, { Location: `/api/v1/schedules/${id}`, ETag: etagOf(made) });
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/schedules/{id}",
        operationId: "getSchedule",
        tags: ["schedules"],
        summary: "One schedule",
        request: { params: Id },
        responses: {
          200: { description: "The schedule", headers: ETag, content: { "application/json": { schema: Schedule } } },
          ...commonProblems,
          ...notFound,
        },
      }),
      async (c) => {
        const row = await found(c.req.valid("param").id);
        return c.json(publish(Schedule, row), 200, { ETag: etagOf(row) });
      },
    )
    .openapi(
      createRoute({
        method: "patch",
        path: "/schedules/{id}",
        operationId: "updateSchedule",
        tags: ["schedules"],
        summary: "Change a schedule; what is left out stays",
        request: {
          params: Id,
          headers: z.object({
            "if-match": z.string().optional().openapi({ description: "The ETag of what is to be changed; needed" }),
          }),
          body: { required: true, content: { "application/json": { schema: ScheduleChange } } },
        },
        responses: {
          200: { description: "As it is now", headers: ETag, content: { "application/json": { schema: Schedule } } },
          ...commonProblems,
          ...notFound,
          ...changeProblems,
          409: problem("The configuration file says it"),
          412: problem("It was changed meanwhile"),
          428: problem("If-Match is missing"),
        },
      }),
      async (c) => {
        const { id } = c.req.valid("param");
        const version = versionOf(c.req.valid("header")["if-match"]);
        const { updated_by, ...given } = c.req.valid("json");
        const change = Object.fromEntries(
          Object.entries(given).filter(([, value]) => value !== undefined),
        ) as Partial<ScheduleTerms>;
        await checkScope(scopeOf({ ...(await found(id)), ...change }));
        done(await changeSchedule(database, id, change, { version, actor: updated_by }));
        const row = await found(id);
        return c.json(publish(Schedule, row), 200, { ETag: etagOf(row) });
      },
    )
    .openapi(
      createRoute({
        method: "delete",
        path: "/schedules/{id}",
        operationId: "deleteSchedule",
        tags: ["schedules"],
        summary: "Remove a schedule; its slots stay, and a scan that runs goes on",
        request: { params: Id },
        responses: {
          204: { description: "It is gone" },
          ...commonProblems,
          ...notFound,
          403: changeProblems[403],
          409: problem("The configuration file says it"),
        },
      }),
      async (c) => {
        done(await removeSchedule(database, c.req.valid("param").id, "api"));
        return c.body(null, 204);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/schedules/{id}/slots",
        operationId: "listScheduleSlots",
        tags: ["schedules"],
        summary: "What came of a schedule's slots, the latest first, also of one that is gone",
        request: { params: Id, query: exactly({ outcome: listOf(SLOT_OUTCOMES, "Outcomes"), ...pageParameters }) },
        responses: {
          200: {
            description: "A page",
            content: { "application/json": { schema: pageOf(ScheduleSlot).openapi("ScheduleSlotPage") } },
          },
          ...commonProblems,
          ...notFound,
        },
      }),
      async (c) => {
        const { id } = c.req.valid("param");
        const { page_size, page_token, ...filters } = c.req.valid("query");
        const page = await slotsPage(database, id, filters, { page_size, page_token });
        if (page.items.length === 0 && (await slotsPage(database, id, {}, { page_size: 1 })).items.length === 0)
          await found(id);
        const items = page.items.map((row) => publish(ScheduleSlot, row));
        return c.json({ ...page, items, applied_filters: appliedFilters(filters) }, 200);
      },
    );

  async function found(id: string): Promise<ScheduleItem> {
    const row = await schedule(database, id);
    if (row === null) throw problemOf({ outcome: "not_found" });
    return row;
  }
}

function scopeOf({ accounts, regions, types }: Pick<ScheduleTerms, "accounts" | "regions" | "types">) {
  return { accounts: accounts ?? undefined, regions: regions ?? undefined, types: types ?? undefined };
}

/** The id of what was done. Throws the problem that refused it. */
function done(decided: ScheduleDecided): string {
  if (decided.outcome === "done") return decided.schedule.id;
  throw problemOf(decided);
}

function problemOf(refusal: ScheduleRefusal): ProblemError {
  switch (refusal.outcome) {
    case "not_found":
      return new ProblemError("not-found", "There is no schedule with this id.");
    case "exists":
      return new ProblemError("conflict", "There is a schedule with this id.");
    case "of_config":
      return new ProblemError("conflict", "The configuration file, tagwarden.yaml, says it: change it there.");
    case "stale":
      return new ProblemError("precondition-failed", `It has version ${refusal.version} now. Look at it again.`);
    case "invalid": {
      const items = refusal.problems.map(({ field, message }) => ({ pointer: field, detail: message }));
      return new ProblemError(
        "validation-failed",
        items.map(({ pointer, detail }) => `${pointer}: ${detail}`).join(" "),
        items,
      );
    }
    default:
      return refusal satisfies never;
  }
}

function etagOf({ version }: { version: number }): string {
  return `"${version}"`;
}

/** The version that If-Match names. Throws ProblemError where it is missing or names none of ours. */
function versionOf(if_match: string | undefined): number {
  if (if_match === undefined) {
    throw new ProblemError("precondition-required", "Send If-Match with the ETag of the schedule that was looked at.");
  }
  const [, version] = /^"(\d{1,9})"$/.exec(if_match.trim()) ?? [];
  if (version === undefined) throw new ProblemError("precondition-failed", "If-Match names no version of a schedule.");
  return Number(version);
}
