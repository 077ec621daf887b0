import { reasonOf } from "./reason.ts";

/** Connection errors of Node, and classes 08 and 57P of PostgreSQL. */
const DATABASE_DOWN = /^(ECONNREFUSED|ECONNRESET|EPIPE|ENOTFOUND|ETIMEDOUT|EHOSTUNREACH|08...|57P..|53300)$/;

/** What the driver `pg` says of a connection that broke or was never made: it has no codes for it. */
const DRIVER_DOWN =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/;

/** Whether an error says that the database does not answer just now, and not that it refuses what it is told. */
export function isDatabaseDown(error: unknown): boolean {
  return errorCodes(error).some((code) => DATABASE_DOWN.test(code)) || DRIVER_DOWN.test(reasonOf(error));
}

/** The codes of an error and of its causes, outermost first. */
export function errorCodes(error: unknown): string[] {
  const codes: string[] = [];
  let current: unknown = error;
  for (let depth = 0; depth < 5 && current instanceof Error; depth++) {
    if ("code" in current && typeof current.code === "string") codes.push(current.code);
    current = current.cause;
  }
  return codes;
}
