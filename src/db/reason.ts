/**
 * Why something failed, in the innermost words: what went wrong in the database, without the query around it. Drivers put the query
 * and its parameters into the message, and those hold tag values, which are neither logged nor stored as an error.
 */
export function reasonOf(error: unknown): string {
  let current = error;
  while (current instanceof Error && current.cause instanceof Error) current = current.cause;
  const { code, message } = (current ?? {}) as { code?: string; message?: string };
  return message?.split("\nparams: ")[0] || code || String(current);
}
