import { parseArn } from "./parse-arn.ts";
import type { Unit } from "./resource.ts";
import { RESOURCE_TYPE_NAMES, RESOURCE_TYPES } from "./resource-types.ts";
import { storableText } from "./storable-text.ts";

/** What EventBridge delivers: the members that are looked at. Source: EventBridge, page "Events structure". */
export type Delivery = {
  readonly id: string;
  readonly "detail-type": string;
  readonly source: string;
  readonly account: string;
  readonly time: string;
  readonly region: string;
  /** The record of CloudTrail. */
  readonly detail: Readonly<Record<string, unknown>>;
};

/** A call that may have changed the tags of a resource, or whether there is one, as CloudTrail recorded it. It says that, and nothing of the tags. */
export type ChangeEvent = {
  /** Of the delivery: the same when it is delivered again. */
  readonly id: string;
  readonly account_id: string;
  readonly region: string;
  /** Operation, such as `TagResource`. */
  readonly event_name: string;
  /** When it was called, to the second. */
  readonly event_time: Date;
  /** ARN of whoever called, as CloudTrail shows it, or the service of AWS that did; null where it shows neither. */
  readonly principal: string | null;
} & (
  | { readonly unit: Unit; readonly arn: string }
  /** Nothing can be done about it; `reason` says why. */
  | { readonly unit: null; readonly arn: null; readonly reason: string }
);

/** Where the record of a call names the resource. */
type Place = { readonly part: "requestParameters" | "responseElements"; readonly field: string };

const TAGGING: Place = { part: "requestParameters", field: "resourceArn" };

/**
 * Every call after which a resource is looked at again, with where its record names it. Request and response appear in CloudTrail with
 * the names of the service model; Create* names what it made in its response alone.
 */
const PLACES: ReadonlyMap<string, Place> = new Map([
  ["TagResource", TAGGING],
  ["UntagResource", TAGGING],
  ...RESOURCE_TYPE_NAMES.flatMap((type): [string, Place][] => {
    const { create_operation, delete_operation, arn_field: field } = RESOURCE_TYPES[type];
    const created: [string, Place] = [create_operation, { part: "responseElements", field }];
    return delete_operation === null ? [created] : [created, [delete_operation, { part: "requestParameters", field }]];
  }),
]);

/** Names of the calls after which a resource is looked at again. */
export const EVENT_NAMES: readonly string[] = [...PLACES.keys()];

/** Whether a call changes tags only: what else is known of the resource still holds. */
export function changesTagsOnly(event_name: string): boolean {
  return PLACES.get(event_name) === TAGGING;
}

const CALL = "AWS API Call via CloudTrail";
const NOT_CALL = "it is not a call of Amazon Personalize that CloudTrail recorded";

/** Reads a delivery. A text says why it is none of those that the rule in docs/events.md lets through. */
export function changeEvent(delivery: Delivery): ChangeEvent | string {
  const { id, account: account_id, region, time, detail } = delivery;
  const { eventSource, eventName, errorCode } = detail;
  if (delivery.source !== "aws.personalize" || delivery["detail-type"] !== CALL) return NOT_CALL;
  if (eventSource !== "personalize.amazonaws.com" || typeof eventName !== "string") return NOT_CALL;
  const place = PLACES.get(eventName);
  if (place === undefined) return "the call changes no tags, and makes or deletes no resource that can have tags";
  if (errorCode !== undefined && errorCode !== null) return "the call failed, so it changed nothing";
  const identity = detail["userIdentity"];
  // A call that a service of AWS made by itself has no ARN. Source: CloudTrail User Guide, "userIdentity element".
  const principal = member(identity, "arn") ?? member(identity, "invokedBy");
  const event = {
    id,
    account_id,
    region,
    event_name: eventName,
    event_time: new Date(time),
    principal: principal === null ? null : storableText(principal),
  };
  const unusable = (reason: string): ChangeEvent => ({ ...event, unit: null, arn: null, reason });
  const arn = member(detail[place.part], place.field);
  if (arn === null) return unusable(`its record has no ${place.part}.${place.field}`);
  const parsed = arn === storableText(arn) ? parseArn(arn) : null;
  if (parsed === null) return unusable(`its ${place.field} is not the ARN of a resource that can have tags`);
  const { partition, type } = parsed;
  if (parsed.account_id !== account_id || parsed.region !== region)
    return unusable("it is of another account or region than the resource that it names");
  return { ...event, unit: { partition, account_id, region, type }, arn };
}

/** Reads a record of CloudTrail itself, as its event history has it: the same as its delivery. */
export function recordedCall(record: Readonly<Record<string, unknown>>): ChangeEvent | string {
  const text = (field: string) => member(record, field) ?? "";
  const time = text("eventTime");
  if (Number.isNaN(Date.parse(time))) return "its record does not say when it was";
  return changeEvent({
    id: text("eventID"),
    "detail-type": CALL,
    source: "aws.personalize",
    account: text("recipientAccountId"),
    time,
    region: text("awsRegion"),
    detail: record,
  });
}

function member(part: unknown, field: string): string | null {
  if (typeof part !== "object" || part === null || !Object.hasOwn(part, field)) return null;
  const value: unknown = (part as Readonly<Record<string, unknown>>)[field];
  return typeof value === "string" && value !== "" ? value : null;
}
