import { asc, eq, sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadConfig, UsageError } from "../../../src/config.ts";
import { scans } from "../../../src/inventory/schema.ts";
import { startService } from "../../../src/main.ts";
import { schedule_slots, schedules } from "../../../src/scan/schema.ts";
import { workFolder } from "../../support/cli.ts";
import { openTestDatabase } from "../../support/database.ts";

const POLICY = "version: 1\nid: p\nrules:\n  - {id: owner, key: Owner, required: true}\n";
const hourly = (fields: string) => `schedules:\n  - {id: hourly, cron: "0 * * * *"${fields}}\n`;

let opened: Awaited<ReturnType<typeof openTestDatabase>>;
beforeAll(async () => {
  opened = await openTestDatabase("postgres");
});
afterAll(() => opened.close());

async function start(config: string) {
  const cwd = await workFolder({ "tagwarden.yaml": config });
  const policies = await workFolder({ "p.yaml": POLICY });
  const env = { DATABASE_URL: opened.url ?? "", TAGWARDEN_POLICIES: policies, PORT: "0", LOG_LEVEL: "warn" };
  return startService({
    config: await loadConfig(env, cwd),
    sandbox: "own",
    folder: cwd,
    sandbox_port: 0,
    now: () => new Date(),
    say: () => {},
  });
}

test(
  "two services with one schedule scan a slot that was missed once, narrowed as the schedule says",
  { timeout: 600_000 },
  async () => {
    const first = await start(hourly(", types: [filter]"));
    const second = await start(hourly(", types: [filter]"));
    try {
      // As if no service had run for two hours.
      await opened.database.update(schedules).set({ counts_from: sql`date_trunc('hour', now()) - interval '2 hours'` });
      const scanned = () =>
        opened.database.select().from(scans).where(eq(scans.schedule_id, "hourly")).orderBy(asc(scans.created_at));
      await expect
        .poll(async () => (await scanned()).map(({ state }) => state), { timeout: 500_000, interval: 500 })
        .toEqual(["succeeded"]);
      const [scan] = await scanned();
      expect(scan).toMatchObject({ trigger: "schedule", requested_by: "schedule hourly", types: ["filter"] });
      const slots = await opened.database.select().from(schedule_slots);
      expect(slots).toMatchObject([{ outcome: "started", scan_id: scan?.id, slot: scan?.slot }]);
      expect(slots[0]?.caught_up).toBeGreaterThanOrEqual(1);
    } finally {
      await second.stop();
      await first.stop();
    }
  },
);

test(
  "a schedule that asks for what cannot be scanned keeps the service from starting",
  { timeout: 600_000 },
  async () => {
    const start_with = start(hourly(", types: [campain]"));
    await expect(start_with).rejects.toThrow(UsageError);
    await expect(start_with).rejects.toThrow(/^Schedule hourly: "campain" is not a resource type/);
  },
);
