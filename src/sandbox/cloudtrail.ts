import type { Json } from "./check-input.ts";
import { AwsError } from "./error.ts";
import { parseModel } from "./model.ts";
import { CLOUDTRAIL_MODEL } from "./models/cloudtrail.ts";
import { readToken, writeToken } from "./page-token.ts";
import type { Handler, Service } from "./service.ts";
import type { TrailEvent } from "./trail.ts";

const PAGE = 50;
/** The event history goes back so far. */
const KEPT_MS = 90 * 24 * 3_600_000;

/**
 * What an event says of each attribute that it can be looked up by. Which resources the events of Personalize name is documented
 * nowhere, so these name none.
 */
const ATTRIBUTES: Readonly<Record<string, (event: TrailEvent) => string | null>> = {
  EventId: ({ id }) => id,
  EventName: ({ name }) => name,
  ReadOnly: () => "false",
  Username: ({ username }) => username,
  ResourceType: () => null,
  ResourceName: () => null,
  EventSource: ({ source }) => source,
  AccessKeyId: ({ access_key_id }) => access_key_id,
};

type Attribute = { readonly AttributeKey?: unknown; readonly AttributeValue?: unknown };

/** What CloudTrail refuses under names of its own, rather than as a broken constraint. */
function refuse({ LookupAttributes, MaxResults, EventCategory }: Json): void {
  const attributes = (Array.isArray(LookupAttributes) ? LookupAttributes : []) as Attribute[];
  if (attributes.length > 1) throw refusal("LookupAttributes", "There may be one lookup attribute at most.");
  for (const { AttributeKey, AttributeValue } of attributes)
    if (typeof AttributeKey !== "string" || !Object.hasOwn(ATTRIBUTES, AttributeKey) || !isValue(AttributeValue))
      throw refusal(
        "LookupAttributes",
        `There is no lookup attribute ${String(AttributeKey)}, or its value is not valid.`,
      );
  if (typeof MaxResults === "number" && (MaxResults < 1 || MaxResults > PAGE))
    throw refusal("MaxResults", `MaxResults must be between 1 and ${PAGE}.`);
  if (typeof EventCategory === "string" && EventCategory !== "insight")
    throw refusal("EventCategory", `There is no event category ${EventCategory}.`);
}

function isValue(value: unknown): boolean {
  return typeof value === "string" && value.length >= 1 && value.length <= 2000;
}

const lookupEvents: Handler = (input, { world, caller, now }) => {
  const { LookupAttributes, StartTime, EndTime, EventCategory, MaxResults, NextToken } = input;
  const since = typeof StartTime === "number" ? StartTime * 1000 : now.getTime() - KEPT_MS;
  const until = typeof EndTime === "number" ? EndTime * 1000 : now.getTime();
  if (since > until) throw refusal("TimeRange", "The start time is after the end time.");
  const [attribute] = (LookupAttributes ?? []) as { AttributeKey: string; AttributeValue: string }[];
  const question = `LookupEvents ${JSON.stringify([attribute, StartTime, EndTime, EventCategory])}`;
  const before = typeof NextToken === "string" ? readToken(caller, question, NextToken) : Infinity;
  if (typeof before !== "number") throw refusal("NextToken", "The token is not valid, or of another request.");
  const size = Number(MaxResults ?? PAGE);
  const found = world.trail
    .newestFirst(caller, now)
    .filter(({ position, at }) => position < before && at.getTime() >= since && at.getTime() <= until)
    .filter((event) => !attribute || ATTRIBUTES[attribute.AttributeKey]?.(event) === attribute.AttributeValue)
    .take(EventCategory === "insight" ? 0 : size + 1)
    .toArray();
  const page = found.slice(0, size);
  const last = page.at(-1);
  return {
    Events: page.map(eventView),
    ...(found.length > size && last && { NextToken: writeToken(caller, question, last.position) }),
  };
};

function eventView({ id, name, access_key_id, at, source, username, record }: TrailEvent): Json {
  return {
    EventId: id,
    EventName: name,
    ReadOnly: "false",
    AccessKeyId: access_key_id,
    EventTime: at.getTime() / 1000,
    EventSource: source,
    Username: username,
    Resources: [],
    CloudTrailEvent: record,
  };
}

function refusal(what: string, message: string): AwsError {
  return new AwsError(`Invalid${what}Exception`, message);
}

/** CloudTrail: the event history of the calls that changed something. */
export const CLOUDTRAIL: Service = {
  signing_name: "cloudtrail",
  protocol: "json",
  prefix: "CloudTrail_20131101",
  iam_prefix: "cloudtrail",
  model: parseModel(CLOUDTRAIL_MODEL),
  operations: { LookupEvents: lookupEvents },
  refuse,
  errors: {
    constraint: { name: "InvalidParameterException", status: 400 },
    throttle: { name: "ThrottlingException", status: 400 },
    internal: { name: "InternalFailure", status: 500 },
    denied: { name: "AccessDeniedException", status: 400 },
    unknown_operation: { name: "UnknownOperationException", status: 400 },
  },
};
