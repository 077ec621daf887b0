import { auditUnit } from "../audit.ts";
import type { Database } from "../db/client.ts";
import { reasonOf } from "../db/reason.ts";
import { rejudgeUnknown } from "../findings/db/rejudge.ts";
import { openMissing } from "../findings/db/open-missing.ts";
import { appliedEpochs } from "../findings/db/units.ts";
import { UnitRecorder, type UnitSummary } from "../findings/store.ts";
import type { Aws, TargetApi } from "../inventory/aws/session.ts";
import { readUnit, type UnitReading } from "../inventory/aws/read-unit.ts";
import { storedCoverage } from "../inventory/db/coverage.ts";
import { typesAbove } from "../inventory/lineage.ts";
import type { Coverage, ReadError, Target, Unit, UnitOutcome } from "../inventory/resource.ts";
import type { ResourceType } from "../inventory/resource-types.ts";
import { sampleOf } from "../inventory/sample.ts";
import { storedDigests, storedReadings } from "../inventory/store.ts";
import { log } from "../log.ts";
import type { PolicySet } from "../policy/load.ts";
import { activeSet } from "../policy/store.ts";
import { type ConfiguredAccounts, ensureAccounts } from "./accounts.ts";
import { forEachLimited } from "./for-each-limited.ts";
import { ensureParents } from "./lineage.ts";
import {
  beatScan,
  endScan,
  HEARTBEAT_MS,
  type Scan,
  type ScanEnd,
  startScan,
  startUnits,
  unitStates,
  unitsOf,
} from "./store.ts";

/** Settings of the configuration that a scan heeds. */
type ScanSettings = {
  readonly mass_close: { readonly share: number; readonly count: number };
  readonly targets_at_once: number;
  /** Names and tags of accounts that the configuration gives. */
  readonly accounts: ConfiguredAccounts;
};

/** What a running scan tells whoever watches: counts so far. */
export type ScanProgress = {
  readonly units_done: number;
  readonly units: number;
  readonly resources: number;
  readonly calls: number;
  readonly throttled: number;
};

