import type * as Sdk from "@aws-sdk/client-organizations";
import { errorKind, errorName } from "../call-error.ts";

/** A client, the SDK's commands for it, and the way that a call takes: limited, counted, tried again. */
export type OrganizationsConnection = {
  readonly sdk: typeof Sdk;
  readonly client: Sdk.OrganizationsClient;
  readonly call: <T>(operation: string, run: (signal: AbortSignal) => Promise<T>) => Promise<T>;
};

/** The caller may not ask this. The message names the action that is missing. */
class MissingPermissionError extends Error {
  override name = "MissingPermissionError";
}

/** The organization has no such account, or the caller is in no organization. */
class NotInOrganizationError extends Error {
  override name = "NotInOrganizationError";
}

/** Organizations accepts no larger page. */
export const PAGE = 20;
const NOT_THERE = [
  "AccountNotFoundException",
  "ChildNotFoundException",
  "OrganizationalUnitNotFoundException",
  "ParentNotFoundException",
  "TargetNotFoundException",
];

/** Makes a call; what a person can mend comes back in words for a person. `about`: what is asked about, as "account 111122223333". */
export async function ask<T>(
  { call }: OrganizationsConnection,
  operation: string,
  about: string,
  send: (options: { readonly abortSignal: AbortSignal }) => Promise<T>,
): Promise<T> {
  try {
    return await call(operation, (abortSignal) => send({ abortSignal }));
  } catch (cause) {
    if (errorKind(cause) === "denied") {
      const message = `The permission organizations:${operation} is missing, or this account may not ask about ${about}: that is for the management account and for delegated administrators. See docs/iam.md.`;
      throw new MissingPermissionError(message, { cause });
    }
    if (errorName(cause) === "AWSOrganizationsNotInUseException")
      throw new NotInOrganizationError("The caller's account is in no organization.", { cause });
    if (NOT_THERE.includes(errorName(cause)))
      throw new NotInOrganizationError(`The organization has no ${about}.`, { cause });
    throw cause;
  }
}

/** All pages of a list: one may be empty although more follow. */
export async function listAll<Item>(
  read: (token: string | undefined) => Promise<{ readonly items: readonly Item[]; readonly next: string | undefined }>,
): Promise<Item[]> {
  const all: Item[] = [];
  const seen = new Set<string>();
  let token: string | undefined;
  do {
    const { items, next } = await read(token);
    all.push(...items);
    token = next === "" ? undefined : next;
    if (token !== undefined && seen.has(token)) throw new Error("Organizations gives the same page again and again.");
    if (token !== undefined) seen.add(token);
  } while (token !== undefined);
  return all;
}

/** A part of an answer that has to be there. */
export function present<T>(part: T | undefined, operation: string): T {
  if (part === undefined) throw new Error(`${operation} of Organizations answered without what was asked for.`);
  return part;
}
