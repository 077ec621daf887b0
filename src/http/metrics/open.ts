import { ProcessCounters } from "./counters.ts";
import { type ScrapeDeps, scraper } from "./scrape.ts";
import { createMetricsApp, serveMetrics } from "./server.ts";

/** The metrics of a process: counts from its first call of AWS on, and listens once there is a database. */
export function openMetrics(version: string, address: { readonly host: string; readonly port: number }) {
  const counters = new ProcessCounters(version);
  return {
    onCall: counters.onCall,
    onAnswer: counters.onAnswer,
    listen: (deps: Omit<ScrapeDeps, "counters" | "clock">) => {
      const ready = async () => {
        const ok = await deps.reachable();
        return { ok, checks: { database: ok ? "ok" : "not reachable" } };
      };
      return serveMetrics(createMetricsApp({ ready, scrape: scraper({ ...deps, counters }) }), address);
    },
  };
}
