import { and, eq, inArray } from "drizzle-orm";
import { auditUnit } from "../audit.ts";
import type { Database } from "../db/client.ts";
import { openMissing } from "../findings/db/open-missing.ts";
import { rejudgeUnknown } from "../findings/db/rejudge.ts";
import { appliedEpochs } from "../findings/db/units.ts";
import { UnitRecorder, type UnitSummary } from "../findings/store.ts";
import { readUnit, type UnitReading } from "../inventory/aws/read-unit.ts";
import type { Aws, TargetApi } from "../inventory/aws/session.ts";
import { storedCoverage } from "../inventory/db/coverage.ts";
import { typesAbove } from "../inventory/lineage.ts";
import type { Coverage, ReadError, Target, Unit, UnitOutcome } from "../inventory/resource.ts";
import type { ResourceType } from "../inventory/resource-types.ts";
import { sampleOf } from "../inventory/sample.ts";
import { scan_units } from "../inventory/schema.ts";
import { storedDigests, storedReadings } from "../inventory/store.ts";
import { log } from "../log.ts";
import type { PolicySet } from "../policy/load.ts";
import { forEachLimited } from "./for-each-limited.ts";
import type { Lease } from "./leases.ts";
import { ensureParents } from "./lineage.ts";
import type { Scan } from "./store.ts";
import { unansweredWarning, unenteredWarning } from "./unreached.ts";

/** Settings of the configuration that the audit of a unit heeds. */
type UnitSettings = {
  readonly mass_close: { readonly share: number; readonly count: number };
};

/** What the work on a target needs. */
export type TargetDeps = {
  readonly database: Database;
  readonly aws: Aws;
  readonly set: PolicySet;
  readonly settings: UnitSettings;
  readonly now: () => Date;
  /** Reads name and tags of an account once in a scan; returns warnings. */
  readonly readAccount: (scan_id: string, account_id: string) => Promise<string[]>;
  /** Hears how each unit ended. */
  readonly onUnit?: (unit: Unit, outcome: UnitOutcome, summary: UnitSummary) => void;
};

/** Readings of one target that began before the scan did, by type. */
export type BegunTarget = { readonly target: Target; readonly readings: ReadonlyMap<ResourceType, UnitReading> };

/**
 * Begins to list and read a target's units. `database` is awaited only when the first page wants to know what is stored, so
 * the network works while the database opens.
 */
export function beginTarget(
  api: TargetApi,
  types: readonly ResourceType[],
  options: {
    database: Promise<Database>;
    /** What is known of the index here; absent: it is asked of the database, and the index is asked until that answers. */
    coverage?: ReadonlyMap<ResourceType, Coverage>;
    confirm_all: boolean;
    now: () => Date;
    signal?: AbortSignal;
  },
): BegunTarget {
  const { database, confirm_all, now, signal } = options;
  const { account_id, region } = api.target;
  const coverage = options.coverage ?? database.then((opened) => storedCoverage(opened, api.target));
  const sample = sampleOf(api.sample_share, `${account_id}/${region}/${now().getTime()}`);
  const stored = async (arns: string[]) => storedReadings(await database, arns);
  const readings = types.map((type) => {
    let loading: Promise<ReadonlyMap<string, string>> | undefined;
    const digests = () => (loading ??= database.then((opened) => storedDigests(opened, { ...api.target, type })));
    const learned = coverage instanceof Promise ? coverage.then((all) => all.get(type) ?? null) : coverage.get(type);
    const about = { stored, digests, coverage: learned ?? null, sample, confirm_all, now };
    const reading = readUnit(api, type, { ...about, ...(signal && { signal }) });
    return [type, reading] as const;
  });
  return { target: api.target, readings: new Map(readings) };
}

/**
 * Audits the units of a target that no earlier attempt has ended, types in parallel, whatever happens to the others; then reads
 * what is missing of the lineage. A target that cannot be entered ends all its units with the reason. Returns warnings.
 * Throws the signal's reason, LeaseLostError when another process has the target, or what the database throws.
 */
export async function scanTarget(
  deps: TargetDeps,
  scan: Scan,
  lease: Lease,
  signal: AbortSignal,
  begun?: BegunTarget,
): Promise<string[]> {
  const { database, aws, set, settings, now } = deps;
  const { partition, account_id, region } = lease;
  const target = { partition, account_id, region };
  const warnings = new Set<string>();
  if (set.needs.account) {
    for (const warning of await deps.readAccount(scan.id, account_id)) warnings.add(warning);
  }
  // Before anything stored is looked at, so that an older scan that ends later is noticed. What began earlier was alone.
  const epochs = await appliedEpochs(database, target);
  const open = lease.attempts === 1 ? scan.types : await openTypes(database, scan, target);
  let readings = begun?.readings;
  if (readings === undefined && open.length > 0) {
    let api: TargetApi;
    try {
      api = await aws.target(target);
    } catch (cause) {
      signal.throwIfAborted();
      const error = toReadError(cause);
      warnings.add(unenteredWarning(target, error));
      await endUnits(deps, scan, lease, open, error);
      return [...warnings];
    }
    const coverage = await storedCoverage(database, target);
    const options = { database: Promise.resolve(database), coverage, confirm_all: scan.confirm_all, now, signal };
    readings = beginTarget(api, open, options).readings;
  }
  await startUnits(database, scan.id, target, now());
  const ended = new Map(open.map((type) => [type, Promise.withResolvers<void>()]));
  // All at once; when one fails the others end first, because nothing may be written after the target's end.
  await forEachLimited(open, open.length, async (type) => {
    const unit: Unit = { ...target, type };
    const reading = readings?.get(type);
    if (reading === undefined) throw new Error(`no reading was begun for ${type}`);
    try {
      // What is judged by the resources above it waits until their tags are recorded.
      const above = set.needs.lineage.has(type) ? typesAbove(type) : [];
      await Promise.all(above.flatMap((each) => ended.get(each)?.promise ?? []));
      const { id, epoch } = scan;
      const part = { id, epoch, epoch_before: epochs.get(type) ?? 0, hold: lease.hold };
      const summary = await auditUnit({ database, scan: part, unit, reading, set, settings, now, signal });
      const outcome = reading.outcome();
      for (const warning of outcome.warnings) warnings.add(warning);
      if (summary.state === "held") warnings.add(heldWarning(scan, unit, summary.held));
      report(deps, unit, outcome, summary);
    } finally {
      ended.get(type)?.resolve();
    }
  });
  const unanswered = unansweredWarning(target, readings?.values() ?? []);
  if (unanswered !== null) warnings.add(unanswered);
  for (const warning of await readLineage(deps, scan, target, signal)) warnings.add(warning);
  return [...warnings];
}

