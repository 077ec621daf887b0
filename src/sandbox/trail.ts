import { randomUUID } from "node:crypto";
import type { Place } from "./arn.ts";
import type { Caller } from "./caller.ts";
import { partitionOf } from "./caller.ts";
import type { Json } from "./check-input.ts";

/** A call as CloudTrail keeps it. */
export type TrailEvent = {
  /** Order in its account and region, from 0. */
  readonly position: number;
  readonly id: string;
  readonly name: string;
  readonly source: string;
  /** To the second, as in the records of AWS. */
  readonly at: Date;
  readonly username: string;
  readonly access_key_id: string;
  /** The record, JSON. Source of its layout: CloudTrail User Guide, "CloudTrail record contents". */
  readonly record: string;
};

/** A call to be kept. */
export type TrailCall = {
  readonly caller: Caller;
  readonly name: string;
  /** As `personalize.amazonaws.com`. */
  readonly source: string;
  readonly input: Json;
  /** Null where the call failed. */
  readonly answer: Json | null;
  /** Null where it succeeded. */
  readonly error: { readonly name: string; readonly message: string } | null;
  readonly at: Date;
};

/** So many calls are kept of each account and region, the newest. */
const MOST_KEPT = 10_000;

/** What the records of Personalize show in place of values that may be secret. */
const HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS";

/** The calls that changed something, by account and region: the event history of CloudTrail. In memory only. */
export class Trail {
  readonly #lag_ms: number;
  readonly #events = new Map<string, TrailEvent[]>();
  #count = 0;

  /** `lag_ms`: how long after a call its event can be looked up. */
  constructor(lag_ms: number) {
    this.#lag_ms = lag_ms;
  }

  keep(call: TrailCall): void {
    const { caller, name, source, at } = call;
    const key = keyOf(caller);
    const events = this.#events.get(key) ?? [];
    const id = randomUUID();
    events.push({
      position: this.#count++,
      id,
      name,
      source,
      at: new Date(Math.floor(at.getTime() / 1000) * 1000),
      username: usernameOf(caller),
      access_key_id: caller.access_key_id,
      record: JSON.stringify(recordOf(call, id)),
    });
    // Now and then, so that a busy account does not move its whole history at each call.
    if (events.length > 1.1 * MOST_KEPT) events.splice(0, events.length - MOST_KEPT);
    this.#events.set(key, events);
  }

  /** What can be looked up at an instant, the newest first. */
  *newestFirst(place: Place, now: Date): Generator<TrailEvent, void> {
    const delivered = now.getTime() - this.#lag_ms;
    for (const event of (this.#events.get(keyOf(place)) ?? []).slice(-MOST_KEPT).toReversed())
      if (event.at.getTime() <= delivered) yield event;
  }
}

function keyOf({ account_id, region }: Place): string {
  return `${account_id}/${region}`;
}

/** The user, or the session of a role: what CloudTrail calls the user name. */
function usernameOf({ arn }: Caller): string {
  return arn.slice(arn.lastIndexOf("/") + 1);
}

function recordOf({ caller, name, source, input, answer, error, at }: TrailCall, id: string): Json {
  return {
    eventVersion: "1.11",
    userIdentity: identityOf(caller),
    eventTime: `${at.toISOString().slice(0, 19)}Z`,
    eventSource: source,
    eventName: name,
    awsRegion: caller.region,
    sourceIPAddress: "127.0.0.1",
    userAgent: "sandbox",
    ...(error && { errorCode: error.name, errorMessage: error.message }),
    requestParameters: { ...input, ...("tags" in input && { tags: HIDDEN }) },
    responseElements: answer === null || Object.keys(answer).length === 0 ? null : answer,
    requestID: randomUUID(),
    eventID: id,
    readOnly: false,
    eventType: "AwsApiCall",
    managementEvent: true,
    recipientAccountId: caller.account_id,
    eventCategory: "Management",
  };
}

function identityOf(caller: Caller): Json {
  const { arn, user_id, account_id, access_key_id, role, region } = caller;
  const known = { principalId: user_id, arn, accountId: account_id, accessKeyId: access_key_id };
  if (role === null) return { type: "IAMUser", ...known, userName: usernameOf(caller) };
  const sessionIssuer = {
    type: "Role",
    principalId: user_id.slice(0, user_id.indexOf(":")),
    arn: `arn:${partitionOf(region)}:iam::${account_id}:role/${role}`,
    accountId: account_id,
    userName: role,
  };
  return {
    type: "AssumedRole",
    ...known,
    sessionContext: { sessionIssuer, attributes: { mfaAuthenticated: "false" } },
  };
}
