import { errorKind } from "../call-error.ts";
import { learn } from "../coverage.ts";
import type { Coverage, Observation, StoredReading, UnitOutcome } from "../resource.ts";
import type { ResourceType } from "../resource-types.ts";
import type { Sample } from "../sample.ts";
import { type ListEnd, listUnit } from "./list-unit.ts";
import { newTally, readPage, type Tally } from "./read-page.ts";
import { runAhead } from "./run-ahead.ts";
import type { TargetApi } from "./session.ts";

/** What a reading is compared with, and how much it trusts the tag index. */
export type ReadUnitOptions = {
  /** What the database holds of these resources; asked once a page at most, at most 100 at a time. */
  readonly stored: (arns: string[]) => Promise<Map<string, StoredReading>>;
  /** Digests of the stored states, by ARN: what the index shows and they confirm need not be loaded. Absent: there are none. */
  readonly digests?: () => Promise<ReadonlyMap<string, string>>;
  /**
   * What was learned about the index and this type; null: nothing. While a promise of it is pending, the index is asked: nobody
   * waits for a database that is being opened.
   */
  readonly coverage?: Coverage | null | Promise<Coverage | null>;
  /** Which of the resources for which the index would be believed are asked of the service, to check it; absent: none. */
  readonly sample?: Sample;
  /** Every resource's tags are asked of the service, whatever the index says. */
  readonly confirm_all: boolean;
  readonly now: () => Date;
  readonly signal?: AbortSignal;
};

/** A unit while it is being read. */
export type UnitReading = {
  /** Page by page, each ARN once, in the order of the list. Throws only what `stored` threw, or the reason of an abort. */
  readonly observations: AsyncIterable<Observation[]>;
  /** How the unit ended. Throws before the iteration has ended. */
  outcome(): UnitOutcome;
};

/** Pages that are read before somebody takes them: enough for the list never to wait, few enough for memory to stay flat. */
const PAGES_AHEAD = 8;

/**
 * Reads a unit: lists it, asks the tag index for each page while the next one loads, and the service for what the index
 * cannot answer. Begins at once. AWS errors end as observations and in the outcome, never as "no tags".
 */
export function readUnit(api: TargetApi, type: ResourceType, options: ReadUnitOptions): UnitReading {
  const leaving = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, leaving.signal]) : leaving.signal;
  const tally = newTally();
  const unit = { ...api.target, type };
  const coverage = settled(options.coverage ?? null);
  const pages = runAhead(
    listUnit(api, type, signal),
    PAGES_AHEAD,
    (page) => readPage({ api, unit, options, coverage, signal, tally }, page),
    () => leaving.abort(new Error("Nobody takes this unit's pages any more.")),
  );
  return {
    observations: pages.items,
    outcome: () => {
      const end = pages.end();
      if (!end) throw new Error("The outcome of a unit is known only after its last page was taken.");
      const learned = learn(coverage.value ?? null, tally.evidence, unit, options.now());
      return { ...toOutcome(end, tally), ...(learned && { learned }) };
    },
  };
}

/** A value that may be still to come; until then, and if it never comes, undefined. */
function settled<T>(given: T | Promise<T>): { readonly value: T | undefined } {
  if (!(given instanceof Promise)) return { value: given };
  const later: { value: T | undefined } = { value: undefined };
  // Whoever made the promise sees its failure.
  given.then(
    (value) => (later.value = value),
    () => {},
  );
  return later;
}

function toOutcome(end: ListEnd, { resources, unread, error, warnings, readings }: Tally): UnitOutcome {
  const { listed, pages } = end;
  const counts = { listed, pages, resources, unread, error: end.error ?? error, warnings, readings };
  if (end.error && pages === 0) return { state: errorKind(end.error) === "denied" ? "denied" : "failed", ...counts };
  return { state: listed && unread === 0 ? "complete" : "partial", ...counts };
}
