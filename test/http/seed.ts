import { createHash } from "node:crypto";
import type { Database } from "../../src/db/client.ts";
import { uuidv7 } from "../../src/db/uuid.ts";
import { exemptions } from "../../src/exemptions/schema.ts";
import { repairDrift } from "../../src/findings/db/rollup-drift.ts";
import { finding_events, findings, rollup_daily_account } from "../../src/findings/schema.ts";
import type { ResourceType } from "../../src/inventory/resource-types.ts";
import { resources, scan_units, scans, units } from "../../src/inventory/schema.ts";
import { policy_rules, policy_sets } from "../../src/policy/schema.ts";

/** The instant at which the pages of tests are looked at. */
export const NOW = new Date("2026-03-02T12:00:00Z");
const HOUR = 3_600_000;
const before = (hours: number) => new Date(NOW.getTime() - hours * HOUR);

const ACCOUNTS = ["111122223333", "444455556666", "777788889999"];
const REGIONS = ["us-east-1", "eu-west-1"];
const TYPES: ResourceType[] = ["dataset-group", "dataset", "solution", "solution-version", "campaign", "recommender"];
const RULES = [
  { policy_id: "cost-allocation", rule_id: "cost-center", key: "CostCenter", severity: "high" },
  { policy_id: "cost-allocation", rule_id: "environment", key: "Environment", severity: "medium" },
  { policy_id: "cost-allocation", rule_id: "owner", key: "Owner", severity: "low" },
] as const;

/** What `seedWorld` made, counted independently of any query. */
export type World = {
  arns: string[];
  finding_ids: string[];
  scan_id: string;
  open: number;
  exempt: number;
  noncompliant: number;
};

