import type { ReadingSource } from "../inventory/resource.ts";
import { OWN_POLICY_ID } from "../policy/own-policy.ts";
import type { FightDetail, FightLookup, ViolationDetail } from "../policy/verdict.ts";
import { type FindingChange, type FindingRow, type Occasion, resolved, scanned } from "./changes.ts";
import { findingId } from "./identity.ts";

/*
 * We repair a key, somebody reverts it, and again: a fight. It becomes a finding of its own, which no rule judges. It is open until a
 * person ends it, the resource is gone, or nothing was found about the key for 7 days; until then no repair writes to the key.
 */

/** A repair that does not hold for so long was reverted by someone; a second time within as long, it is a fight. */
const WITHIN_MS = 7 * 24 * 3_600_000;

/** Reverts, each within 7 days of the one before, that make a fight. */
const REVERTS = 2;

const FIGHT = { policy_id: OWN_POLICY_ID, rule_id: "fight" } as const;

/** Whether a finding tells of a fight, and so is not one that a policy judges. */
export function isFight({ policy_id }: Pick<FindingRow, "policy_id">): boolean {
  return policy_id === OWN_POLICY_ID;
}

/** Whether an instant is no more than 7 days ago; null is not. */
export function isWithin7Days(at: Date | null, now: Date): boolean {
  return at !== null && now.getTime() - at.getTime() <= WITHIN_MS;
}

/** When the last fight over a key ended; null: there was none, or it goes on. */
export function endOfFight(known: readonly FindingRow[], key: string): Date | null {
  return known.find((finding) => isFight(finding) && finding.key === key)?.resolved_at ?? null;
}

/** The count of reverts when one more is seen. What was before the end of a fight counts no more. */
export function revertedOnceMore(
  { reverts, reverted_at }: FindingRow,
  at: Date,
  fight_ended_at: Date | null,
): Pick<FindingRow, "reverts" | "reverted_at"> {
  const isOld = reverted_at !== null && fight_ended_at !== null && reverted_at <= fight_ended_at;
  const counts = isWithin7Days(reverted_at, at) && !isOld;
  return { reverts: counts ? reverts + 1 : 1, reverted_at: at };
}

/** How sure one is of what was seen: see `FindingChange`. `isDoubtful`: a pass that closes nothing. */
type Sight = {
  readonly source: ReadingSource;
  readonly proven: boolean;
  readonly isDoubtful: (finding: FindingRow) => boolean;
};

/** Which fights begin and which are over, given what is known of a resource and what changes about it. `unchanged`: those that go on. */
export function fightChanges(
  known: readonly FindingRow[],
  changes: readonly FindingChange[],
  occasion: Occasion,
  sight: Sight,
): { readonly changes: readonly FindingChange[]; readonly unchanged: number } {
  const fights = known.filter(isFight);
  const open = fights.filter(({ state }) => state === "open");
  const { source, proven } = sight;
  const over = open.filter((fight) => isOver(fight, known, changes, occasion, sight));
  const begun = new Map<string, FindingChange>();
  for (const change of changes) {
    const { key, reverts } = change.finding;
    if (change.event !== "reopened" || change.cause !== "reverted" || reverts < REVERTS) continue;
    if (open.some((fight) => fight.key === key) || begun.has(key)) continue;
    const before = known.find(({ id }) => id === change.finding.id) ?? change.finding;
    const last = fights.find((fight) => fight.key === key) ?? null;
    begun.set(key, beginning(change.finding, before, last, occasion, sight));
  }
  return {
    changes: [
      ...begun.values(),
      ...over.map((fight) => resolved(fight, "fixed_observed", occasion, { source, proven })),
    ],
    unchanged: open.length - over.length,
  };
}

/** Whether all that was ever found about the key has been resolved for 7 days. Another set of policies proves nothing. */
function isOver(
  fight: FindingRow,
  known: readonly FindingRow[],
  changes: readonly FindingChange[],
  occasion: Occasion,
  { isDoubtful }: Sight,
): boolean {
  if (occasion.by === "activation" || isDoubtful(fight)) return false;
  if (changes.some(({ finding }) => finding.key === fight.key && finding.state === "open")) return false;
  return known
    .filter((finding) => !isFight(finding) && finding.key === fight.key)
    .every(
      (finding) =>
        finding.state === "resolved" && !isWithin7Days(finding.resolved_at, occasion.at) && !isDoubtful(finding),
    );
}

