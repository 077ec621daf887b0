import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Database } from "../../src/db/client.ts";
import { RESOURCE_TYPE_NAMES } from "../../src/inventory/resource-types.ts";
import { scan_units, scans } from "../../src/inventory/schema.ts";
import {
  eachScanUnitsPage,
  firstScanUnits,
  INCOMPLETE_STATES,
  scanTargetsPage,
  scanUnitsPage,
  unitsByState,
  workersOf,
} from "../../src/reports/db/scan-lists.ts";
import type { ScanUnitRow } from "../../src/reports/db/scans.ts";
import { scan_targets } from "../../src/scan/schema.ts";
import { createScan } from "../../src/scan/store.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";

const ACCOUNTS = Array.from({ length: 60 }, (_, i) => String(100_000_000_000 + i * 7));
const STATES = ["complete", "denied", "failed", "pending"] as const;

describeOnBoth("the units and targets of a scan of many accounts on %s", (kind) => {
  let opened: Awaited<ReturnType<typeof openTestDatabase>>;
  let database: Database;
  let id: string;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
    database = opened.database;
  });
  beforeEach(async () => {
    await emptyTables(database);
    const targets = ACCOUNTS.map((account_id) => ({ partition: "aws", account_id, region: "us-east-1" }));
    const types = RESOURCE_TYPE_NAMES;
    const request = { targets, types, confirm_all: false, trigger: "api", requested_by: "ana" } as const;
    const created = await createScan(database, request, new Date());
    if (!created) throw new Error("no scan");
    ({ id } = created.scan);
  });
  afterAll(() => opened.close());

  const nameOf = ({ account_id, region, type }: ScanUnitRow) => `${account_id} ${region} ${type}`;

  async function mixStates() {
    const rows = await firstScanUnits(database, id, 10_000);
    const stateOf = new Map(rows.map((row, i) => [nameOf(row), STATES[(i * 5) % STATES.length]!]));
    await database.delete(scan_units);
    await database
      .insert(scan_units)
      .values(rows.toReversed().map((row) => ({ ...row, scan_id: id, state: stateOf.get(nameOf(row))! })));
    return stateOf;
  }

  test("come page by page, each once, in order, whatever the filter", async () => {
    const stateOf = await mixStates();
    const names: string[] = [];
    await eachScanUnitsPage(database, id, {}, (units) => void names.push(...units.map(nameOf)));
    expect(names).toEqual([...stateOf.keys()]);
    expect(names).toHaveLength(ACCOUNTS.length * RESOURCE_TYPE_NAMES.length);

    const wanted = [...stateOf].filter(([, state]) => state === "denied" || state === "failed").map(([name]) => name);
    const seen: string[] = [];
    let page_token: string | undefined;
    do {
      const page = await scanUnitsPage(database, id, { state: INCOMPLETE_STATES }, { page_size: 37, page_token });
      expect(page.total).toEqual({ count: wanted.length, type: "EXACT" });
      seen.push(...page.items.map(nameOf));
      page_token = page.next_page_token ?? undefined;
    } while (page_token !== undefined);
    expect(seen).toEqual(wanted);
  });

  test("are counted by state, states without any left out", async () => {
    const stateOf = [...(await mixStates()).values()];
    const count = (state: string) => stateOf.filter((one) => one === state).length;
    const counts = await unitsByState(database, id);
    expect(counts).toEqual(Object.fromEntries(STATES.map((state) => [state, count(state)])));
    expect(Object.keys(counts)).toEqual(["pending", "complete", "denied", "failed"]);
  });

  test("another scan's are not among them", async () => {
    const other = await createScan(
      database,
      {
        targets: [{ partition: "aws", account_id: ACCOUNTS[0]!, region: "us-east-1" }],
        types: ["filter"],
        confirm_all: false,
        trigger: "api",
        requested_by: "ana",
      },
      new Date(),
    );
    const its = other!.scan.id;
    expect((await scanUnitsPage(database, its)).total.count).toBe(1);
    expect((await scanTargetsPage(database, its)).items).toHaveLength(1);
    expect((await scanTargetsPage(database, id, {}, { page_size: 500 })).items).toHaveLength(ACCOUNTS.length);
    await database.delete(scans);
  });

  test("say which processes work on them, the busiest first", async () => {
    const rows = await database.select().from(scan_targets);
    const owners = ["host-a:12:aaaa0001", "host-b:7:bbbb0001", "host-b:7:bbbb0001", null];
    await database.delete(scan_targets);
    await database.insert(scan_targets).values(
      rows.map((row, i) => {
        const lease_owner = owners[i % owners.length]!;
        return { ...row, lease_owner, state: lease_owner ? ("running" as const) : ("queued" as const) };
      }),
    );
    expect(await workersOf(database, id)).toEqual([
      { worker: "host-b:7", targets: 30 },
      { worker: "host-a:12", targets: 15 },
    ]);
    const running = await scanTargetsPage(database, id, { state: ["running"] }, { page_size: 10 });
    expect(running.total).toEqual({ count: 45, type: "EXACT" });
    expect(running.items).toHaveLength(10);
  });
});
