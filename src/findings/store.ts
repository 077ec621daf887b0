import type { Database } from "../db/client.ts";
import type { Unit, UnitOutcome } from "../inventory/resource.ts";
import { type HeldClosure, loadHeld, releaseHeld, storeHeld } from "./db/held.ts";
import { serviceReadTimes } from "./db/service-readings.ts";
import { countLive, countOpen, liveArns, loadDigests, loadKnown } from "./db/known.ts";
import { writeTally } from "./db/rollups.ts";
import {
  appliedEpoch,
  earlierListings,
  endUnit,
  lockPolicySet,
  lockUnit,
  storedSummary,
  writtenBetween,
  type UnitCounts,
} from "./db/units.ts";
import { type ServiceReading, writeChanges, writeServiceReadings } from "./db/write-changes.ts";
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
import type { Changes, FindingChange, Known, Occasion } from "./changes.ts";
import { reconcileAbsence, reconcileGone } from "./reconcile-absence.ts";
import {
  arnOf,
  asKnown,
  byArn,
  changesOf,
  isSettled,
  type JudgedObservation,
  lacksDigest,
  NEVER_SEEN,
  settledChanges,
  shortOf,
  summarize,
} from "./sights.ts";
import { newTally } from "./tally.ts";

/** What a recorder has to know of its scan. */
export type RecordedScan = {
  readonly id: string;
  readonly epoch: number;
  readonly policy_set_id: string;
  /** Epoch that was applied to the unit before anything stored of it was looked at; absent: nothing was yet. */
  readonly epoch_before?: number;
  /** Makes sure, until the transaction ends, that the unit is still this process's to record, or throws. Absent: nobody else has it. */
  readonly hold?: (transaction: Database) => Promise<void>;
  /** Of these resources those to which a write of ours is under way: what was seen of them is left to it. Absent: nothing is repaired. */
  readonly under_repair?: (transaction: Database, arns: readonly string[]) => Promise<ReadonlySet<string>>;
};

/** What came of a unit in one scan: the counts of `scan_units`. `unchanged`: open before and after; `held`: open, and waiting to be closed. */
export type UnitSummary = UnitCounts;

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
      const { applied_epoch, last_scan_id, listed } = await lockUnit(transaction, this.#unit);
      if (last_scan_id === this.#scan.id) return storedSummary(transaction, this.#scan.id, this.#unit);
      if (standing === "retired" || applied_epoch >= this.#scan.epoch) {
        const summary = summarize([], "superseded", { unchanged: 0, held: 0 });
        await endUnit(transaction, { scan: this.#scan, unit: this.#unit, outcome, summary, now: this.#now() });
        return summary;
      }
      const overtaken = await this.#overtaken(transaction, applied_epoch);
      return this.#apply(transaction, overtaken === 0 ? outcome : shortOf(outcome, overtaken), listed);
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

  /** `listed`: whether the unit's list had been read to its end before. */
  async #apply(transaction: Database, outcome: UnitOutcome, listed: boolean): Promise<UnitSummary> {
    const tally = newTally();
    const occasion = this.#occasion();
    const complete = outcome.state === "complete";
    // What was compared may have changed since, by an older scan or a repair. Under the lock it no longer can.
    const known = await loadKnown(transaction, this.#kept.map(arnOf));
    const read = await serviceReadTimes(transaction, this.#kept.map(arnOf));
    const repairing = await this.#scan.under_repair?.(transaction, this.#kept.map(arnOf));
    const seen = this.#kept.map((item) => {
      const one = known.get(arnOf(item)) ?? NEVER_SEEN;
      const recorded = { resource: one.resource, service_read_at: read.get(arnOf(item)) ?? null };
      const overtaken =
        repairing?.has(arnOf(item)) || isOvertaken(item.observation, recorded, this.#began_at, occasion.at);
      return overtaken ? asKnown(one) : changesOf(one, item, occasion);
    });
    const absent = complete ? await this.#absences(transaction, outcome, occasion) : NO_ABSENCES;
    const waiting = new Set((await loadHeld(transaction, this.#unit)).map(({ finding_id }) => finding_id));
    const { applied, held } = complete
      ? await this.#guard(transaction, [...seen, ...absent.changes], waiting)
      : { applied: withoutClosures(seen), held: [] };

    const changes = applied.flatMap(({ findings }) => findings);
    await writeChanges(transaction, new Map([...known, ...absent.known]), applied, occasion, tally);
    await writeServiceReadings(transaction, this.#serviceReadings);
    const settled = changes.filter(({ event, finding }) => event === "resolved" && waiting.has(finding.id));
    await releaseHeld(transaction, [...this.#contradicted, ...settled.map(({ finding }) => finding.id)]);
    const holding = [...held, ...absent.held];
    await storeHeld(transaction, this.#scan.id, holding);
    const state = holding.length > 0 || absent.dropped ? "held" : outcome.state;
    const unchanged = applied.reduce((sum, one) => sum + one.unchanged, this.#unchanged);
    const summary = summarize(changes, state, { unchanged, held: holding.length });
    await endUnit(transaction, { scan: this.#scan, unit: this.#unit, outcome, summary, now: occasion.at });
    if (listed !== outcome.listed) tally.accounts.add(this.#unit.account_id);
    await writeTally(transaction, tally, occasion.at);
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

type Absences = {
  readonly changes: readonly Changes[];
  readonly known: ReadonlyMap<string, Known>;
  /** What would close if the short listing were believed. */
  readonly held: readonly FindingChange[];
  readonly dropped: boolean;
};

const NO_ABSENCES: Absences = { changes: [], known: new Map(), held: [], dropped: false };
