import { createRoute, z } from "@hono/zod-openapi";
import { toAsked, toEnd } from "../../exemptions/asked.ts";
import { EXEMPTION_STATUSES } from "../../exemptions/exemption.ts";
import {
  changeExemption,
  createExemption,
  type Decided,
  exemptionHistory,
  type Refusal,
  revokeExemption,
} from "../../exemptions/store.ts";
import { type ExemptionFilters, exemption, exemptionsPage, NOT_OVER } from "../../reports/db/exemptions.ts";
import type { HttpDeps } from "../deps.ts";
import {
  Exemption,
  ExemptionChange,
  ExemptionEvent,
  ExemptionWithHistory,
  NewExemption,
  Revocation,
} from "../exemption-schemas.ts";
import { IdempotentAnswers } from "../idempotency.ts";
import { appliedFilters, exactly, listOf, listOfText, pageParameters, publish } from "../params.ts";
import { ProblemError } from "../problem.ts";
import { apiRouter } from "../router.ts";
import { changeProblems, commonProblems, notFound, pageOf, problem } from "../schemas.ts";

const Id = z.object({
  id: z
    .string()
    .min(1)
    .max(64)
    .openapi({ param: { name: "id", in: "path" } }),
});
const ETag = z.object({ ETag: z.string().openapi({ description: "Its version, in quotes" }) });
const MOST_DAYS = 180;

const ListQuery = exactly({
  status: listOf([...EXEMPTION_STATUSES, "all"], "active and pending when absent"),
  expiring_within_days: z.coerce
    .number("has to be a whole number")
    .int("has to be a whole number")
    .min(0, "has to be at least 0")
    .max(MOST_DAYS, `has to be at most ${MOST_DAYS}`)
    .optional()
    .openapi({ type: "integer", minimum: 0, maximum: MOST_DAYS, description: "Active, and ends so soon" }),
  unused: z.enum(["true", "false"]).optional().openapi({ description: "true: active, and covers no open finding now" }),
  policy_id: listOfText("Those that name one of these policies"),
  rule_id: listOfText("Those that name one of these rules"),
  account_id: listOfText("Those that name one of these accounts", {
    test: /^\d{12}$/,
    say: "An account id has twelve digits.",
  }),
  ...pageParameters,
});

