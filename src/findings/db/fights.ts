import { and, asc, eq, inArray } from "drizzle-orm";
import { appendAudit } from "../../audit-log/store.ts";
import type { Database } from "../../db/client.ts";
import { OWN_POLICY_ID } from "../../policy/own-policy.ts";
import type { FightDetail, FightLookup } from "../../policy/verdict.ts";
import { type FindingChange, type FindingRow, type Occasion, resolved } from "../changes.ts";
import { fightDetail, isAnswered } from "../fights.ts";
import { findings } from "../schema.ts";
import { newTally } from "../tally.ts";
import { releaseHeld } from "./held.ts";
import { loadKnown } from "./known.ts";
import { writeTally } from "./rollups.ts";
import { lockPolicySet, lockUnit } from "./units.ts";
import { writeChanges } from "./write-changes.ts";

const isOpenFight = and(eq(findings.policy_id, OWN_POLICY_ID), eq(findings.state, "open"));

/** A fight over a key that goes on. */
export type OpenFight = Pick<FindingRow, "id" | "account_id" | "region" | "type" | "arn" | "key" | "opened_at"> & {
  readonly message: string;
  readonly fight: FightDetail;
};

/** Keys that others fight us over, by ARN. */
export async function openFights(database: Database, arns: readonly string[]): Promise<Map<string, string[]>> {
  if (arns.length === 0) return new Map();
  const rows = await database
    .select({ arn: findings.arn, key: findings.key })
    .from(findings)
    .where(and(inArray(findings.arn, [...arns]), isOpenFight));
  return new Map(
    [...Map.groupBy(rows, ({ arn }) => arn)].map(([arn, members]) => [arn, members.map(({ key }) => key)]),
  );
}

/** The fights that go on, the oldest first; `arn`: only those of this resource. */
export async function listFights(database: Database, arn?: string): Promise<OpenFight[]> {
  const { id, account_id, region, type, key, opened_at, detail } = findings;
  const rows = await database
    .select({ id, account_id, region, type, arn: findings.arn, key, opened_at, detail })
    .from(findings)
    .where(and(isOpenFight, arn === undefined ? undefined : eq(findings.arn, arn)))
    .orderBy(asc(opened_at), asc(id));
  return rows.flatMap(({ detail: { message, fight }, ...row }) => (fight ? [{ ...row, message, fight }] : []));
}

/** Who ends a fight, and why, as told. */
export type FightEnd = { readonly actor: string; readonly reason: string; readonly now: Date };

/**
 * Ends a fight over a key: repairs may write to it again, and reverts are counted anew. False: there is none. What the rule found
 * stays as it is.
 */
export async function endFight(database: Database, arn: string, key: string, end: FightEnd): Promise<boolean> {
  const { actor, reason, now } = end;
  return changeFight(database, arn, key, { actor, now, reason }, (finding, fight, occasion) =>
    resolved({ ...finding, detail: fightDetail(key, { ...fight, end_reason: reason }) }, "ended", occasion, {
      source: null,
      proven: true,
    }),
  );
}

/** Names who fights us over a key. False: there is no such fight, or somebody was named. */
export async function nameOpponent(
  database: Database,
  { arn, key }: Pick<OpenFight, "arn" | "key">,
  by: NonNullable<FightDetail["by"]>,
  now: Date,
): Promise<boolean> {
  return changeFight(database, arn, key, { actor: null, now }, (finding, fight) => {
    if (fight.by !== undefined) return null;
    const { lookup: _lookup, ...rest } = fight;
    return detailed(finding, fightDetail(key, { ...rest, by }));
  });
}

/**
 * Notes that CloudTrail names nobody in a fight, or could not be asked. An error that it noted before is not noted again, so that a
 * permission that is missing writes no row at each scan. False: nothing was to be noted.
 */
export async function noteLookup(
  database: Database,
  { arn, key }: Pick<OpenFight, "arn" | "key">,
  lookup: FightLookup,
  now: Date,
): Promise<boolean> {
  return changeFight(database, arn, key, { actor: null, now }, (finding, fight) => {
    if (fight.by !== undefined || isSameFailure(fight.lookup, lookup)) return null;
    return detailed(finding, fightDetail(key, { ...fight, lookup }));
  });
}

function isSameFailure(before: FightLookup | undefined, after: FightLookup): boolean {
  if (before?.outcome !== "failed" || after.outcome !== "failed" || isAnswered(after)) return false;
  return before.error.name === after.error.name && before.error.operation === after.error.operation;
}

/** The same finding that says something else. */
function detailed(finding: FindingRow, detail: FindingRow["detail"]): FindingChange {
  const { source } = finding;
  return { event: "changed", cause: "detail", finding: { ...finding, detail }, source, proven: false };
}

/** Changes the open fight over a key under the locks that scans take. False: there is none, or nothing to change. */
async function changeFight(
  database: Database,
  arn: string,
  key: string,
  { actor, now, reason = null }: { readonly actor: string | null; readonly now: Date; readonly reason?: string | null },
  change: (finding: FindingRow, fight: FightDetail, occasion: Occasion) => FindingChange | null,
): Promise<boolean> {
  return database.transaction(async (transaction) => {
    const [row] = await transaction
      .select()
      .from(findings)
      .where(and(eq(findings.arn, arn), eq(findings.key, key), isOpenFight));
    if (!row) return false;
    await lockPolicySet(transaction, row.policy_set_id);
    await lockUnit(transaction, { ...row, partition: arn.split(":")[1] ?? "aws" });
    const known = await loadKnown(transaction, [arn]);
    const finding = known.get(arn)?.findings.find(({ id, state }) => id === row.id && state === "open");
    const { fight } = finding?.detail ?? {};
    if (!finding || !fight) return false;
    const { policy_set_id } = finding;
    const occasion: Occasion = { by: "event", at: now, scan_id: null, actor, policy_set_id };
    const one = change(finding, fight, occasion);
    if (one === null) return false;
    const tally = newTally();
    await writeChanges(transaction, known, [{ resource: null, findings: [one], unchanged: 0 }], occasion, tally);
    if (one.event === "resolved") await releaseHeld(transaction, [row.id]);
    await writeTally(transaction, tally, now);
    if (actor !== null && one.event === "resolved")
      await appendAudit(transaction, { at: now, actor, action: "fight.ended", subject: arn, detail: { key, reason } });
    return true;
  });
}
