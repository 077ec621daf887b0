import { uuidv7 } from "../../src/db/uuid.ts";
import type { Database } from "../../src/db/client.ts";
import type { FindingEventName } from "../../src/findings/finding.ts";
import { finding_events, findings } from "../../src/findings/schema.ts";
import type { JudgedObservation } from "../../src/findings/sights.ts";
import { UnitRecorder, type UnitSummary } from "../../src/findings/store.ts";
import type { Observation, Resource, Unit, UnitOutcome } from "../../src/inventory/resource.ts";
import { scans } from "../../src/inventory/schema.ts";
import { judge } from "../../src/policy/judge.ts";
import { compilePolicies, type PolicyFile, type PolicySet } from "../../src/policy/load.ts";
import type { Tags } from "../../src/tags/tags.ts";

export const UNIT: Unit = { partition: "aws", account_id: "111122223333", region: "eu-west-1", type: "campaign" };
export const START = new Date("2026-03-01T00:00:00Z");
export const LIMITS = { mass_close: { share: 0.3, count: 50 } };
const HOUR = 3_600_000;

/** A policy with the rules given as YAML list items. */
export function policySet(...rules: string[]): PolicySet {
  return compilePolicies(policyFiles(...rules));
}

export function policyFiles(...rules: string[]): PolicyFile[] {
  const text = ["version: 1", "id: p", "title: Tags", "rules:", ...rules.map((rule) => `  - ${rule}`)].join("\n");
  return [{ path: "p.yaml", text }];
}

export const OWNER = "{id: owner, key: Owner, required: true, severity: high}";
export const ENV = "{id: env, key: Env, required: true, values: [dev, prod], aliases: [environment]}";
export const SET = policySet(OWNER, ENV);

export const after = (hours: number): Date => new Date(START.getTime() + hours * HOUR);

export function resourceOf(name: string, change: Partial<Resource> = {}, unit: Unit = UNIT): Resource {
  return {
    arn: `arn:aws:personalize:${unit.region}:${unit.account_id}:${unit.type}/${name}`,
    account_id: unit.account_id,
    region: unit.region,
    type: unit.type,
    name,
    status: "ACTIVE",
    created_at: new Date("2025-01-01T00:00:00Z"),
    updated_at: new Date("2025-01-02T00:00:00Z"),
    summary: { recipeArn: "arn:aws:personalize:::recipe/aws-ranking" },
    ...change,
  };
}

type Read = { source?: "index" | "service"; confirmed?: boolean; in_index?: boolean; read_at?: Date };

export function read(
  resource: Resource,
  tags: Tags,
  { source = "service", confirmed = source === "service", in_index = true, read_at = START }: Read = {},
): Observation {
  return { resource, in_index, outcome: "read", reading: { tags, source, read_at }, confirmed };
}
export const gone = (resource: Resource): Observation => ({ resource, in_index: true, outcome: "gone" });
export const unread = (resource: Resource, name = "AccessDeniedException", message = "no"): Observation => ({
  resource,
  in_index: true,
  outcome: "unknown",
  error: { name, message, operation: "ListTagsForResource" },
});

export function judged(observation: Observation, set: PolicySet = SET, now = START): JudgedObservation {
  const judgement =
    observation.outcome === "read"
      ? judge(set, { resource: observation.resource, tags: observation.reading.tags, now })
      : null;
  return { observation, judgement };
}

export const ended = (resources: number, change: Partial<UnitOutcome> = {}): UnitOutcome => ({
  state: "complete",
  listed: true,
  resources,
  pages: Math.ceil(resources / 100),
  unread: 0,
  error: null,
  warnings: [],
  ...change,
});

