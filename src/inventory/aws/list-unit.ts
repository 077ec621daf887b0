import { createHash } from "node:crypto";
import { toReadError } from "../call-error.ts";
import { resourceFromSummary } from "../resource-from-summary.ts";
import type { ReadError, Resource, Unit } from "../resource.ts";
import { RESOURCE_TYPES, type ResourceType } from "../resource-types.ts";
import { personalizeSdk } from "./sdk.ts";
import type { TargetApi } from "./session.ts";

/** Pages of this size are the most that every List operation of Personalize gives. */
const PAGE_SIZE = 100;

/** Pages in a row that bring nothing new, after which a list has no end. Empty pages on the way are legal. */
const IDLE_PAGES = 200;

/** How a listing ended. */
export type ListEnd = {
  /** The last page was reached, and every entry on the way was a resource of this unit: who was not listed is not there. */
  readonly listed: boolean;
  readonly pages: number;
  /** Entries that were no resource of this unit. */
  readonly rejected: number;
  /** What ended the list early, or what was wrong with the first rejected entry. */
  readonly error: ReadError | null;
};

type ListInput = { readonly maxResults: number; readonly nextToken?: string };
type ListOutput = Readonly<Record<string, unknown>> & { readonly nextToken?: string };

/**
 * Lists a unit page by page, each ARN once, and returns how that ended; an AWS error is an end, never thrown. A token that
 * the service no longer accepts starts the list over, once. Throws only when `signal` aborts.
 */
export async function* listUnit(
  api: TargetApi,
  type: ResourceType,
  signal: AbortSignal,
): AsyncGenerator<Resource[], ListEnd, undefined> {
  const unit: Unit = { ...api.target, type };
  const { list_operation: operation, list_key } = RESOURCE_TYPES[type];
  const seen = new Set<string>();
  let tokens = new Set<string>();
  let nextToken: string | undefined;
  let restarted = false;
  let pages = 0;
  /** Pages in a row without anything new that are still believed: those read before the list began anew come again. */
  let patience = IDLE_PAGES;
  let rejected = 0;
  let firstRejection: ReadError | null = null;
  for (;;) {
    let output: ListOutput;
    try {
      output = await list(
        api,
        operation,
        { maxResults: PAGE_SIZE, ...(nextToken !== undefined && { nextToken }) },
        signal,
      );
    } catch (cause) {
      signal.throwIfAborted();
      const error = toReadError(cause, operation);
      if (error.name === "InvalidNextTokenException" && nextToken !== undefined && !restarted) {
        restarted = true;
        patience = IDLE_PAGES + pages;
        nextToken = undefined;
        tokens = new Set();
        continue;
      }
      return { listed: false, pages, rejected, error };
    }
    const entries = output[list_key];
    if (!Array.isArray(entries)) {
      // A reply without the list must not look like the end of it.
      const error = { name: "UnexpectedReply", message: `the reply has no field ${list_key}`, operation };
      return { listed: false, pages, rejected, error };
    }
    pages += 1;
    const page: Resource[] = [];
    for (const entry of entries as Readonly<Record<string, unknown>>[]) {
      const resource = resourceFromSummary(unit, entry);
      if (typeof resource === "string") {
        rejected += 1;
        firstRejection ??= { name: "UnexpectedEntry", message: resource, operation };
      } else if (!seen.has(resource.arn)) {
        seen.add(resource.arn);
        page.push(resource);
      }
    }
    yield page;
    patience = page.length > 0 ? Math.max(patience - 1, IDLE_PAGES) : patience - 1;
    if (patience === 0) {
      const message = `the last ${IDLE_PAGES} pages brought nothing new, and there is no end`;
      return { listed: false, pages, rejected, error: { name: "EndlessList", message, operation } };
    }
    nextToken = output.nextToken;
    // An empty token ends the list as well as none.
    if (!nextToken) return { listed: rejected === 0, pages, rejected, error: firstRejection };
    // Tokens have up to 1,500 characters, and a long list has thousands.
    const mark = createHash("sha256").update(nextToken).digest("base64url");
    if (tokens.has(mark)) {
      const message = `page ${pages} leads back to a page that was read before`;
      return { listed: false, pages, rejected, error: { name: "RepeatedToken", message, operation } };
    }
    tokens.add(mark);
  }
}

/** Sends a List command by the operation's name: the SDK's classes are called after the operations. */
async function list(api: TargetApi, operation: string, input: ListInput, signal: AbortSignal): Promise<ListOutput> {
  const sdk = await personalizeSdk();
  // All List commands that take no required field have the form of this one.
  const Command = (sdk as unknown as Record<string, typeof sdk.ListDatasetGroupsCommand | undefined>)[
    `${operation}Command`
  ];
  if (!Command) throw new Error(`The AWS SDK knows no ${operation}.`);
  const output = await api.call(
    "list",
    operation,
    (abortSignal) => api.personalize.send(new Command(input), { abortSignal }),
    signal,
  );
  return output as unknown as ListOutput;
}
