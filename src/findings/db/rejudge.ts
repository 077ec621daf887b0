import { and, eq, gt, isNotNull, isNull, sql } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import { loadSurroundings } from "../../inventory/db/surroundings.ts";
import type { Unit } from "../../inventory/resource.ts";
import { resources, scan_units } from "../../inventory/schema.ts";
import { judge } from "../../policy/judge.ts";
import type { PolicySet } from "../../policy/load.ts";
import { wantedForJudging } from "../../policy/needs.ts";
import { withoutClosures } from "../mass-close.ts";
import type { Changes, FindingChange, Known, Occasion } from "../changes.ts";
import { reconcile } from "../reconcile.ts";
import { newTally } from "../tally.ts";
import { writeTally } from "./rollups.ts";
import { isUnit, lockPolicySet, lockUnit } from "./units.ts";
import { loadKnown } from "./known.ts";
import { writeChanges } from "./write-changes.ts";

/** Resources in memory at a time. */
const BATCH = 1000;

/**
 * Judges anew what a scan left unknown in a unit because not all was known that stands above it, now that more is. By the
 * readings that the scan has recorded; findings open and change, and none closes before the next scan. Does nothing when
 * another scan or another set of policies came first. Returns how many resources are known now.
 */
export async function rejudgeUnknown(
  database: Database,
  scan: { readonly id: string; readonly unit: Unit; readonly set: PolicySet },
  now: Date,
): Promise<number> {
  const { id, unit, set } = scan;
  return database.transaction(async (transaction) => {
    const standing = await lockPolicySet(transaction, set.id);
    const { last_scan_id } = await lockUnit(transaction, unit);
    if (standing === "retired" || last_scan_id !== id) return 0;
    const occasion: Occasion = { by: "scan", at: now, scan_id: id, actor: null, policy_set_id: set.id };
    let last = "";
    let known_now = 0;
    const tally = newTally();
    for (;;) {
      const arns = await unknownAfter(transaction, unit, last);
      const end = arns.at(-1);
      if (end === undefined) break;
      last = end;
      const known = await loadKnown(transaction, arns);
      const applied = withoutClosures(await rejudged(transaction, [...known.values()], set, unit, occasion));
      await writeChanges(transaction, known, applied, occasion, tally);
      await countInUnit(
        transaction,
        id,
        unit,
        applied.flatMap(({ findings }) => findings),
      );
      known_now += applied.filter(({ resource }) => resource !== null && resource.standing !== "unknown").length;
    }
    await writeTally(transaction, tally, now);
    return known_now;
  });
}

async function unknownAfter(database: Database, unit: Unit, arn: string): Promise<string[]> {
  const rows = await database
    .select({ arn: resources.arn })
    .from(resources)
    .where(
      and(
        isUnit(resources, unit),
        gt(resources.arn, arn),
        isNull(resources.gone_at),
        eq(resources.standing, "unknown"),
        isNull(resources.reading_error),
        isNotNull(resources.tags),
      ),
    )
    .orderBy(resources.arn)
    .limit(BATCH);
  return rows.map((row) => row.arn);
}

async function rejudged(
  transaction: Database,
  known: readonly Known[],
  set: PolicySet,
  unit: Unit,
  occasion: Occasion,
): Promise<Changes[]> {
  const rows = known.flatMap(({ resource }) => resource ?? []);
  const surroundings = await loadSurroundings(transaction, rows, wantedForJudging(set.needs, unit.type));
  return known.map((one) => {
    const { resource } = one;
    if (!resource?.tags || !resource.source || !resource.tags_read_at)
      return { resource: null, findings: [], unchanged: 0 };
    const around = surroundings.get(resource.arn);
    const judgement = judge(set, { resource, tags: resource.tags, now: occasion.at, ...(around && { around }) });
    const reading = { tags: resource.tags, source: resource.source, read_at: resource.tags_read_at };
    const rest = { resource, in_index: resource.in_index, error: null, confirmed: false };
    return reconcile(one, { ...rest, reading, judgement }, occasion);
  });
}

/** Adds what came of it to what the scan says of its unit. */
async function countInUnit(
  transaction: Database,
  scan_id: string,
  unit: Unit,
  changes: readonly FindingChange[],
): Promise<void> {
  if (changes.length === 0) return;
  const more = (event: FindingChange["event"]) => changes.filter((change) => change.event === event).length;
  await transaction
    .update(scan_units)
    .set({
      opened: sql`${scan_units.opened} + ${more("opened")}`,
      reopened: sql`${scan_units.reopened} + ${more("reopened")}`,
      changed: sql`${scan_units.changed} + ${more("changed")}`,
    })
    .where(and(eq(scan_units.scan_id, scan_id), isUnit(scan_units, unit)));
}
