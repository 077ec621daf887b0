import type { Database } from "../../src/db/client.ts";
import { UsageError } from "../../src/config.ts";
import { createApp } from "../../src/http/app.ts";
import type { HttpDeps, ScanWish } from "../../src/http/deps.ts";
import { requestApply } from "../../src/remediation/db/apply-requests.ts";
import { activeSetReader } from "../../src/scan/active-set.ts";
import { cancelScan } from "../../src/scan/stop.ts";
import { NOW } from "./seed.ts";

/** The app over a database, with a runner of scans that only remembers what was asked. */
export function openApp(database: Database, changes: Partial<HttpDeps> = {}) {
  const asked: { wish: ScanWish; by: string }[] = [];
  const deps: HttpDeps = {
    database,
    checkScope: ({ regions }) => {
      if (regions?.includes("mars-1")) throw new UsageError("Amazon Personalize is not offered in region mars-1.");
    },
    requestScan: async (wish, by) => {
      if (wish.regions?.includes("mars-1")) throw new UsageError("Amazon Personalize is not offered in region mars-1.");
      const twin = asked.findIndex((one) => JSON.stringify(one.wish) === JSON.stringify(wish));
      if (twin < 0) asked.push({ wish, by });
      const n = twin < 0 ? asked.length - 1 : twin;
      return { scan_id: `019ccccc-0000-7000-8000-00000000000${n}`, deduplicated: twin >= 0 };
    },
    cancelScan: (id, by) => cancelScan(database, id, by, NOW),
    ready: async () => ({ ok: true, checks: { database: "ok" } }),
    plans: {
      activeSet: activeSetReader(database),
      approval: { by: "anyone", hours: 168 },
      requestApply: (id, actor) => requestApply(database, id, { actor, now: NOW, enqueue: async () => {} }),
    },
    events: null,
    sandbox: false,
    now: () => NOW,
    version: "0.0.0",
    policies: () => ({ set_id: null, problem: null }),
    account_names: new Map([["111122223333", "Shop production"]]),
    ...changes,
  };
  return { app: createApp(deps), asked };
}

/** A database that is not there: every query fails as the driver fails then. */
export const NO_DATABASE = new Proxy({} as Database, {
  get: () => () => {
    throw Object.assign(new Error("connect ECONNREFUSED 10.1.2.3:5432 password=secret"), { code: "ECONNREFUSED" });
  },
});
