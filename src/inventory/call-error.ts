import type { ReadError } from "./resource.ts";
import { storableText } from "./storable-text.ts";

/**
 * What to do after an error of an AWS call.
 * - `throttle`: slow down and try again. `transient`: try again. `credentials`: get new ones and try again.
 * - `denied`: a permission is missing. `final`: trying again would not help.
 */
export type ErrorKind = "throttle" | "transient" | "credentials" | "denied" | "final";

/** Codes by which AWS services say "too fast". Source: the AWS SDK's own list (smithy, service-error-classification). */
const THROTTLES = new Set([
  "BandwidthLimitExceeded",
  "EC2ThrottledException",
  "LimitExceededException",
  "PriorRequestNotComplete",
  "ProvisionedThroughputExceededException",
  "RequestLimitExceeded",
  "RequestThrottled",
  "RequestThrottledException",
  "SlowDown",
  "ThrottledException",
  "Throttling",
  "ThrottlingException",
  "TooManyRequestsException",
  "TransactionInProgressException",
]);

const TRANSIENTS = new Set([
  "TimeoutError",
  "RequestTimeout",
  "RequestTimeoutException",
  "InternalServerException",
  "InternalServerError",
  "InternalServiceException",
  "InternalFailure",
  "InternalError",
  "ServiceUnavailable",
  "ServiceUnavailableException",
  "IDPCommunicationError",
  // A reply that was cut in the middle does not parse.
  "SyntaxError",
  "ECONNRESET",
  "ECONNREFUSED",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "UND_ERR_SOCKET",
]);

const STALE_CREDENTIALS = new Set(["ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"]);

/**
 * The error's own name; errors of the network have only a code, and are named by it. AWS errors are told apart by name,
 * because most are modelled by no class.
 */
export function errorName(error: unknown): string {
  if (typeof error !== "object" || error === null) return "Error";
  const { name, code } = error as { name?: unknown; code?: unknown };
  if (typeof code === "string" && (name === "Error" || TRANSIENTS.has(code)))
    return name === "TimeoutError" ? name : code;
  return typeof name === "string" && name !== "" ? name : "Error";
}

/** Sorts an error of an AWS call by its name, then by its HTTP status. */
export function errorKind(error: unknown): ErrorKind {
  const name = errorName(error);
  const status = (error as { $metadata?: { httpStatusCode?: number } } | null)?.$metadata?.httpStatusCode ?? 0;
  if (THROTTLES.has(name) || status === 429) return "throttle";
  if (STALE_CREDENTIALS.has(name)) return "credentials";
  if (TRANSIENTS.has(name) || status >= 500) return "transient";
  return /^AccessDenied|^UnauthorizedOperation$|^NotAuthorized/.test(name) ? "denied" : "final";
}

/** What the `Retry-After` header of a reply asks for, in milliseconds: seconds or a date; 0 without one. At most 60 s. */
export function retryAfter(error: unknown, now: Date): number {
  const headers = (error as { $response?: { headers?: Record<string, string> } } | null)?.$response?.headers;
  const text = headers?.["retry-after"];
  if (text === undefined) return 0;
  const wait = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now.getTime();
  return Number.isFinite(wait) ? Math.min(60_000, Math.max(0, wait)) : 0;
}

/** Milliseconds to wait before attempt `attempt` (1: the first retry): exponential with full jitter. `random`: 0 ≤ r < 1. */
export function retryDelay(kind: ErrorKind, attempt: number, random: number): number {
  const base = kind === "throttle" ? 500 : 50;
  return random * Math.min(10_000, base * 2 ** (attempt - 1));
}

/** An error as a report shows it: by name, with the operation that met it. */
export function toReadError(error: unknown, operation: string): ReadError {
  const message = error instanceof Error ? error.message : String(error);
  return { name: errorName(error), message: storableText(message.slice(0, 500)), operation };
}
