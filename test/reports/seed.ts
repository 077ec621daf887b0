import type { Database } from "../../src/db/client.ts";
import { uuidv7 } from "../../src/db/uuid.ts";
import { exemptions } from "../../src/exemptions/schema.ts";
import { finding_events, findings } from "../../src/findings/schema.ts";
import { resources, scan_units, scans, units } from "../../src/inventory/schema.ts";
import { policy_rules, policy_sets } from "../../src/policy/schema.ts";

/** The instant at which the seeded world was scanned. */
export const NOON = new Date("2026-03-02T12:00:00.000Z");

type Row<T extends { $inferInsert: object }> = Partial<T["$inferInsert"]>;

/** Rows with believable defaults; a test says only what it is about. */
export function seeder(database: Database) {
  let n = 0;
  const serial = () => String(++n).padStart(4, "0");
  return {
    async unit(row: Row<typeof units> = {}) {
      const value = {
        partition: "aws",
        account_id: "111122223333",
        region: "us-east-1",
        type: "campaign" as const,
        state: "complete" as const,
        listed: true,
        listed_at: NOON,
        attempted_at: NOON,
        completed_at: NOON,
        ...row,
      };
      await database.insert(units).values(value);
      return value;
    },
    async resource(row: Row<typeof resources> = {}) {
      const { account_id = "111122223333", region = "us-east-1", type = "campaign", name = `thing-${serial()}` } = row;
      const value = {
        arn: `arn:aws:personalize:${region}:${account_id}:${type}/${name}`,
        account_id,
        region,
        type,
        name,
        status: "ACTIVE",
        summary: {},
        tags: {} as Record<string, string> | null,
        source: "index" as const,
        tags_read_at: NOON,
        in_index: true,
        standing: "judged" as const,
        first_seen_at: NOON,
        recorded_at: NOON,
        ...row,
      };
      await database.insert(resources).values(value);
      return value;
    },
    findingRow(
      on: { arn: string; account_id: string; region: string; type: typeof findings.$inferInsert.type },
      row: Row<typeof findings> = {},
    ) {
      const value = {
        id: `f${serial()}`.padEnd(64, "0"),
        account_id: on.account_id,
        region: on.region,
        type: on.type,
        arn: on.arn,
        policy_id: "cost",
        rule_id: "cost-center",
        key: "CostCenter",
        kind: "missing" as const,
        severity: "high" as const,
        detail: { message: "CostCenter is missing", observed: {}, expected: "a value like CC-1234" },
        policy_set_id: "set-1",
        source: "index" as const,
        state: "open" as const,
        opened_at: NOON,
        opened_cause: "observed" as const,
        first_opened_at: NOON,
        ...row,
      };
      return value;
    },
    async finding(
      on: { arn: string; account_id: string; region: string; type: typeof findings.$inferInsert.type },
      row: Row<typeof findings> = {},
    ) {
      const value = this.findingRow(on, row);
      await database.insert(findings).values(value);
      return value;
    },
    async event(finding_id: string, row: Row<typeof finding_events> = {}) {
      await database.insert(finding_events).values({
        finding_id,
        at: NOON,
        event: "opened",
        cause: "observed",
        kind: "missing",
        severity: "high",
        detail: { message: "CostCenter is missing", observed: {}, expected: "" },
        source: "index",
        policy_set_id: "set-1",
        ...row,
      });
    },
    async exemption(row: Row<typeof exemptions> = {}) {
      await database.insert(exemptions).values({
        id: uuidv7(new Date()),
        source: "api",
        reason: "legacy",
        requested_by: "alice",
        approved_by: "bob",
        created_at: new Date(Date.now() - 1000),
        starts_at: new Date(Date.now() - 1000),
        expires_at: new Date(Date.now() + 86_400_000),
        ...row,
      });
    },
    async policySet(rules: Row<typeof policy_rules>[] = [], row: Row<typeof policy_sets> = {}) {
      const set = { id: "set-1", created_at: NOON, files: [], active: true, ...row };
      await database.insert(policy_sets).values(set);
      for (const [position, rule] of rules.entries()) {
        await database.insert(policy_rules).values({
          policy_set_id: set.id,
          policy_id: "cost",
          rule_id: "cost-center",
          position,
          title: "Every resource can be billed",
          owner: "finops@example.com",
          key: "CostCenter",
          severity: "high",
          sensitive: false,
          ...rule,
        });
      }
    },
    async scan(row: Row<typeof scans> = {}, its_units: Row<typeof scan_units>[] = [{}]) {
      const id = row.id ?? uuidv7(NOON);
      await database.insert(scans).values({
        id,
        state: "succeeded",
        trigger: "cli",
        requested_by: "alice",
        targets: 1,
        scope_hash: id,
        types: ["campaign"],
        confirm_all: false,
        policy_set_id: "set-1",
        created_at: NOON,
        started_at: NOON,
        finished_at: new Date(NOON.getTime() + 4200),
        warnings: [],
        api_calls: { total: 3, throttled: 0, ListCampaigns: 3 },
        ...row,
      });
      for (const unit of its_units) {
        await database.insert(scan_units).values({
          scan_id: id,
          account_id: "111122223333",
          region: "us-east-1",
          type: "campaign",
          state: "complete",
          listed: true,
          ...unit,
        });
      }
      return id;
    },
  };
}
