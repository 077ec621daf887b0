import { openPostgres } from "../../../src/db/client.ts";
import { tick } from "../../../src/scan/schedules/tick.ts";
import { createScan } from "../../../src/scan/store.ts";
import { requestOf } from "./simulation.ts";

/** Begins the slot that is due, and dies by kill -9 when slot and scan are written and not committed. */
const { URL: url = "", INSTANT = "" } = process.env;
const { database } = await openPostgres(url, { max_connections: 2 });
const now = new Date(INSTANT);
await tick({
  database,
  clock: () => Promise.resolve(now),
  prepare:
    async () =>
    async (transaction, { schedule, slot }) => {
      await createScan(transaction, requestOf(schedule.id, slot), now);
      process.kill(process.pid, "SIGKILL");
      throw new Error("it lives on");
    },
});
