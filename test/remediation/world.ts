import { eq, sql } from "drizzle-orm";
import { auditUnit } from "../../src/audit.ts";
import type { Database, OpenDatabase } from "../../src/db/client.ts";
import { uuidv7 } from "../../src/db/uuid.ts";
import { activateSet } from "../../src/findings/activate.ts";
import { findings } from "../../src/findings/schema.ts";
import type { Aws } from "../../src/inventory/aws/session.ts";
import type { UnitReading } from "../../src/inventory/aws/read-unit.ts";
import type { Observation, Unit } from "../../src/inventory/resource.ts";
import type { ResourceType } from "../../src/inventory/resource-types.ts";
import { scans } from "../../src/inventory/schema.ts";
import { wantedForRepair } from "../../src/policy/needs.ts";
import { compilePolicies, type PolicySet } from "../../src/policy/load.ts";
import { applyPlan, type ApplyDeps, type ApplyResult } from "../../src/remediation/aws/apply.ts";
import { loadPlannable, type PlanScope } from "../../src/remediation/load.ts";
import { type Draft, planChanges } from "../../src/remediation/plan.ts";
import { plan_actions } from "../../src/remediation/schema.ts";
import { type ActionRow, approvePlan, createPlan, loadPlan } from "../../src/remediation/store.ts";
import { type Sandbox, type SandboxOptions, startSandbox } from "../../src/sandbox/server.ts";
import { emptyTables, openTestDatabase } from "../support/database.ts";
import { ACTOR, BUDGETS, connect, FAST } from "./world-settings.ts";

export { ACTOR, ANYONE, BUDGETS } from "./world-settings.ts";

/** Everything that repair can be asked for, in one policy. */
export const POLICY = `
version: 1
id: p
title: Tags
remediation: plan
rules:
  - id: environment
    key: Environment
    required: true
    values: [dev, staging, prod]
    fix: {missing: {value: dev}, invalid: {map: {Production: prod}}}
  - id: cost-center
    key: CostCenter
    aliases: [cost-center, costcenter]
    pattern: 'CC-\\d{4}'
    fix: {variant: rename}
  - id: no-leftovers
    forbidden: ['temp:*']
    fix: {forbidden: remove}
`;

export const AUTO_POLICY = POLICY.replace("remediation: plan", "remediation: auto");

export function setOf(...texts: string[]): PolicySet {
  return compilePolicies(texts.map((text, index) => ({ path: `${index}.yaml`, text })));
}

export const SET = setOf(POLICY);
/** Tags that violate nothing. */
export const GOOD = { Environment: "prod", CostCenter: "CC-0001" };

/** A sandbox with one account and region to fill, a database, and what a team does with them. */
export class World {
  readonly sandbox: Sandbox;
  readonly opened: OpenDatabase & { url: string | null };
  /** Opened anew for each test: its limiters remember what went wrong. */
  aws: Aws;
  set: PolicySet = SET;
  /** The clock of everything but leases. */
  time = new Date("2026-03-01T00:00:00Z");
  #names = 0;

  constructor(sandbox: Sandbox, opened: OpenDatabase & { url: string | null }) {
    this.sandbox = sandbox;
    this.opened = opened;
    this.aws = connect(sandbox.url);
  }

  static async open(kind: "postgres" | "pglite", options: SandboxOptions = {}): Promise<World> {
    const sandbox = await startSandbox({ resources: 1, accounts: 1, regions: ["us-east-1", "eu-west-1"], ...options });
    return new World(sandbox, await openTestDatabase(kind));
  }

  async close(): Promise<void> {
    this.aws.close();
    await this.sandbox.close();
    await this.opened.close();
  }

  /** Empties account and database, and activates policies. */
  async reset(set: PolicySet = SET): Promise<void> {
    this.sandbox.setFaults([]);
    this.reconnect();
    for (const { arn } of this.sandbox.resources().toArray()) this.sandbox.deleteResource(arn);
    await emptyTables(this.database);
    this.time = new Date("2026-03-01T00:00:00Z");
    await this.activate(set);
    this.sandbox.calls.reset();
  }

  /** How long a call may take. Short where calls hang; where none does, a busy machine gets its time. Milliseconds. */
  timeout_ms = 10_000;

  /** As another process would: without what the limiters learned. */
  reconnect(): void {
    this.aws.close();
    this.aws = connect(this.sandbox.url, this.timeout_ms);
  }

  async activate(set: PolicySet): Promise<void> {
    this.set = set;
    await activateSet(this.database, set, ACTOR, this.time);
  }

  get database(): Database {
    return this.opened.database;
  }

  get account_id(): string {
    return this.sandbox.organization.management_account_id;
  }

  readonly now = (): Date => this.time;

