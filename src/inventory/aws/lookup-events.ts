import { type ChangeEvent, recordedCall } from "../change-event.ts";
import { cloudtrailSdk } from "./sdk.ts";
import type { TargetApi } from "./session.ts";

/** Calls that CloudTrail recorded, the newest first. */
export type RecordedPage = {
  /** Those of them that the events of Tagwarden are about. */
  readonly calls: readonly ChangeEvent[];
  /** Time of the last one on the page, whatever it is about; null: the page is empty. */
  readonly oldest: Date | null;
};

/** The most that AWS gives at once. */
const PAGE = 50;

/**
 * Looks up who called an operation in a target, in any service, page by page; `until` null: to this moment. AWS looks up by one
 * attribute at a time: by the name of the resource would be narrower, but that the events of Personalize name it is documented nowhere.
 * Rejects with the error of AWS, or with UnexpectedReply for a record that cannot be read: it may be the one that is looked for.
 */
export async function* recordedCalls(
  api: TargetApi,
  event_name: string,
  { after, until }: { readonly after: Date; readonly until: Date | null },
  signal?: AbortSignal,
): AsyncGenerator<RecordedPage, void> {
  const { LookupEventsCommand } = await cloudtrailSdk();
  const client = await api.cloudtrail();
  const seen = new Set<string>();
  let token: string | undefined;
  do {
    const command = new LookupEventsCommand({
      LookupAttributes: [{ AttributeKey: "EventName", AttributeValue: event_name }],
      StartTime: after,
      ...(until && { EndTime: until }),
      MaxResults: PAGE,
      NextToken: token,
    });
    const reply = await api.call(
      "events",
      "LookupEvents",
      (abortSignal) => client.send(command, { abortSignal }),
      signal,
    );
    if (!reply.Events) throw unexpected("the reply has no list");
    const calls = reply.Events.map(({ CloudTrailEvent }) => recordedCall(parse(CloudTrailEvent)));
    yield {
      calls: calls.filter((call) => typeof call !== "string"),
      oldest: reply.Events.at(-1)?.EventTime ?? null,
    };
    token = reply.NextToken === "" ? undefined : reply.NextToken;
    if (token !== undefined && seen.has(token)) throw unexpected("the same page comes again and again");
    if (token !== undefined) seen.add(token);
  } while (token !== undefined);
}

function parse(text: string | undefined): Readonly<Record<string, unknown>> {
  try {
    const record: unknown = JSON.parse(text ?? "");
    if (typeof record === "object" && record !== null) return record as Readonly<Record<string, unknown>>;
  } catch {
    // Falls through to the same error as a record that is no object.
  }
  throw unexpected("an event has no record that can be read");
}

function unexpected(message: string): Error {
  return Object.assign(new Error(message), { name: "UnexpectedReply" });
}