/** A believable organization: three accounts, two regions, six types, one finished scan in which two units failed. */
export async function seedWorld(database: Database, size = 10): Promise<World> {
  const scan_id = uuidv7(before(1));
  const set = "a".repeat(64);
  await database.insert(policy_sets).values({
    id: set,
    created_at: before(500),
    files: [],
    active: true,
    activated_at: before(500),
    activated_by: "test",
  });
  await database.insert(policy_rules).values(
    RULES.map((rule, position) => ({
      ...rule,
      policy_set_id: set,
      position,
      title: "Every resource can be billed to a team",
      owner: "finops@example.com",
      sensitive: false,
    })),
  );
  await database.insert(scans).values({
    id: scan_id,
    state: "partial",
    trigger: "schedule",
    requested_by: "schedule nightly",
    targets: ACCOUNTS.length * REGIONS.length,
    scope_hash: scan_id,
    types: TYPES,
    confirm_all: false,
    policy_set_id: set,
    created_at: before(1),
    started_at: before(1),
    heartbeat_at: before(0.9),
    finished_at: before(0.9),
    warnings: ["777788889999/eu-west-1: no permission to use the index; every resource is asked of the service"],
    api_calls: { total: 412, throttled: 3, ListCampaigns: 12 },
  });
  const world: World = { arns: [], finding_ids: [], scan_id, open: 0, exempt: 0, noncompliant: 0 };
  await database.insert(exemptions).values({
    id: uuidv7(before(100)),
    source: "api",
    policy_id: "cost-allocation",
    rule_id: "owner",
    accounts: [ACCOUNTS[1]!],
    reason: "Team is being re-organised",
    ticket: "FIN-42",
    requested_by: "ana@example.com",
    approved_by: "bo@example.com",
    created_at: before(100),
    // The database asks its own clock.
    starts_at: new Date(Date.now() - HOUR),
    expires_at: new Date(Date.now() + 100 * 24 * HOUR),
  });
  let n = 0;
  for (const account_id of ACCOUNTS) {
    for (const region of REGIONS) {
      for (const type of TYPES) {
        const denied =
          account_id === ACCOUNTS[2] && region === "eu-west-1" && (type === "campaign" || type === "recommender");
        const error = {
          name: "AccessDeniedException",
          message: `User is not authorized to perform: personalize:List on ${type}`,
          operation: "List",
        };
        const unit = { account_id, region, type };
        await database.insert(units).values({
          ...unit,
          partition: "aws",
          state: denied ? "denied" : "complete",
          listed: !denied,
          error: denied ? error : null,
          applied_epoch: 1,
          last_scan_id: scan_id,
          attempted_at: before(0.9),
          listed_at: before(denied ? 50 : 0.9),
          completed_at: before(denied ? 50 : 0.9),
        });
        await database.insert(scan_units).values({
          ...unit,
          scan_id,
          state: denied ? "denied" : "complete",
          listed: !denied,
          error: denied ? error : null,
          resources: denied ? 0 : size,
          pages: 1,
          opened: denied ? 0 : 2,
          started_at: before(1),
          finished_at: before(0.9),
        });
        const rows: (typeof resources.$inferInsert)[] = [];
        const found: (typeof findings.$inferInsert)[] = [];
        const events: (typeof finding_events.$inferInsert)[] = [];
        for (let i = 0; i < size; i++) {
          n++;
          const arn = `arn:aws:personalize:${region}:${account_id}:${type}/shop-${type}-${i}`;
          const faulty = RULES.filter((_, r) => (n * 7 + r * 3) % 5 === 0);
          const tags: Record<string, string> = { "aws:cloudformation:stack-name": "shop" };
          for (const rule of RULES) if (!faulty.includes(rule)) tags[rule.key] = `${rule.key.toLowerCase()}-1`;
          if (n % 3 !== 0) delete tags["aws:cloudformation:stack-name"];
          rows.push({
            arn,
            ...unit,
            name: `shop-${type}-${i}`,
            status: "ACTIVE",
            created_at: before(2000 + n),
            updated_at: before(100),
            summary: { recipeArn: "arn:aws:personalize:::recipe/aws-user-personalization" },
            tags,
            source: n % 2 === 0 ? "index" : "service",
            tags_read_at: before(30),
            in_index: n % 2 === 0,
            standing: "judged",
            stack: n % 3 === 0 ? "shop" : null,
            first_seen_at: before(1500),
            recorded_at: before(30),
            recorded_scan_id: scan_id,
          });
          world.arns.push(arn);
          let reallyOpen = 0;
          for (const rule of faulty) {
            const id = createHash("sha256").update(`${arn}/${rule.rule_id}`).digest("hex");
            const exempt = rule.rule_id === "owner" && account_id === ACCOUNTS[1];
            const detail = {
              message: `${rule.key} is missing`,
              observed: {},
              expected: rule.key === "Environment" ? "one of dev, staging, prod" : "a value",
              ...(rule.key === "CostCenter" ? { near_miss: "costcenter" } : {}),
            };
            found.push({
              id,
              ...unit,
              arn,
              policy_id: rule.policy_id,
              rule_id: rule.rule_id,
              key: rule.key,
              kind: "missing",
              severity: rule.severity,
              detail,
              policy_set_id: set,
              source: "service",
              state: "open",
              opened_at: before(200 + n),
              opened_cause: "observed",
              first_opened_at: before(200 + n),
              last_scan_id: scan_id,
            });
            events.push({
              finding_id: id,
              at: before(200 + n),
              event: "opened",
              cause: "observed",
              kind: "missing",
              severity: rule.severity,
              detail,
              source: "service",
              policy_set_id: set,
              scan_id,
            });
            world.finding_ids.push(id);
            if (exempt) world.exempt++;
            else {
              world.open++;
              reallyOpen++;
            }
          }
          if (reallyOpen > 0) world.noncompliant++;
        }
        await database.insert(resources).values(rows);
        if (found.length > 0) {
          await database.insert(findings).values(found);
          await database.insert(finding_events).values(events);
        }
      }
    }
  }
  // Two days of a trend: one of which something else is known, and the one that is.
  await database
    .insert(rollup_daily_account)
    .values({ day: before(72).toISOString().slice(0, 10), account_id: ACCOUNTS[0]!, compliant: 9, violating: 3 });
  await repairDrift(database, before(1));
  return world;
}