/** Records units that cannot be read at all, all with the same reason: they close nothing, and what was known of them stays. */
export async function endUnits(
  deps: TargetDeps,
  scan: Scan,
  lease: Lease,
  types: readonly ResourceType[],
  error: ReadError,
): Promise<void> {
  const { database, set, settings, now } = deps;
  const { partition, account_id, region, hold } = lease;
  const denied = /AccessDenied|WrongAccount|UnrecognizedClient|InvalidClientTokenId|ExpiredToken/.test(error.name);
  const state = denied ? "denied" : "failed";
  const outcome: UnitOutcome = { state, listed: false, resources: 0, pages: 0, unread: 0, error, warnings: [] };
  for (const type of types) {
    const unit = { partition, account_id, region, type };
    const recorder = new UnitRecorder(database, { ...scan, policy_set_id: set.id, hold }, unit, settings, now);
    report(deps, unit, outcome, await recorder.finish(outcome));
  }
}

/** The types of a scan that have not ended in a target. */
export async function openTypes(
  database: Database,
  scan: Scan,
  target: Omit<Target, "partition">,
): Promise<ResourceType[]> {
  const rows = await database
    .select({ type: scan_units.type })
    .from(scan_units)
    .where(and(isUnitOf(scan.id, target), inArray(scan_units.state, ["pending", "running"])));
  const open = new Set(rows.map(({ type }) => type));
  return scan.types.filter((type) => open.has(type));
}

/** Marks the units of a target as begun, but for those that have ended. */
async function startUnits(database: Database, scan_id: string, target: Target, now: Date): Promise<void> {
  await database
    .update(scan_units)
    .set({ state: "running", started_at: now })
    .where(and(isUnitOf(scan_id, target), eq(scan_units.state, "pending")));
}

function isUnitOf(scan_id: string, { account_id, region }: Omit<Target, "partition">) {
  return and(eq(scan_units.scan_id, scan_id), eq(scan_units.account_id, account_id), eq(scan_units.region, region));
}

/**
 * Reads what is missing of the lineage that rules and fixes ask for, once the units of a target are recorded: for rules of all
 * resources of their types, which are then judged anew; for fixes of those that need one. Returns warnings.
 */
async function readLineage(deps: TargetDeps, scan: Scan, target: Target, signal: AbortSignal): Promise<string[]> {
  const { database, set, now } = deps;
  const { lineage, fix_lineage, fix_rules } = set.needs;
  const judged = scan.types.filter((type) => lineage.has(type));
  const fixed = scan.types.filter((type) => fix_lineage.has(type) && !lineage.has(type));
  const warnings = judged.length === 0 ? [] : await ensureParents(deps, target, judged, signal);
  for (const type of judged) await rejudgeUnknown(database, { id: scan.id, unit: { ...target, type }, set }, now());
  if (fixed.length === 0) return warnings;
  const arns = await openMissing(database, target, fixed, fix_rules);
  if (arns.length === 0) return warnings;
  return [...warnings, ...(await ensureParents(deps, target, fixed, signal, arns))];
}

function report(deps: TargetDeps, unit: Unit, outcome: UnitOutcome, summary: UnitSummary): void {
  const { account_id, region, type } = unit;
  if (summary.state !== "complete")
    log.debug({ account_id, region, type, state: summary.state, error: outcome.error?.name }, "unit ended");
  deps.onUnit?.(unit, outcome, summary);
}

function heldWarning(scan: Scan, unit: Unit, held: number): string {
  const where = `${unit.account_id}/${unit.region}/${unit.type}`;
  if (held === 0) {
    return `${where}: the list was much shorter than usual, so nothing is taken for gone until the next scan agrees.`;
  }
  return `${where}: ${held} findings would close at once and are held. If that is right: tagwarden scans confirm ${scan.id}; if not: tagwarden scans reject ${scan.id}`;
}

function toReadError(cause: unknown): ReadError {
  const { name, message } = cause instanceof Error ? cause : new Error(String(cause));
  return { name, message, operation: "AssumeRole" };
}