/** A scan row, with an epoch above all before it. */
export async function newScan(
  database: Database,
  set: PolicySet = SET,
  now = START,
): Promise<{ id: string; epoch: number; policy_set_id: string }> {
  const [row] = await database
    .insert(scans)
    .values({
      id: uuidv7(now),
      state: "running",
      trigger: "cli",
      requested_by: "test",
      targets: 0,
      scope_hash: "",
      types: [],
      confirm_all: false,
      policy_set_id: set.id,
      created_at: now,
      warnings: [],
      api_calls: {},
    })
    .returning({ id: scans.id, epoch: scans.epoch });
  return { ...row!, policy_set_id: set.id };
}

type ScanOptions = { set?: PolicySet; at?: Date; outcome?: Partial<UnitOutcome>; unit?: Unit; limits?: typeof LIMITS };

/** One scan of one unit, from its row to its summary. */
export async function scan(
  database: Database,
  observations: Observation[],
  options: ScanOptions = {},
): Promise<UnitSummary & { scan_id: string }> {
  const { set = SET, at = START, outcome = {}, unit = UNIT, limits = LIMITS } = options;
  const row = await newScan(database, set, at);
  const recorder = new UnitRecorder(database, row, unit, limits, () => at);
  for (let start = 0; start < observations.length; start += 100) {
    await recorder.add(observations.slice(start, start + 100).map((one) => judged(one, set, at)));
  }
  return { ...(await recorder.finish(ended(observations.length, outcome))), scan_id: row.id };
}

const STILL = [
  "resources",
  "findings",
  "finding_events",
  "unit_tallies",
  "rollup_daily_account",
  "rollup_daily_account_rule",
  "rollup_daily_account_owner",
];

/** Every row of what a steady scan must not touch, with the transaction that wrote it. */
export async function snapshot(database: Database): Promise<string> {
  const rows = [];
  for (const name of STILL)
    rows.push(await database.execute(`select xmin::text, ctid::text, t::text from ${name} t order by 3`));
  return JSON.stringify(rows);
}

export type EventRow = typeof finding_events.$inferSelect;
export type FindingRow = typeof findings.$inferSelect;

/** Findings by name of resource and rule: `web/owner`. */
export async function findingsByName(database: Database): Promise<Record<string, FindingRow>> {
  const rows = await database.select().from(findings).orderBy(findings.arn, findings.rule_id);
  return Object.fromEntries(rows.map((row) => [`${row.arn.split("/")[1]}/${row.rule_id}`, row]));
}

export async function events(database: Database): Promise<EventRow[]> {
  return database.select().from(finding_events).orderBy(finding_events.id);
}

/** `event/cause` of everything that happened, in order. */
export async function story(database: Database): Promise<string[]> {
  return (await events(database)).map(({ event, cause }) => `${event}/${cause}`);
}

/** What the findings table should hold by its events alone. */
export function fold(rows: EventRow[]): Map<string, Partial<FindingRow>> {
  const folded = new Map<string, Partial<FindingRow>>();
  const starts: FindingEventName[] = ["opened", "reopened"];
  for (const { finding_id, at, event, cause, kind, severity, detail, source, policy_set_id, scan_id } of rows) {
    const before = folded.get(finding_id);
    const last_scan_id = scan_id ?? before?.last_scan_id ?? null;
    if (event === "resolved") {
      folded.set(finding_id, {
        ...before,
        state: "resolved",
        resolution: cause as NonNullable<FindingRow["resolution"]>,
        resolved_at: at,
        detail,
        last_scan_id,
      });
      continue;
    }
    const content = { kind, severity, detail, source: source!, policy_set_id, last_scan_id };
    if (!starts.includes(event)) {
      folded.set(finding_id, { ...before, ...content });
      continue;
    }
    const reverted = cause === "reverted" && kind !== "fight";
    folded.set(finding_id, {
      ...before,
      ...content,
      reverted_at: reverted ? at : (before?.reverted_at ?? null),
      id: finding_id,
      state: "open",
      resolution: null,
      resolved_at: null,
      opened_at: at,
      opened_cause: cause as FindingRow["opened_cause"],
      first_opened_at: before?.first_opened_at ?? at,
      reopen_count: before?.reopen_count === undefined ? 0 : before.reopen_count + 1,
    });
  }
  return folded;
}
