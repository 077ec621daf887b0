import { reasonOf } from "../db/reason.ts";

/** Exit codes of every command. */
export const EXIT = { done: 0, no: 1, usage: 2, incomplete: 3, cannot_begin: 4 } as const;

const USAGE = ["UsageError", "PolicyError"];
const CANNOT_BEGIN = [
  "CannotBeginError",
  "DatabaseOwnedError",
  "DatabaseUnreachableError",
  "CredentialsProviderError",
  "UnrecognizedClientException",
  "InvalidClientTokenId",
  "ExpiredToken",
  "ExpiredTokenException",
  "AccessDenied",
  "AccessDeniedException",
  "TimeoutError",
];

/** The exit code for an error that ended a command, by its name. */
export function exitCodeOf(error: unknown): number {
  const { name, code } = error as { name?: string; code?: string };
  if (name !== undefined && USAGE.includes(name)) return EXIT.usage;
  if (
    (name !== undefined && CANNOT_BEGIN.includes(name)) ||
    /^(ECONN|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH)/.test(code ?? "")
  ) {
    return EXIT.cannot_begin;
  }
  return EXIT.incomplete;
}

/** What to print for an error: its message for what has a name here, and what to do where AWS gives only a name. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (USAGE.includes(error.name) || error.name.startsWith("Database") || error.name === "CannotBeginError")
    return error.message;
  if (error.name === "CredentialsProviderError") {
    return "No AWS credentials were found. Set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or try `npm start`, which needs none.";
  }
  if (exitCodeOf(error) === EXIT.cannot_begin)
    return `AWS could not be asked who calls: ${error.name}: ${error.message}`;
  // Its own message holds the whole query, tag values included.
  if (error.message.startsWith("Failed query: ")) return `The database refused a query: ${reasonOf(error)}`;
  const { code } = error as { code?: string };
  return `${error.name}${code ? ` (${code})` : ""}: ${error.message}${process.env["LOG_LEVEL"] === "debug" ? `\n${error.stack}` : ""}`;
}