/** What a scan works with. */
export type ScanDeps = {
  readonly database: Database;
  readonly aws: Aws;
  readonly set: PolicySet;
  readonly settings: ScanSettings;
  readonly now: () => Date;
  /** What `aws` had counted before the scan's first call; as it begins, when absent. */
  readonly calls_before?: Record<string, number>;
  readonly onProgress?: (progress: ScanProgress) => void;
  readonly signal?: AbortSignal;
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
 * Runs a scan to its end: every unit is audited, whatever happens to the others, and the scan's row says how it ended.
 * Throws what the database throws, after an attempt to mark the scan as failed.
 */
export async function runScan(deps: ScanDeps, scan: Scan, begun?: BegunTarget): Promise<ScanEnd["state"]> {
  const { database, aws, settings, now, signal } = deps;
  const { calls_before = aws.calls.toJSON() } = deps;
  const calls = () => difference(aws.calls.toJSON(), calls_before);
  const warnings = new Set<string>();
  const progress = countProgress(deps, scan, calls);
  await startScan(database, scan.id, deps.set.id, now());
  const heartbeat = setInterval(() => {
    beatScan(database, scan.id, calls(), now()).catch((error: unknown) =>
      log.warn({ error: reasonOf(error), scan_id: scan.id }, "heartbeat failed"),
    );
  }, HEARTBEAT_MS);
  try {
    if (deps.set.needs.account) {
      const ids = scan.targets.map(({ account_id }) => account_id);
      const deps = { database, aws, configured: settings.accounts, now };
      for (const warning of await ensureAccounts(deps, ids)) warnings.add(warning);
    }
    await forEachLimited(scan.targets, settings.targets_at_once, (target) =>
      scanTarget(deps, scan, target, sameTarget(begun?.target, target) ? begun : undefined, warnings, progress),
    );
    const retired = await isRetired(database, scan.id, deps.set);
    if (retired) warnings.add(RETIRED);
    const state = await endState(database, scan.id, retired);
    await endScan(database, scan.id, { state, warnings: [...warnings], api_calls: calls(), error: null }, now());
    return state;
  } catch (cause) {
    const aborted = signal?.aborted === true;
    const state = aborted ? "cancelled" : "failed";
    const error = aborted ? null : reasonOf(cause);
    await endScan(database, scan.id, { state, warnings: [...warnings], api_calls: calls(), error }, now());
    if (aborted) return state;
    throw cause;
  } finally {
    clearInterval(heartbeat);
  }
}

type Report = (unit: Unit, outcome: UnitOutcome | null, summary: UnitSummary) => void;

/** Audits the units of one target, types in parallel. A target that cannot be entered ends all its units with the reason. */
async function scanTarget(
  deps: ScanDeps,
  scan: Scan,
  target: Target,
  begun: BegunTarget | undefined,
  warnings: Set<string>,
  report: Report,
): Promise<void> {
  const { database, aws, set, settings, now, signal } = deps;
  const targetUnits = unitsOf({ targets: [target], types: scan.types });
  // Before anything stored is looked at, so that an older scan that ends later is noticed. What began earlier was alone.
  const epochs = await appliedEpochs(database, target);
  let readings = begun?.readings;
  if (readings === undefined) {
    let api: TargetApi;
    try {
      api = await aws.target(target);
    } catch (cause) {
      if (signal?.aborted) throw cause;
      await endUnreachable(deps, scan, targetUnits, toReadError(cause), report);
      return;
    }
    const coverage = await storedCoverage(database, target);
    const options = { database: Promise.resolve(database), coverage, confirm_all: scan.confirm_all, now };
    readings = beginTarget(api, scan.types, signal ? { ...options, signal } : options).readings;
  }
  await startUnits(database, scan.id, target, now());
  const ended = new Map(scan.types.map((type) => [type, Promise.withResolvers<void>()]));
  // All at once; when one fails the others end first, because nothing may be written after the scan's end.
  await forEachLimited(targetUnits, targetUnits.length, async (unit) => {
    const reading = readings.get(unit.type);
    if (reading === undefined) throw new Error(`no reading was begun for ${unit.type}`);
    try {
      // What is judged by the resources above it waits until their tags are recorded.
      const above = set.needs.lineage.has(unit.type) ? typesAbove(unit.type) : [];
      await Promise.all(above.flatMap((type) => ended.get(type)?.promise ?? []));
      const { id, epoch } = scan;
      const part = { id, epoch, epoch_before: epochs.get(unit.type) ?? 0 };
      const audit = { database, scan: part, unit, reading, set, settings, now, ...(signal && { signal }) };
      const summary = await auditUnit(audit);
      const outcome = reading.outcome();
      for (const warning of outcome.warnings) warnings.add(warning);
      if (summary.state === "held") warnings.add(heldWarning(scan, unit, summary.held));
      report(unit, outcome, summary);
    } finally {
      ended.get(unit.type)?.resolve();
    }
  });
  for (const warning of await readLineage(deps, scan, target)) warnings.add(warning);
}

/**
 * Reads what is missing of the lineage that rules and fixes ask for, once the units of a target are recorded: for rules of all
 * resources of their types, which are then judged anew; for fixes of those that need one. Returns warnings.
 */
async function readLineage(deps: ScanDeps, scan: Scan, target: Target): Promise<string[]> {
  const { database, set, now, signal } = deps;
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

/** Records the units of a target whose role cannot be assumed, or whose credentials belong to another account. */
async function endUnreachable(
  deps: ScanDeps,
  scan: Scan,
  targetUnits: Unit[],
  error: ReadError,
  report: Report,
): Promise<void> {
  const { database, set, settings, now } = deps;
  const denied = /AccessDenied|WrongAccount|UnrecognizedClient|InvalidClientTokenId|ExpiredToken/.test(error.name);
  const outcome: UnitOutcome = {
    state: denied ? "denied" : "failed",
    listed: false,
    resources: 0,
    pages: 0,
    unread: 0,
    error,
    warnings: [],
  };
  for (const unit of targetUnits) {
    const recorder = new UnitRecorder(database, { ...scan, policy_set_id: set.id }, unit, settings, now);
    report(unit, outcome, await recorder.finish(outcome));
  }
}

function heldWarning(scan: Scan, unit: Unit, held: number): string {
  const where = `${unit.account_id}/${unit.region}/${unit.type}`;
  if (held === 0) {
    return `${where}: the list was much shorter than usual, so nothing is taken for gone until the next scan agrees.`;
  }
  return `${where}: ${held} findings would close at once and are held. If that is right: tagwarden scans confirm ${scan.id}`;
}

const RETIRED =
  "While this scan ran other policies were activated, and what it had judged by the former ones was discarded. Scan again.";

/** Whether units were discarded because another set of policies became the active one: then no newer result stands in their place. */
async function isRetired(database: Database, scan_id: string, set: PolicySet): Promise<boolean> {
  const states = await unitStates(database, scan_id);
  if (states.every(({ state }) => state !== "superseded")) return false;
  const active = await activeSet(database);
  return active !== null && active.id !== set.id;
}

/** `failed`: nothing at all could be listed. `partial`: some unit or reading is missing. */
async function endState(
  database: Database,
  scan_id: string,
  retired: boolean,
): Promise<"succeeded" | "partial" | "failed"> {
  if (retired) return "partial";
  const states = await unitStates(database, scan_id);
  if (states.every(({ state }) => state === "complete" || state === "held" || state === "superseded"))
    return "succeeded";
  return states.every(({ state, resources }) => (state === "failed" || state === "denied") && resources === 0)
    ? "failed"
    : "partial";
}

function countProgress(deps: ScanDeps, scan: Scan, calls: () => Record<string, number>): Report {
  const units = scan.targets.length * scan.types.length;
  let units_done = 0;
  let resources = 0;
  return (unit, outcome, summary) => {
    units_done++;
    resources += outcome?.resources ?? 0;
    const { total = 0, throttled = 0 } = calls();
    deps.onProgress?.({ units_done, units, resources, calls: total, throttled });
    const { account_id, region, type } = unit;
    if (summary.state !== "complete")
      log.debug({ account_id, region, type, state: summary.state, error: outcome?.error?.name }, "unit ended");
  };
}

function sameTarget(one: Target | undefined, other: Target): boolean {
  return one?.account_id === other.account_id && one.region === other.region;
}

function difference(after: Record<string, number>, before: Record<string, number>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const [name, count] of Object.entries(after)) {
    const more = count - (before[name] ?? 0);
    if (more > 0 || name === "total" || name === "throttled") counts[name] = more;
  }
  return counts;
}

function toReadError(cause: unknown): ReadError {
  const { name, message } = cause instanceof Error ? cause : new Error(String(cause));
  return { name, message, operation: "AssumeRole" };
}
