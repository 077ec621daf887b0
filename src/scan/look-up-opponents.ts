import type { Database } from "../db/client.ts";
import { listFights, nameOpponent, noteLookup, type OpenFight } from "../findings/db/fights.ts";
import { isLookupDue, TOO_MANY_EVENTS } from "../findings/fights.ts";
import { recordedCalls, type RecordedPage } from "../inventory/aws/lookup-events.ts";
import type { Aws, TargetApi } from "../inventory/aws/session.ts";
import { toReadError } from "../inventory/call-error.ts";
import type { ChangeEvent } from "../inventory/change-event.ts";
import type { ReadError, Target } from "../inventory/resource.ts";
import { log } from "../log.ts";
import { type OwnWrites, ownWritesSince, wasUnderWay } from "../remediation/db/own-writes.ts";
import { forEachLimited } from "./for-each-limited.ts";
import { lastWriters, type Span, spans, type Wanted } from "./last-writers.ts";
import { CLOCKS_MS } from "./name-opponents.ts";

/** What the lookup works with. */
export type LookupDeps = {
  readonly database: Database;
  readonly aws: Pick<Aws, "target" | "principal">;
  readonly now: () => Date;
  /** Pages that are read in one account and region after one scan; `MOST_PAGES` when absent. */
  readonly most_pages?: number;
};

const TARGETS_AT_ONCE = 4;

/** 5,000 calls that wrote tags, of whatever service: 50 seconds at the rate that AWS allows to all who ask in the account and region. */
const MOST_PAGES = 100;

/** More calls wrote tags than are read after one scan. */
class TooManyEventsError extends Error {
  override name = TOO_MANY_EVENTS;
}

/**
 * Asks CloudTrail, in the targets that were scanned, about the fights of which nobody knows who reverts: who wrote tags of the resource
 * last between our repair and its revert, and was not us. The finding says who, or that nobody is named, or why CloudTrail could not
 * tell. Returns how many were named. Throws when the database fails; ends early when the signal aborts.
 */
export async function lookUpOpponents(
  deps: LookupDeps,
  scanned: readonly Pick<Target, "account_id" | "region">[],
  signal: AbortSignal,
): Promise<number> {
  const { database, now } = deps;
  const asked = new Set(scanned.map(placeOf));
  const due = (await listFights(database)).filter((one) => asked.has(placeOf(one)) && isLookupDue(one.fight, now()));
  const targets = [...Map.groupBy(due, placeOf).values()];
  let named = 0;
  await forEachLimited(targets, TARGETS_AT_ONCE, async (fights) => {
    if (!signal.aborted) named += await lookUpIn(deps, fights, signal);
  });
  return named;
}

function placeOf({ account_id, region }: Pick<Target, "account_id" | "region">): string {
  return `${account_id}/${region}`;
}

/** The fights of one target. */
async function lookUpIn(deps: LookupDeps, fights: readonly OpenFight[], signal: AbortSignal): Promise<number> {
  const { database, now, most_pages = MOST_PAGES } = deps;
  const fightById = new Map(fights.map((fight) => [fight.id, fight]));
  const wanted = fights.map(wantedFor);
  const since = new Date(Math.min(...wanted.map(({ after }) => after.getTime())));
  const writes = await ownWritesSince(database, [...new Set(fights.map(({ arn }) => arn))], since);
  const target = await enter(deps, fights);
  let failure = "error" in target ? target.error : null;
  let pages = 0;
  let named = 0;
  for (const { members, ...span } of spans(wanted)) {
    let writers: Awaited<ReturnType<typeof lastWriters>> = new Map();
    if (failure === null && "api" in target) {
      const { api, ours } = target;
      const read = (event_name: string) =>
        withinBudget(lookUp(api, event_name, span, now(), signal), most_pages, () => ++pages);
      try {
        writers = await lastWriters(members, read, (call) => isOurs(call, ours, writes));
      } catch (cause) {
        failure = toReadError(cause, "LookupEvents");
      }
    }
    if (signal.aborted) return named;
    for (const { id } of members) {
      const fight = fightById.get(id);
      if (fight && (await record(database, fight, writers.get(id), failure, now()))) named++;
    }
  }
  if (failure !== null) {
    const [{ account_id, region } = { account_id: "", region: "" }] = fights;
    log.warn({ account_id, region, error: failure.name }, "CloudTrail could not be asked who reverts repairs");
  }
  return named;
}

function wantedFor({ id, arn, fight }: OpenFight): Wanted {
  const until = new Date(Date.parse(fight.reverted_at) + CLOCKS_MS);
  return { id, arn, after: new Date(fight.repaired_at), until };
}

/** The API of the target, and as whom we write there; null: nothing can be written. */
async function enter(
  { aws }: LookupDeps,
  [first]: readonly OpenFight[],
): Promise<{ readonly api: TargetApi; readonly ours: string | null } | { readonly error: ReadError }> {
  const { account_id, region } = first ?? { account_id: "", region: "" };
  try {
    return { api: await aws.target({ account_id, region }), ours: await aws.principal(account_id) };
  } catch (cause) {
    return { error: toReadError(cause, "AssumeRole") };
  }
}

/** Without an end where that is not over: whether AWS takes one that lies ahead is documented nowhere. */
function lookUp(api: TargetApi, event_name: string, { after, until }: Span, now: Date, signal: AbortSignal) {
  return recordedCalls(api, event_name, { after, until: until < now ? until : null }, signal);
}

async function* withinBudget(
  read: AsyncIterable<RecordedPage>,
  most: number,
  count: () => number,
): AsyncGenerator<RecordedPage, void> {
  for await (const page of read) {
    if (count() > most)
      throw new TooManyEventsError(`more calls wrote tags there at the time than are on ${most} pages`);
    yield page;
  }
}

/**
 * Whether a call may have been ours: made in our session, or as the user or role that we are while a repair of the resource was under way.
 * So a person who reverts with the keys of a user that Tagwarden has too is named all the same.
 */
function isOurs({ principal, arn, event_time }: ChangeEvent, ours: string | null, writes: OwnWrites): boolean {
  if (principal === null || arn === null) return false;
  if (principal === ours && principal.includes(ASSUMED)) return true;
  return wasUnderWay(writes, arn, event_time) && (ours === null || identity(principal) === identity(ours));
}

const ASSUMED = ":assumed-role/";

/** A user, or a role whatever its session: several processes of ours may have one each. */
function identity(principal: string): string {
  return principal.includes(ASSUMED) ? principal.slice(0, principal.lastIndexOf("/")) : principal;
}

/** Writes down what came of it. True: somebody is named. */
async function record(
  database: Database,
  fight: OpenFight,
  writer: { readonly principal: string; readonly at: Date } | undefined,
  error: ReadError | null,
  now: Date,
): Promise<boolean> {
  if (writer) return nameOpponent(database, fight, { principal: writer.principal, at: writer.at.toISOString() }, now);
  const at = now.toISOString();
  await noteLookup(database, fight, error ? { outcome: "failed", at, error } : { outcome: "nobody", at }, now);
  return false;
}
