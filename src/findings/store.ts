import type { Database } from "../db/client.ts";
import { loadSurroundings } from "../inventory/db/surroundings.ts";
import type { Observation, Unit, UnitOutcome } from "../inventory/resource.ts";
import { NOT_LOOKED_UP } from "../inventory/surroundings.ts";
import { judge } from "../policy/judge.ts";
import type { PolicySet } from "../policy/load.ts";
import { wantedForJudging } from "../policy/needs.ts";
import type { Judgement } from "../policy/verdict.ts";
import type { Tags } from "../tags/tags.ts";
import { type HeldClosure, loadHeld, releaseHeld, storeHeld, unitsWithHeld } from "./db/held.ts";
import { serviceReadTimes } from "./db/service-readings.ts";
import { countLive, countOpen, liveArns, loadDigests, loadKnown } from "./db/known.ts";
import {
  appliedEpoch,
  earlierListings,
  endHeldUnit,
  endUnit,
  policySetOf,
  lockPolicySet,
  lockUnit,
  storedSummary,
  writtenBetween,
  type UnitCounts,
} from "./db/units.ts";
import { type ServiceReading, writeChanges, writeServiceReadings } from "./db/write-changes.ts";
import { digestOfEvidence, isFoundAgain } from "./digest.ts";
import {
  contradictions,
  countedClosures,
  holdClosures,
  isListingDrop,
  isMassClose,
  type MassCloseLimits,
  withoutClosures,
} from "./mass-close.ts";
import { isOvertaken } from "./overtaken.ts";
import {
  type Changes,
  evidenceOf,
  type FindingChange,
  type Known,
  type Occasion,
  reconcile,
  reconcileAbsence,
  reconcileGone,
  resolved,
} from "./reconcile.ts";

/** A resource as observed and judged; `judgement` is null unless it was read. */
export type JudgedObservation = { readonly observation: Observation; readonly judgement: Judgement | null };

/** What a recorder has to know of its scan. */
export type RecordedScan = {
  readonly id: string;
  readonly epoch: number;
  readonly policy_set_id: string;
  /** Epoch that was applied to the unit before anything stored of it was looked at; absent: nothing was yet. */
  readonly epoch_before?: number;
  /** Makes sure, until the transaction ends, that the unit is still this process's to record, or throws. Absent: nobody else has it. */
  readonly hold?: (transaction: Database) => Promise<void>;
};

/** What came of a unit in one scan: the counts of `scan_units`. `unchanged`: open before and after; `held`: open, and waiting to be closed. */
export type UnitSummary = UnitCounts;

const NEVER_SEEN: Known = { resource: null, findings: [] };

/** How many resources are compared at a time: pages are gathered up to it, because queries cost more than rows. */
const BATCH = 1000;

/**
 * Records one unit of a scan. Pages are compared with what is stored as they come, and only what differs is kept in memory;
 * `finish` compares that once more and applies everything in one transaction. Nothing is written before.
 */
export class UnitRecorder {
  readonly #database: Database;
  readonly #scan: RecordedScan;
  readonly #unit: Unit;
  readonly #limits: MassCloseLimits;
  readonly #now: () => Date;
  readonly #began_at: Date;
  #pending: JudgedObservation[] = [];
  /** What differs from what is stored. */
  readonly #kept: JudgedObservation[] = [];
  /** Every ARN seen. One that comes twice, because the list moved while it was read, counts once. */
  readonly #seen = new Set<string>();
  /** Resources seen that are stored and live. */
  #matched = 0;
  #unchanged = 0;
  readonly #serviceReadings: ServiceReading[] = [];
  /** Epoch that was applied to the unit when it was first looked at. */
  #epochBefore = 0;
  /** Closures that waited in this unit when it was first looked at, by ARN. */
  #held: Map<string, HeldClosure[]> | null = null;
  /** Held closures that this scan speaks against. */
  readonly #contradicted: string[] = [];