  later(hours: number): void {
    this.time = new Date(this.time.getTime() + hours * 3_600_000);
  }

  create(
    tags: Record<string, string>,
    { type = "dataset-group", region = "us-east-1" }: { type?: ResourceType; region?: string } = {},
  ): string {
    return this.sandbox.createResource({ account_id: this.account_id, region }, type, `r-${++this.#names}`, tags);
  }

  tags(arn: string): Record<string, string> {
    for (const resource of this.sandbox.resources()) if (resource.arn === arn) return Object.fromEntries(resource.tags);
    throw new Error(`${arn} is gone`);
  }

  /** What a scan would record of everything there is; returns the scan's id. */
  async scan(): Promise<string> {
    this.later(1);
    const id = uuidv7(this.time);
    const all = [...this.sandbox.resources()];
    const units = Map.groupBy(all, ({ account_id, region, type }) => `${account_id} ${region} ${type}`);
    const [scan] = await this.database
      .insert(scans)
      .values({
        id,
        state: "succeeded",
        trigger: "cli",
        requested_by: ACTOR,
        targets: 2,
        scope_hash: id,
        types: [...new Set(all.map(({ type }) => type))],
        confirm_all: false,
        policy_set_id: this.set.id,
        created_at: this.time,
        warnings: [],
        api_calls: {},
      })
      .returning();
    for (const members of units.values()) {
      const [{ account_id, region, type }] = members as [(typeof members)[number]];
      const unit: Unit = { partition: "aws", account_id, region, type };
      const observations = members.map((member): Observation => {
        const { arn, name, status, created_at } = member;
        const about = { arn, account_id, region, type, name, status, created_at, updated_at: created_at, summary: {} };
        const reading = { tags: Object.fromEntries(member.tags), source: "service", read_at: this.time } as const;
        return { resource: about, in_index: true, outcome: "read", reading, confirmed: true };
      });
      await auditUnit({
        database: this.database,
        scan: { id, epoch: scan!.epoch },
        unit,
        reading: { observations: pageOf(observations), outcome: () => completeWith(observations.length) },
        set: this.set,
        settings: { mass_close: { share: 1, count: 1000 } },
        now: this.now,
      });
    }
    return id;
  }

  draft(scope: PlanScope = {}): Promise<Draft> {
    return planChanges(this.set, loadPlannable(this.database, scope, wantedForRepair(this.set.needs)), {
      mode: "plan",
      now: this.time,
    });
  }

  /** Plans what is open and approves it. */
  async planned(): Promise<string> {
    const about = { mode: "plan", policy_set_id: this.set.id, actor: ACTOR, now: this.time } as const;
    const plan = await createPlan(this.database, await this.draft(), about);
    if (!plan) throw new Error("there is nothing to plan");
    await approvePlan(this.database, plan.id, { hash: plan.hash, actor: ACTOR, now: this.time });
    return plan.id;
  }

  deps(more: Partial<ApplyDeps> = {}): ApplyDeps {
    const { database, aws, set, now } = this;
    return { database, aws, set, now, budgets: BUDGETS, timing: FAST, alone: this.opened.kind === "pglite", ...more };
  }

  apply(plan_id: string, more: Partial<ApplyDeps> = {}, signal?: AbortSignal): Promise<ApplyResult> {
    return applyPlan(this.deps(more), plan_id, ACTOR, signal);
  }

  /** Lets so much time pass that writes which a dead run left are waited for no longer: scans see what they left. */
  async forgetWrites(): Promise<void> {
    await this.database.update(plan_actions).set({ written_at: sql`clock_timestamp() - interval '6 minutes'` });
  }

  async action(plan_id: string, arn: string): Promise<ActionRow> {
    const { actions = [] } = (await loadPlan(this.database, plan_id)) ?? {};
    const found = actions.find((action) => action.arn === arn);
    if (!found) throw new Error(`no action for ${arn}`);
    return found;
  }

  async findingsOf(arn: string): Promise<Record<string, string>> {
    const rows = await this.database.select().from(findings).where(eq(findings.arn, arn));
    return Object.fromEntries(rows.map((row) => [row.rule_id, row.resolution ?? row.state]));
  }

  get writes(): number {
    const { TagResource = 0, UntagResource = 0 } = this.sandbox.calls.by_operation;
    return TagResource + UntagResource;
  }
}

async function* pageOf(observations: Observation[]): AsyncGenerator<Observation[]> {
  yield observations;
}

function completeWith(resources: number): ReturnType<UnitReading["outcome"]> {
  const nothing = { pages: 1, unread: 0, error: null, warnings: [] };
  return { state: "complete", listed: true, resources, ...nothing };
}

/** Fifty tags at most: as many as are asked for, none of which any rule looks at. */
export function filler(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`filler-${index}`, `${index}`]));
}
