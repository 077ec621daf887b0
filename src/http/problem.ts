import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { HTTPException } from "hono/http-exception";
import type { ZodError } from "zod";
import { CannotBeginError, UsageError } from "../config.ts";
import { errorCodes, isDatabaseDown } from "../db/down.ts";
import { PageTokenError } from "../reports/page.ts";

/** Every problem that the API answers with; the name is the last part of its `type`. Documented in docs/api.md. */
export const PROBLEMS = {
  "validation-failed": { status: 400, title: "The request is not valid" },
  "unknown-parameter": { status: 400, title: "There is no such query parameter" },
  "page-token-mismatch": { status: 400, title: "The page token belongs to another list" },
  unauthenticated: { status: 401, title: "The key is missing or wrong" },
  "cross-site": { status: 403, title: "Requests from other sites are refused" },
  "not-found": { status: 404, title: "Not found" },
  "method-not-allowed": { status: 405, title: "The method is not allowed here" },
  conflict: { status: 409, title: "What it is now does not allow that" },
  "precondition-failed": { status: 412, title: "It was changed meanwhile" },
  "payload-too-large": { status: 413, title: "The body is too large" },
  "unsupported-media-type": { status: 415, title: "The body has to be JSON" },
  "wrong-host": { status: 421, title: "This server does not answer for that host name" },
  "request-refused": { status: 422, title: "The request cannot be carried out" },
  "idempotency-key-reused": { status: 422, title: "The idempotency key was used for another request" },
  "precondition-required": { status: 428, title: "Say which version is to be changed" },
  internal: { status: 500, title: "Something went wrong here" },
  "dependency-down": { status: 503, title: "The database is not reachable" },
  "query-timeout": { status: 504, title: "The database took too long" },
} as const satisfies Record<string, { status: ContentfulStatusCode; title: string }>;

export type ProblemName = keyof typeof PROBLEMS;

/** One thing that is wrong with a request. `pointer` names the parameter, header or field. */
export type ProblemItem = { readonly pointer: string; readonly detail: string };

/** A request that ends as a problem, thrown from anywhere below a handler. The message is for the caller to read. */
export class ProblemError extends Error {
  readonly problem: ProblemName;
  readonly errors: readonly ProblemItem[];
  constructor(problem: ProblemName, detail: string, errors: readonly ProblemItem[] = []) {
    super(detail);
    this.name = "ProblemError";
    this.problem = problem;
    this.errors = errors;
  }
}

/** The body of an `application/problem+json` answer (RFC 9457). `instance` is the request's id, as in the log. */
function problemBody(error: ProblemError, instance: string) {
  const { status, title } = PROBLEMS[error.problem];
  return {
    type: `/problems/${error.problem}`,
    title,
    status,
    detail: error.message,
    instance,
    ...(error.errors.length > 0 ? { errors: error.errors } : {}),
  };
}

/** Answers with a problem as JSON. */
export function problemResponse(c: Context, error: ProblemError, instance: string): Response {
  const body = problemBody(error, instance);
  return c.body(JSON.stringify(body), body.status, { "Content-Type": "application/problem+json" });
}

/** What zod found, as a problem. */
export function fromZodError(error: ZodError, where: string): ProblemError {
  const unknown = where === "query" && error.issues.some((issue) => issue.code === "unrecognized_keys");
  const items = error.issues.map((issue) => ({
    pointer: issue.code === "unrecognized_keys" ? issue.keys.join(", ") : issue.path.map(String).join("/"),
    detail: issue.message,
  }));
  const detail = items.map((item) => (item.pointer === "" ? item.detail : `${item.pointer}: ${item.detail}`)).join(" ");
  return new ProblemError(unknown ? "unknown-parameter" : "validation-failed", detail, items);
}

/** Turns whatever was thrown into a problem; what is not a problem of the caller tells the caller nothing. */
export function problemOf(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  if (error instanceof HTTPException) {
    // Hono's own validator: a body that is no JSON, or a path that cannot be decoded.
    return new ProblemError("validation-failed", error.message || "The request cannot be read.");
  }
  if (error instanceof UsageError || error instanceof CannotBeginError)
    return new ProblemError("request-refused", error.message);
  if (error instanceof PageTokenError) return new ProblemError("page-token-mismatch", `${error.message}.`);
  const codes = errorCodes(error);
  if (codes.some((code) => code === "57014")) {
    return new ProblemError("query-timeout", "The query was cancelled because it took too long. Narrow the filters.");
  }
  if (isDatabaseDown(error)) {
    return new ProblemError("dependency-down", "The database does not answer. Try again in a moment.");
  }
  if (codes.some((code) => BAD_VALUE.test(code))) {
    return new ProblemError(
      "validation-failed",
      "A value in the request cannot be read; a page token has to be sent back unchanged.",
    );
  }
  return new ProblemError(
    "internal",
    "The request failed. The log of the server has the cause, under the id of this request.",
  );
}

/** PostgreSQL: a value that is no timestamp, no number, no valid text. Only values of requests are cast. */
const BAD_VALUE = /^22(003|007|008|021|P02)$/;
