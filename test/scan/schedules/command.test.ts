import { afterAll, beforeAll, expect, test } from "vitest";
import { schedule_slots, schedules } from "../../../src/scan/schema.ts";
import { newRow } from "../../../src/scan/schedules/store.ts";
import { cli, workFolder } from "../../support/cli.ts";
import { openTestDatabase } from "../../support/database.ts";
import { TERMS } from "./simulation.ts";

let opened: Awaited<ReturnType<typeof openTestDatabase>>;
let cwd: string;
beforeAll(async () => {
  opened = await openTestDatabase("postgres");
  cwd = await workFolder();
});
afterAll(() => opened.close());

const run = (...words: string[]) => cli(["schedules", ...words], { cwd, env: { DATABASE_URL: opened.url ?? "" } });
const day = (days: number) => new Date(Math.floor(Date.now() / 86_400_000 + days) * 86_400_000);

test(
  "schedules are listed and shown with what came and what comes, for people and for programs",
  { timeout: 300_000 },
  async () => {
    expect((await run("list")).stdout).toMatch(
      /^No schedule\. Those of tagwarden\.yaml are here once `tagwarden serve` has/,
    );

    const nightly = { ...TERMS, cron: "0 3 * * *", time_zone: "Asia/Kolkata", types: ["campaign" as const] };
    await opened.database
      .insert(schedules)
      .values([
        newRow("nightly", "config", nightly, "tagwarden.yaml", day(-9)),
        newRow("off", "api", { ...TERMS, enabled: false }, "ana@example.com", day(-9)),
      ]);
    const slot = new Date(day(-1).getTime() + 21.5 * 3_600_000);
    const row = { schedule_id: "nightly", slot, decided_at: slot, caught_up: 3, outcome: "skipped_missed" } as const;
    await opened.database.insert(schedule_slots).values(row);

    const list = await run("list");
    expect(list).toMatchObject({ code: 0, stderr: "" });
    const [, first = "", second = ""] = list.stdout.split("\n");
    expect(first).toMatch(
      /^nightly +0 3 \* \* \* +Asia\/Kolkata +\d{4}-\d\d-\d\dT21:30:00\.000Z +\S+T21:30:00\.000Z +skipped_missed +config$/,
    );
    expect(second).toMatch(/^off +30 2 \* \* \* +Europe\/Berlin +not enabled +none yet +api$/);
    const listed = JSON.parse((await run("list", "--json")).stdout) as { items: { id: string }[]; total: unknown };
    expect(listed).toMatchObject({ items: [{ id: "nightly" }, { id: "off", next_slot: null }], total: { count: 2 } });

    const shown = (await run("show", "nightly")).stdout;
    expect(shown).toContain("Schedule nightly: 0 3 * * * in Asia/Kolkata\n");
    expect(shown).toContain("Scans       types campaign\n");
    expect(shown).toMatch(/Next +\S+T21:30:00\.000Z \(\w{3},? 03:00 GMT\+5:30\)\n/);
    expect(shown).toContain(`Last        ${slot.toISOString()} skipped_missed, for 3 missed\n`);
    const object = JSON.parse((await run("show", "nightly", "--json")).stdout) as { next_slots: unknown[] };
    expect(object).toMatchObject({ id: "nightly", slots: [{ outcome: "skipped_missed", caught_up: 3 }] });
    expect(object.next_slots).toHaveLength(5);

    const none = await run("show", "nigthly");
    expect(none).toMatchObject({ code: 2, stdout: "" });
    expect(none.stderr).toContain(
      'There is no schedule "nigthly" in this database. List them: tagwarden schedules list',
    );
  },
);