/** `before`: the finding that is fought over, while it was repaired. `last`: the row of an earlier fight over the key. */
function beginning(
  over: FindingRow,
  before: FindingRow,
  last: FindingRow | null,
  occasion: Occasion,
  { source }: Sight,
): FindingChange {
  const { account_id, region, type, arn, key, severity, policy_id, rule_id, reverts } = over;
  const detail = fightDetail(key, {
    policy_id,
    rule_id,
    reverts,
    repaired_at: (before.resolved_at ?? occasion.at).toISOString(),
    reverted_at: occasion.at.toISOString(),
  });
  const finding: FindingRow = {
    id: findingId({ account_id, arn, ...FIGHT, key }),
    account_id,
    region,
    type,
    arn,
    ...FIGHT,
    key,
    kind: "fight",
    severity,
    detail,
    policy_set_id: occasion.policy_set_id,
    source,
    state: "open",
    resolution: null,
    opened_at: occasion.at,
    opened_cause: "reverted",
    first_opened_at: last?.first_opened_at ?? occasion.at,
    resolved_at: null,
    reopen_count: last === null ? 0 : last.reopen_count + 1,
    reverts: 0,
    reverted_at: null,
    last_scan_id: last?.last_scan_id ?? null,
    ...scanned(occasion),
  };
  return { event: last === null ? "opened" : "reopened", cause: "reverted", finding, source, proven: false };
}

/** What a fight finding says. */
export function fightDetail(key: string, fight: FightDetail): ViolationDetail {
  const by = whoReverts(fight);
  const rule = `${fight.policy_id}/${fight.rule_id}`;
  return {
    message: `The repair of ${key} that ${rule} asks for was reverted ${fight.reverts} times within 7 days${by && `, ${by}`}`,
    observed: {},
    expected: "nobody reverts the repair, or no rule asks for it",
    fight,
  };
}

function whoReverts({ by, lookup }: FightDetail): string {
  if (by) return `last by ${by.principal}`;
  return lookup ? lookupText(lookup) : "";
}

/** What came of asking CloudTrail who reverts, in words. */
export function lookupText(lookup: FightLookup): string {
  if (lookup.outcome === "nobody") return "CloudTrail names nobody";
  const { operation, name } = lookup.error;
  return `CloudTrail could not tell by whom (${operation}: ${name})`;
}

/** CloudTrail keeps its event history for so long. Source: CloudTrail User Guide, "Working with event history". */
const KEPT_MS = 90 * 24 * 3_600_000;
/** An event is there about five minutes after its call, within 15 as a rule. Source: CloudTrail User Guide, "How CloudTrail works". */
const DELIVERED_MS = 15 * 60_000;
/** What is not there after a day does not come. */
const NEVER_MS = 24 * 3_600_000;

/** Name of the error that more calls wrote tags at the time than are read. */
export const TOO_MANY_EVENTS = "TooManyEventsError";

/** Whether CloudTrail answered, so that another answer comes only of events that were late. */
export function isAnswered(lookup: FightLookup): boolean {
  return lookup.outcome === "nobody" || lookup.error.name === TOO_MANY_EVENTS;
}

/**
 * Whether CloudTrail is to be asked who reverts. What failed is tried again while CloudTrail may know it. Where it answered and nobody was
 * named, the event may be late: asked again after 15 minutes at least, and each time after twice as long, for a day.
 */
export function isLookupDue({ by, lookup, repaired_at, reverted_at }: FightDetail, now: Date): boolean {
  if (by || now.getTime() - Date.parse(repaired_at) >= KEPT_MS) return false;
  if (!lookup || !isAnswered(lookup)) return true;
  const reverted = Date.parse(reverted_at);
  const asked_after = Date.parse(lookup.at) - reverted;
  const after = now.getTime() - reverted;
  return asked_after < NEVER_MS && after >= Math.max(asked_after + DELIVERED_MS, 2 * asked_after);
}