/** Exemptions: to look at, to make, to change and to revoke. Who does it is what the request says: there is no sign-in. */
export function exemptionRoutes({ database, now }: HttpDeps) {
  const answers = new IdempotentAnswers<string>(now);
  return apiRouter()
    .openapi(
      createRoute({
        method: "get",
        path: "/exemptions",
        operationId: "listExemptions",
        tags: ["exemptions"],
        summary: "Exemptions, by default those that are not over, the one that ends first first",
        request: { query: ListQuery },
        responses: {
          200: {
            description: "A page",
            content: { "application/json": { schema: pageOf(Exemption).openapi("ExemptionPage") } },
          },
          ...commonProblems,
        },
      }),
      async (c) => {
        const {
          page_size,
          page_token,
          status = [...NOT_OVER],
          unused,
          expiring_within_days,
          ...rest
        } = c.req.valid("query");
        const filters: ExemptionFilters = {
          ...rest,
          status,
          expiring_within_days,
          unused: unused === undefined ? undefined : unused === "true",
        };
        const page = await exemptionsPage(database, filters, { page_size, page_token });
        const items = page.items.map((row) => publish(Exemption, row));
        const applied = { ...rest, status, unused, expiring_within_days: expiring_within_days?.toString() };
        return c.json({ ...page, items, applied_filters: appliedFilters(applied) }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/exemptions",
        operationId: "createExemption",
        tags: ["exemptions"],
        summary: "Accept violations for a time",
        request: {
          headers: z.object({
            "idempotency-key": z
              .string()
              .optional()
              .openapi({ description: "Repeated with the same body within 24 h, the same exemption is the answer" }),
          }),
          body: { required: true, content: { "application/json": { schema: NewExemption } } },
        },
        responses: {
          201: {
            description: "It is recorded; Location names it",
            headers: ETag.extend({ Location: z.string() }),
            content: { "application/json": { schema: Exemption } },
          },
          ...commonProblems,
          ...changeProblems,
        },
      }),
      async (c) => {
        const body = c.req.valid("json");
        const id = await answers.once(c.req.valid("header")["idempotency-key"], body, async () =>
          done(await createExemption(database, toAsked(body), { source: "api", actor: body.requested_by })),
        );
        const made = await found(id);
        return c.json(publish(Exemption, made), 201, { Location: `/api/v1/exemptions/${id}`, ETag: etagOf(made) });
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/exemptions/{id}",
        operationId: "getExemption",
        tags: ["exemptions"],
        summary: "One exemption with what was decided about it, the oldest first",
        request: { params: Id },
        responses: {
          200: {
            description: "The exemption",
            headers: ETag,
            content: { "application/json": { schema: ExemptionWithHistory } },
          },
          ...commonProblems,
          ...notFound,
        },
      }),
      async (c) => {
        const row = await found(c.req.valid("param").id);
        const history = (await exemptionHistory(database, row.id)).map((event) => publish(ExemptionEvent, event));
        return c.json({ ...publish(Exemption, row), history }, 200, { ETag: etagOf(row) });
      },
    )
    .openapi(
      createRoute({
        method: "patch",
        path: "/exemptions/{id}",
        operationId: "updateExemption",
        tags: ["exemptions"],
        summary: "Extend or shorten an exemption, or change what is said about it",
        request: {
          params: Id,
          headers: z.object({
            "if-match": z.string().optional().openapi({ description: "The ETag of what is to be changed; needed" }),
          }),
          body: { required: true, content: { "application/json": { schema: ExemptionChange } } },
        },
        responses: {
          200: { description: "As it is now", headers: ETag, content: { "application/json": { schema: Exemption } } },
          ...commonProblems,
          ...notFound,
          ...changeProblems,
          409: problem("Its file says it, or it was revoked"),
          412: problem("It was changed meanwhile"),
          428: problem("If-Match is missing"),
        },
      }),
      async (c) => {
        const { id } = c.req.valid("param");
        const version = versionOf(c.req.valid("header")["if-match"]);
        const { changed_by, expires_at, ...rest } = c.req.valid("json");
        const change = { ...rest, ...(expires_at !== undefined && { expires_at: toEnd(expires_at) }) };
        done(await changeExemption(database, id, change, { version, actor: changed_by }));
        const row = await found(id);
        return c.json(publish(Exemption, row), 200, { ETag: etagOf(row) });
      },
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/exemptions/{id}/revoke",
        operationId: "revokeExemption",
        tags: ["exemptions"],
        summary: "End an exemption at once",
        request: {
          params: Id,
          body: { required: true, content: { "application/json": { schema: Revocation } } },
        },
        responses: {
          200: { description: "As it is now", headers: ETag, content: { "application/json": { schema: Exemption } } },
          ...commonProblems,
          ...notFound,
          ...changeProblems,
          409: problem("Its file says it, or it is over"),
        },
      }),
      async (c) => {
        const { id } = c.req.valid("param");
        const { revoked_by, reason = null } = c.req.valid("json");
        done(await revokeExemption(database, id, { actor: revoked_by, note: reason }));
        const row = await found(id);
        return c.json(publish(Exemption, row), 200, { ETag: etagOf(row) });
      },
    );

  async function found(id: string) {
    const row = await exemption(database, id);
    if (row === null) throw problemOf({ outcome: "not_found" });
    return row;
  }
}

/** The id of what was done. Throws the problem that refused it. */
function done(decided: Decided): string {
  if (decided.outcome === "done") return decided.exemption.id;
  throw problemOf(decided);
}

function problemOf(refusal: Refusal): ProblemError {
  switch (refusal.outcome) {
    case "not_found":
      return new ProblemError("not-found", "There is no exemption with this id.");
    case "of_file":
      return new ProblemError("conflict", `${refusal.file} says it: change it there.`);
    case "revoked":
      return new ProblemError("conflict", `It was revoked at ${refusal.at.toISOString()}. Make a new one.`);
    case "expired":
      return new ProblemError("conflict", `It expired at ${refusal.at.toISOString()}: there is nothing to revoke.`);
    case "stale":
      return new ProblemError("precondition-failed", `It has version ${refusal.version} now. Look at it again.`);
    case "unapproved":
      return invalid([{ pointer: "approved_by", detail: "Say who accepts that it ends later." }]);
    case "invalid":
      return invalid(refusal.problems.map(({ field, message }) => ({ pointer: field, detail: message })));
    default:
      return refusal satisfies never;
  }
}

function invalid(items: { pointer: string; detail: string }[]): ProblemError {
  const detail = items.map((item) => `${item.pointer}: ${item.detail}`).join(" ");
  return new ProblemError("validation-failed", detail, items);
}

function etagOf({ version }: { version: number }): string {
  return `"${version}"`;
}

/** The version that If-Match names. Throws ProblemError where it is missing or names none of ours. */
function versionOf(if_match: string | undefined): number {
  if (if_match === undefined) {
    throw new ProblemError("precondition-required", "Send If-Match with the ETag of the exemption that was looked at.");
  }
  const [, version] = /^"(\d{1,9})"$/.exec(if_match.trim()) ?? [];
  if (version === undefined)
    throw new ProblemError("precondition-failed", "If-Match names no version of an exemption.");
  return Number(version);
}
