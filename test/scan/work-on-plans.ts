import { openPostgres } from "../../src/db/client.ts";
import { startWork } from "../../src/scan/work.ts";
import { BUDGETS, connect } from "../remediation/world-settings.ts";

/** A worker in a process of its own, to be killed. */
const { URL: url = "", ENDPOINT = "" } = process.env;
await startWork({
  opened: await openPostgres(url),
  aws: connect(ENDPOINT),
  at_once: 1,
  longest_ms: 3_600_000,
  now: () => new Date("2026-03-01T02:00:00Z"),
  settings: { mass_close: { share: 1, count: 1000 }, target_ms: 3_600_000, accounts: {} },
  budgets: BUDGETS,
  afterScan: async () => {},
});
