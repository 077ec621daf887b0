import type { ResourceType } from "../inventory/resource-types.ts";
import { isBeingDeleted } from "../policy/judge.ts";
import { ownerOf } from "../tags/owner.ts";
import type { Changes, FindingChange, Known, ResourceRow } from "./changes.ts";
import { isFight } from "./fights.ts";

/** Open findings, and what happened to findings; as a difference, `open` may be negative. */
type FindingCounts = { open: number; opened: number; reopened: number; resolved: number };

/** Live resources by how they stand, whatever is exempt, and as if every list had been read to its end. May be negative as a difference. */
type ResourceCounts = { compliant: number; violating: number; unknown: number; not_applicable: number };

export type RuleTally = { account_id: string; policy_id: string; rule_id: string } & FindingCounts;
export type OwnerTally = { account_id: string; owner: string } & FindingCounts;
export type UnitTally = { account_id: string; region: string; type: ResourceType } & ResourceCounts;

/**
 * What changes do to the daily numbers, as differences, so that a unit of a few changes costs a few rows however large its
 * account is. Added up over all that one transaction changes, and written at its end.
 */
export type Tally = {
  readonly rules: Map<string, RuleTally>;
  /** By the tags of the resource; "": nobody is named. */
  readonly owners: Map<string, OwnerTally>;
  readonly units: Map<string, UnitTally>;
  /** Accounts whose sum over their units is another than before for another reason: a list was read to its end, or no longer. */
  readonly accounts: Set<string>;
};

/** A tally of nothing. */
export function newTally(): Tally {
  return { rules: new Map(), owners: new Map(), units: new Map(), accounts: new Set() };
}

/** Adds what changes mean. `known`: what they are the changes of, by ARN. */
export function countChanges(tally: Tally, known: ReadonlyMap<string, Known>, all: readonly Changes[]): void {
  for (const changes of all) {
    const arn = changes.resource?.arn ?? changes.findings[0]?.finding.arn;
    if (arn !== undefined) countOne(tally, known.get(arn), changes);
  }
}

function countOne(tally: Tally, known: Known | undefined, { resource, findings }: Changes): void {
  const before = known?.resource ?? null;
  const after = resource ?? before;
  const account_id = after?.account_id ?? findings[0]?.finding.account_id ?? "";
  const opened = known?.findings.filter(({ state }) => state === "open") ?? [];
  const open = opened.length;
  const flow = { open: 0, opened: 0, reopened: 0, resolved: 0 };
  for (const change of findings) {
    const { policy_id, rule_id } = change.finding;
    add(flow, countsOf(change));
    add(ruleOf(tally, { account_id, policy_id, rule_id }), countsOf(change));
  }
  const [from, to] = [ownerAt(before), ownerAt(after)];
  add(ownerTallyOf(tally, { account_id, owner: to }), { ...flow, open: flow.open + open });
  add(ownerTallyOf(tally, { account_id, owner: from }), { ...NO_FLOW, open: -open });
  if (after === null) return;
  const unit = unitOf(tally, after);
  // A fight is no violation of its resource: the finding that is fought over is.
  const violations = opened.filter((finding) => !isFight(finding)).length;
  const more = findings.filter(({ finding }) => !isFight(finding)).reduce((sum, one) => sum + countsOf(one).open, 0);
  const [was, is] = [standingOf(before, violations), standingOf(after, violations + more)];
  if (was !== null) unit[was]--;
  if (is !== null) unit[is]++;
}

const NO_FLOW: FindingCounts = { open: 0, opened: 0, reopened: 0, resolved: 0 };

function countsOf({ event }: FindingChange): FindingCounts {
  if (event === "changed") return NO_FLOW;
  return { ...NO_FLOW, open: event === "resolved" ? -1 : 1, [event]: 1 };
}

/** As what a resource counts, its unit listed; null: not at all. The same order as in `reporting.v1_resources`. */
function standingOf(row: ResourceRow | null, open: number): keyof ResourceCounts | null {
  if (row === null || row.gone_at !== null) return null;
  if (row.standing === "not_applicable" || isBeingDeleted(row)) return "not_applicable";
  if (open > 0) return "violating";
  return row.standing === "unknown" || row.reading_error !== null ? "unknown" : "compliant";
}

function ownerAt(row: ResourceRow | null): string {
  return ownerOf(row?.tags ?? null, () => false) ?? "";
}

function ruleOf(tally: Tally, { account_id, policy_id, rule_id }: Omit<RuleTally, keyof FindingCounts>): RuleTally {
  const key = { account_id, policy_id, rule_id };
  return slot(tally.rules, key, () => ({ ...key, ...NO_FLOW }));
}

function ownerTallyOf(tally: Tally, { account_id, owner }: Omit<OwnerTally, keyof FindingCounts>): OwnerTally {
  const key = { account_id, owner };
  return slot(tally.owners, key, () => ({ ...key, ...NO_FLOW }));
}

function unitOf(tally: Tally, { account_id, region, type }: ResourceRow): UnitTally {
  const key = { account_id, region, type };
  const none = { compliant: 0, violating: 0, unknown: 0, not_applicable: 0 };
  return slot(tally.units, key, () => ({ ...key, ...none }));
}

function slot<Row>(rows: Map<string, Row>, key: Readonly<Record<string, string>>, make: () => Row): Row {
  const name = JSON.stringify(Object.values(key));
  const found = rows.get(name) ?? make();
  rows.set(name, found);
  return found;
}

function add(to: FindingCounts, more: FindingCounts): void {
  to.open += more.open;
  to.opened += more.opened;
  to.reopened += more.reopened;
  to.resolved += more.resolved;
}
