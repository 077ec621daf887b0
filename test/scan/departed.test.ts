import { eq } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { confirmHeld } from "../../src/findings/db/decide-held.ts";
import { driftOf, sizeOf } from "../../src/findings/db/rollup-drift.ts";
import { finding_events, findings } from "../../src/findings/schema.ts";
import { scans, units } from "../../src/inventory/schema.ts";
import { compliance } from "../../src/reports/store.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/server.ts";
import type { OrganizationMember } from "../../src/scan/targets.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";
import { scanAll } from "../support/scan.ts";

/** A guard that lets everything pass. */
const NO_GUARD = { share: 1, count: 1_000_000 };

describeOnBoth("an account of an organization on %s", (kind) => {
  let opened: Awaited<ReturnType<typeof openTestDatabase>>;
  let sandbox: Sandbox;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
  });
  beforeEach(async () => {
    await emptyTables(opened.database);
    sandbox = await startSandbox({ resources: 300, accounts: 4, regions: ["us-east-1"] });
  });
  afterEach(() => sandbox.close());
  afterAll(() => opened.close());

  const all = (state = "ACTIVE") => sandbox.organization.accounts.map(({ id }) => ({ account_id: id, state }));
  const targetsOf = (members: readonly OrganizationMember[]) =>
    members
      .filter(({ state }) => state === "ACTIVE")
      .map(({ account_id }) => ({ partition: "aws", account_id, region: "us-east-1" }));
  const scan = (members: OrganizationMember[], mass_close = NO_GUARD) =>
    scanAll(opened.database, sandbox, {
      targets: targetsOf(members),
      members,
      types: ["campaign", "solution"],
      mass_close,
    });

  async function findingsOf(account_id: string) {
    const rows = await opened.database.select().from(findings).where(eq(findings.account_id, account_id));
    return Object.fromEntries(
      Object.entries(Object.groupBy(rows, ({ state, resolution }) => resolution ?? state)).map(([name, some]) => [
        name,
        some?.length,
      ]),
    );
  }

  test.for(["SUSPENDED", "PENDING_CLOSURE", "CLOSED"])(
    "that is %s takes its findings out of scope, once, and brings them back when it is active again",
    async (state) => {
      await scan(all());
      const [, gone] = all();
      const before = await findingsOf(gone!.account_id);
      expect(before["open"]).toBeGreaterThan(0);
      const suspended = all().map((member) => (member.account_id === gone!.account_id ? { ...member, state } : member));
      expect((await scan(suspended)).state).toBe("succeeded");
      expect(await findingsOf(gone!.account_id)).toEqual({ out_of_scope: before["open"] });
      const { not_applicable, units_incomplete, units_never_read } = await compliance(opened.database);
      expect({ units_incomplete, units_never_read }).toEqual({ units_incomplete: 0, units_never_read: 0 });
      expect(not_applicable).toBeGreaterThan(0);
      expect(await opened.database.select().from(units).where(eq(units.account_id, gone!.account_id))).toEqual([]);

      expect(sizeOf(await driftOf(opened.database))).toBe(0);

      const events = await opened.database.$count(finding_events);
      await scan(suspended);
      expect(await opened.database.$count(finding_events)).toBe(events);

      await scan(all());
      expect(await findingsOf(gone!.account_id)).toEqual({ open: before["open"] });
      const causes = await opened.database
        .selectDistinct({ cause: finding_events.cause })
        .from(finding_events)
        .where(eq(finding_events.event, "reopened"));
      expect(causes).toEqual([{ cause: "rule_restored" }]);
    },
  );

  test("that left takes its findings out of scope; one that was never a member does not", async () => {
    const [first, second, ...others] = all();
    await scanAll(opened.database, sandbox, { targets: targetsOf([first!]) });
    await scan([second!, ...others]);
    await scan(others);
    expect(await findingsOf(second!.account_id)).toEqual({ out_of_scope: expect.any(Number) });
    expect(await findingsOf(first!.account_id)).toEqual({ open: expect.any(Number) });
  });

  test("whose closures are many waits for confirmation, is counted as compliant by nobody meanwhile, and for the next scan to agree", async () => {
    await scan(all());
    const [, gone] = all();
    const before = await findingsOf(gone!.account_id);
    const suspended = all().map((member) =>
      member.account_id === gone!.account_id ? { ...member, state: "SUSPENDED" } : member,
    );
    await scan(suspended, { share: 0, count: 0 });
    expect(await findingsOf(gone!.account_id)).toEqual(before);
    const { compliant, noncompliant } = await compliance(opened.database, { account_id: [gone!.account_id] });
    expect({ compliant, noncompliant }).toEqual({ compliant: 0, noncompliant: 0 });
    await scan(suspended, { share: 0, count: 0 });
    expect(await findingsOf(gone!.account_id)).toEqual({ out_of_scope: before["open"] });
  });

  test("that is missing with most of the others closes nothing, says so at every scan, and needs a person", async () => {
    await scan(all());
    const [first, second] = all();
    const before = await findingsOf(second!.account_id);
    await scan([first!]);
    const { scan: again } = await scan([first!]);
    expect(await findingsOf(second!.account_id)).toEqual(before);
    const [row] = await opened.database.select().from(scans).where(eq(scans.id, again.id));
    expect(row?.warnings.join()).toMatch(/accounts of the organization are no longer in it.*tagwarden scans confirm/);
    await confirmHeld(opened.database, again.id, { actor: "test", at: new Date() });
    expect(await findingsOf(second!.account_id)).toEqual({ out_of_scope: before["open"] });
    const { scan: last } = await scan([first!]);
    const [quiet] = await opened.database.select().from(scans).where(eq(scans.id, last.id));
    expect(await opened.database.select().from(units).where(eq(units.account_id, second!.account_id))).toEqual([]);
    expect(quiet?.state).toBe("succeeded");
  });
});
