import { Registry } from "prom-client";
import type { Database } from "../../db/client.ts";
import { complianceFigures, scanFigures } from "../../reports/db/figures.ts";
import type { ProcessCounters } from "./counters.ts";
import { COMPLIANCE_GAUGES, SCAN_GAUGES } from "./figure-gauges.ts";
import { addGauges, type GaugeRow } from "./gauge-row.ts";
import { Remembered } from "./remembered.ts";

/** What a scrape looks at. */
export type ScrapeDeps = {
  readonly counters: ProcessCounters;
  readonly database: Database;
  /** Whether the database answers. Never throws. */
  readonly reachable: () => Promise<boolean>;
  /** On how many targets this process works. */
  readonly leasesHeld: () => number;
  /** What only a service tells; null in a worker, of which there are many that would all tell the same. */
  readonly service: { readonly policyProblem: () => boolean } | null;
  /** Milliseconds that only ever rise. */
  readonly clock?: () => number;
};

/** A scrape of Prometheus ends after 10 s unless it is told otherwise. */
const WAIT_MS = 4000;
/** The sums over findings and resources take a second or so of the database where there are a million. */
const SCANS = { fresh_ms: 10_000, kept_ms: 60_000, wait_ms: WAIT_MS };
const COMPLIANCE = { fresh_ms: 60_000, kept_ms: 300_000, wait_ms: WAIT_MS };
const READING_LIMIT_MS = 30_000;

type Process = { readonly database_up: boolean; readonly leases_held: number; readonly policy_problem: boolean | null };

const PROCESS_GAUGES: readonly GaugeRow<Process>[] = [
  {
    name: "tagwarden_database_up",
    help: "1: the database answered within seconds. 0: it did not, and numbers that rest on it are left out",
    label: null,
    samples: ({ database_up }) => Number(database_up),
  },
  {
    name: "tagwarden_leases_held",
    help: "Targets on which this process works",
    label: null,
    samples: ({ leases_held }) => leases_held,
  },
  {
    name: "tagwarden_policy_problem",
    help: "1: the folder of policies or exemptions cannot be used as it is now, and the last good state stays in use",
    label: null,
    samples: ({ policy_problem }) => (policy_problem === null ? null : Number(policy_problem)),
  },
];

/** Makes the function that answers a scrape, in the text format of Prometheus. It never throws: what cannot be had is left out. */
export function scraper(deps: ScrapeDeps): () => Promise<string> {
  const { counters, database, reachable, leasesHeld, service, clock } = deps;
  const ping = new Remembered(async () => reachable(), SCANS, clock);
  const scans = new Remembered(() => scanFigures(database, READING_LIMIT_MS), SCANS, clock);
  const compliance = new Remembered(() => complianceFigures(database, READING_LIMIT_MS), COMPLIANCE, clock);
  return async () => {
    const [up, scanned, judged] = await Promise.all([ping.get(), service && scans.get(), service && compliance.get()]);
    const database_up = up === true;
    const registry = new Registry();
    addGauges(registry, PROCESS_GAUGES, {
      database_up,
      leases_held: leasesHeld(),
      policy_problem: service && service.policyProblem(),
    });
    if (database_up && scanned) addGauges(registry, SCAN_GAUGES, scanned);
    if (database_up && judged) addGauges(registry, COMPLIANCE_GAUGES, judged);
    // The library writes Nan, and the format says NaN.
    const counted = (await counters.registry.metrics()).replaceAll(/ Nan$/gm, " NaN");
    return `${counted}\n${await registry.metrics()}`;
  };
}