  /** `scan.epoch` decides between scans; `settings.mass_close` above which closures wait for confirmation. */
  constructor(
    database: Database,
    scan: RecordedScan,
    unit: Unit,
    settings: { readonly mass_close: MassCloseLimits },
    now: () => Date,
  ) {
    this.#database = database;
    this.#scan = scan;
    this.#unit = unit;
    this.#limits = settings.mass_close;
    this.#now = now;
    this.#began_at = now();
  }

  /** Takes a page. Throws when the database fails, or a resource is of another unit. */
  async add(page: readonly JudgedObservation[]): Promise<void> {
    for (const item of page) {
      const { arn, account_id, region, type } = item.observation.resource;
      if (account_id !== this.#unit.account_id || region !== this.#unit.region || type !== this.#unit.type) {
        throw new Error(`${arn} does not belong to ${this.#unit.account_id}/${this.#unit.region}/${this.#unit.type}`);
      }
      if (this.#seen.has(arn)) continue;
      this.#seen.add(arn);
      this.#pending.push(item);
    }
    if (this.#pending.length >= BATCH) await this.#compare();
  }

  /**
   * Applies what was found, or discards it when a newer scan or another set of policies came first (`superseded`). Finishing
   * the same unit of the same scan again changes nothing and returns what came of it the first time. Throws when the database
   * fails or `signal` is aborted; then nothing is applied.
   */
  async finish(outcome: UnitOutcome, signal?: AbortSignal): Promise<UnitSummary> {
    await this.#compare();
    signal?.throwIfAborted();
    return this.#database.transaction(async (transaction) => {
      await this.#scan.hold?.(transaction);
      const standing = await lockPolicySet(transaction, this.#scan.policy_set_id);
      const { applied_epoch, last_scan_id } = await lockUnit(transaction, this.#unit);
      if (last_scan_id === this.#scan.id) return storedSummary(transaction, this.#scan.id, this.#unit);
      if (standing === "retired" || applied_epoch >= this.#scan.epoch) {
        const summary = summarize([], "superseded", { unchanged: 0, held: 0 });
        await endUnit(transaction, { scan: this.#scan, unit: this.#unit, outcome, summary, now: this.#now() });
        return summary;
      }
      const overtaken = await this.#overtaken(transaction, applied_epoch);
      return this.#apply(transaction, overtaken === 0 ? outcome : shortOf(outcome, overtaken));
    });
  }

  async #compare(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    if (pending.length === 0) return;
    if (this.#held === null) {
      this.#epochBefore = this.#scan.epoch_before ?? (await appliedEpoch(this.#database, this.#unit));
      this.#held = byArn(await loadHeld(this.#database, this.#unit));
    }
    const occasion = this.#occasion();
    const digests = await loadDigests(this.#database, pending.filter(lacksDigest).map(arnOf));
    const { settled = [], open = [] } = Object.groupBy(pending, (item) =>
      isSettled(item, digests.get(arnOf(item))) ? "settled" : "open",
    );
    for (const item of settled) this.#note(item, settledChanges(item), true);
    const known = await loadKnown(this.#database, open.map(arnOf));
    for (const item of open) {
      const one = known.get(arnOf(item)) ?? NEVER_SEEN;
      this.#note(item, changesOf(one, item, occasion), one.resource !== null && one.resource.gone_at === null);
    }
  }

  /** Keeps or counts what was seen of one resource, by what it would change. `live`: the resource is stored and not gone. */
  #note(item: JudgedObservation, changes: Changes, live: boolean): void {
    const { observation } = item;
    if (live) this.#matched++;
    if (changes.resource !== null || changes.findings.length > 0) this.#kept.push(item);
    else this.#unchanged += changes.unchanged;
    this.#contradicted.push(...contradictions(this.#held?.get(arnOf(item)) ?? [], observation, changes));
    if (observation.outcome === "read" && observation.confirmed && observation.reading.source === "service") {
      this.#serviceReadings.push({ arn: arnOf(item), read_at: observation.reading.read_at });
    }
  }

  /**
   * Resources that were as stored when this scan saw them, and that an older scan, which ended meanwhile, wrote otherwise. What
   * was seen of them is not kept, for memory, so it cannot be applied; the next scan sees them again.
   */
  async #overtaken(transaction: Database, applied_epoch: number): Promise<number> {
    if (this.#held === null || applied_epoch === this.#epochBefore) return 0;
    const kept = new Set(this.#kept.map(arnOf));
    const written = await writtenBetween(transaction, this.#unit, this.#epochBefore, this.#scan.epoch);
    return written.filter((arn) => this.#seen.has(arn) && !kept.has(arn)).length;
  }

  async #apply(transaction: Database, outcome: UnitOutcome): Promise<UnitSummary> {
    const occasion = this.#occasion();
    const complete = outcome.state === "complete";
    // What was compared may have changed since, by an older scan or a repair. Under the lock it no longer can.
    const known = await loadKnown(transaction, this.#kept.map(arnOf));
    const read = await serviceReadTimes(transaction, this.#kept.map(arnOf));
    const listed = this.#kept.map((item) => {
      const one = known.get(arnOf(item)) ?? NEVER_SEEN;
      const recorded = { resource: one.resource, service_read_at: read.get(arnOf(item)) ?? null };
      const overtaken = isOvertaken(item.observation, recorded, this.#began_at, occasion.at);
      return overtaken ? asKnown(one) : changesOf(one, item, occasion);
    });
    const absent = complete ? await this.#absences(transaction, outcome, occasion) : NO_ABSENCES;
    const waiting = new Set((await loadHeld(transaction, this.#unit)).map(({ finding_id }) => finding_id));
    const { applied, held } = complete
      ? await this.#guard(transaction, [...listed, ...absent.changes], waiting)
      : { applied: withoutClosures(listed), held: [] };

    const changes = applied.flatMap(({ findings }) => findings);
    await writeChanges(transaction, new Map([...known, ...absent.known]), applied, occasion);
    await writeServiceReadings(transaction, this.#serviceReadings);
    const settled = changes.filter(({ event, finding }) => event === "resolved" && waiting.has(finding.id));
    await releaseHeld(transaction, [...this.#contradicted, ...settled.map(({ finding }) => finding.id)]);
    const holding = [...held, ...absent.held];
    await storeHeld(transaction, this.#scan.id, holding);
    const state = holding.length > 0 || absent.dropped ? "held" : outcome.state;
    const unchanged = applied.reduce((sum, one) => sum + one.unchanged, this.#unchanged);
    const summary = summarize(changes, state, { unchanged, held: holding.length });
    await endUnit(transaction, { scan: this.#scan, unit: this.#unit, outcome, summary, now: occasion.at });
    return summary;
  }

  /** Stored resources that this complete listing does not have. When it is suspiciously short, they do not count as absent yet. */
  async #absences(transaction: Database, outcome: UnitOutcome, occasion: Occasion): Promise<Absences> {
    if ((await countLive(transaction, this.#unit)) === this.#matched) return NO_ABSENCES;
    const unseen = (await liveArns(transaction, this.#unit)).filter((arn) => !this.#seen.has(arn));
    const read = await serviceReadTimes(transaction, unseen);
    // What the service has answered for since is there: it was made while the list was on its way.
    const arns = unseen.filter((arn) => {
      const read_at = read.get(arn);
      return read_at === undefined || read_at < this.#began_at || read_at > occasion.at;
    });
    if (arns.length === 0) return NO_ABSENCES;
    const absent = await loadKnown(transaction, arns);
    const known = [...absent.values()];
    const earlier = await earlierListings(transaction, this.#scan.id, this.#unit);
    const usual = earlier.filter(({ state }) => state === "complete").map(({ resources }) => resources);
    const agreed = earlier[0] !== undefined && isListingDrop(earlier[0].resources, usual);
    if (isListingDrop(outcome.resources, usual) && !agreed) {
      const closures = known.flatMap((one) => reconcileGone(one, occasion).findings);
      return { changes: [], known: absent, held: closures, dropped: true };
    }
    return { changes: known.map((one) => reconcileAbsence(one, occasion)), known: absent, held: [], dropped: false };
  }

  async #guard(
    transaction: Database,
    changes: readonly Changes[],
    waiting: ReadonlySet<string>,
  ): Promise<{ applied: readonly Changes[]; held: readonly FindingChange[] }> {
    const closing = countedClosures(changes, waiting).length;
    const few = closing <= this.#limits.count;
    if (few || !isMassClose(closing, await countOpen(transaction, this.#unit), this.#limits))
      return { applied: changes, held: [] };
    return holdClosures(changes, waiting);
  }

  #occasion(): Occasion {
    const { id, policy_set_id } = this.#scan;
    return { by: "scan", at: this.#now(), scan_id: id, actor: null, policy_set_id };
  }
}

/**
 * Applies the closures that a scan held and that nothing has spoken against since, and returns how many. `actor`: the person
 * who confirms. Resources that were held as gone are gone from now on.
 */
export async function confirmHeld(database: Database, scan_id: string, actor: string, now: Date): Promise<number> {
  return database.transaction(async (transaction) => {
    let confirmed = 0;
    const policy_set_id = await policySetOf(transaction, scan_id);
    await lockPolicySet(transaction, policy_set_id);
    for (const unit of await unitsWithHeld(transaction, scan_id)) {
      await lockUnit(transaction, unit);
      const held = (await loadHeld(transaction, unit)).filter((one) => one.scan_id === scan_id);
      const known = await loadKnown(transaction, [...new Set(held.map(({ arn }) => arn))]);
      const occasion: Occasion = { by: "scan", at: now, scan_id, actor, policy_set_id };
      const settled = [...Map.groupBy(held, ({ arn }) => arn)].map(([arn, closures]) =>
        confirmClosures(known.get(arn) ?? NEVER_SEEN, closures, occasion),
      );
      const changes = settled.flatMap(({ findings }) => findings);
      await writeChanges(transaction, known, settled, occasion);
      await releaseHeld(
        transaction,
        [...held, ...changes.map(({ finding }) => ({ finding_id: finding.id }))].map(({ finding_id }) => finding_id),
      );
      await endHeldUnit(transaction, scan_id, unit, changes.length);
      confirmed += changes.length;
    }
    return confirmed;
  });
}

/** A verified write of ours: what the service says of the resource since, and which findings it was to repair. */
export type Repair = {
  readonly arn: string;
  readonly finding_ids: readonly string[];
  /** All tags as the service returned them after the write. */
  readonly tags: Tags;
  readonly read_at: Date;
  readonly actor: string;
  readonly scan_id?: string | null;
};

/**
 * Records the tags of a resource after a verified write and judges them: findings that the write was to repair and that no
 * longer hold resolve as `fixed_by_remediation`, others as any scan would have it. Returns the identities of what resolved.
 * By a set that is no longer active nothing is judged; the tags are recorded, and the next scan judges them.
 * Throws when the resource was never recorded.
 */
export async function resolveRepaired(
  database: Database,
  set: PolicySet,
  repair: Repair,
  now: Date,
): Promise<string[]> {
  const { arn, tags, read_at, actor, scan_id = null } = repair;
  return database.transaction(async (transaction) => {
    const standing = await lockPolicySet(transaction, set.id);
    const unit = (await loadKnown(transaction, [arn])).get(arn)?.resource;
    if (!unit) throw new Error(`${arn} was repaired, but is not in the inventory`);
    await lockUnit(transaction, { ...unit, partition: arn.split(":")[1] ?? "aws" });
    const stored = await loadKnown(transaction, [arn]);
    const known = stored.get(arn) ?? NEVER_SEEN;
    const resource = known.resource ?? unit;
    const finding_ids = new Set(repair.finding_ids);
    const occasion: Occasion = { by: "repair", at: now, scan_id, actor, policy_set_id: set.id, finding_ids };
    const reading = { tags, source: "service", read_at } as const;
    const wanted = wantedForJudging(set.needs, resource.type);
    const around = (await loadSurroundings(transaction, [resource], wanted)).get(arn) ?? NOT_LOOKED_UP;
    const judgement = standing === "retired" ? null : judge(set, { resource, tags, now, around });
    const evidence = { resource, in_index: resource.in_index, reading, error: null, judgement, confirmed: true };
    const changes = reconcile(known, evidence, occasion);
    await writeChanges(transaction, stored, [changes], occasion);
    await writeServiceReadings(transaction, [{ arn, read_at }]);
    const ids = changes.findings.flatMap(({ event, finding }) => (event === "resolved" ? finding.id : []));
    await releaseHeld(transaction, ids);
    return ids;
  });
}

type Absences = {
  readonly changes: readonly Changes[];
  readonly known: ReadonlyMap<string, Known>;
  /** What would close if the short listing were believed. */
  readonly held: readonly FindingChange[];
  readonly dropped: boolean;
};

const NO_ABSENCES: Absences = { changes: [], known: new Map(), held: [], dropped: false };

/** An outcome with so many readings missing: it closes nothing. */
function shortOf(outcome: UnitOutcome, missing: number): UnitOutcome {
  const message = `${missing} resources were recorded by an older scan while this one was reading`;
  const error = outcome.error ?? { name: "OvertakenError", message, operation: "record" };
  const state = outcome.state === "complete" ? "partial" : outcome.state;
  return { ...outcome, state, unread: outcome.unread + missing, error };
}

function arnOf({ observation }: JudgedObservation): string {
  return observation.resource.arn;
}

function changesOf(known: Known, { observation, judgement }: JudgedObservation, occasion: Occasion): Changes {
  if (observation.outcome === "gone") return reconcileGone(known, occasion);
  return reconcile(known, evidenceOf(observation, judgement), occasion);
}

/** What is known stays as it is. */
function asKnown({ findings }: Known): Changes {
  return { resource: null, findings: [], unchanged: findings.filter(({ state }) => state === "open").length };
}

/** Whether a sight is of the very state whose digest is stored: then it changes nothing. `digest`: as stored now. */
function isSettled({ observation, judgement }: JudgedObservation, digest: string | undefined): boolean {
  if (observation.outcome !== "read") return false;
  const evidence = evidenceOf(observation, judgement);
  if (observation.stored_digest !== undefined) return isFoundAgain(observation.stored_digest, evidence);
  return digest !== undefined && digestOfEvidence(evidence) === digest;
}

/** Whether the sight comes without the digest of what was stored. */
function lacksDigest({ observation }: JudgedObservation): boolean {
  return observation.outcome === "read" && observation.stored_digest === undefined;
}

/** What `reconcile` says of a settled sight: each violation is an open finding, and stays as it is. */
function settledChanges({ judgement }: JudgedObservation): Changes {
  return { resource: null, findings: [], unchanged: judgement?.violations.length ?? 0 };
}

/** What is still open of what was held for one resource, closed. */
function confirmClosures(known: Known, held: readonly HeldClosure[], occasion: Occasion): Changes {
  if (held.some(({ resolution }) => resolution === "resource_gone")) return reconcileGone(known, occasion);
  const resolutions = new Map(held.map(({ finding_id, resolution }) => [finding_id, resolution]));
  const findings = known.findings.flatMap((finding) => {
    const resolution = resolutions.get(finding.id);
    if (resolution === undefined || finding.state !== "open") return [];
    return resolved(finding, resolution, occasion, { source: null, proven: false });
  });
  return { resource: null, findings, unchanged: 0 };
}

function byArn(held: readonly HeldClosure[]): Map<string, HeldClosure[]> {
  return Map.groupBy(held, ({ arn }) => arn);
}

function summarize(
  changes: readonly FindingChange[],
  state: UnitSummary["state"],
  rest: { unchanged: number; held: number },
): UnitSummary {
  const count = (name: FindingChange["event"]) => changes.filter(({ event }) => event === name).length;
  return {
    state,
    opened: count("opened"),
    reopened: count("reopened"),
    changed: count("changed"),
    resolved: count("resolved"),
    ...rest,
  };
}
