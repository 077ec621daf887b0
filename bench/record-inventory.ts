// Part of `npm run bench:recording`: one scan of an invented inventory, in a process of its own. Started with a job as JSON.
import { readFile } from "node:fs/promises";
import { openPostgres } from "../src/db/client.ts";
import { uuidv7 } from "../src/db/uuid.ts";
import { activateSet } from "../src/findings/activate.ts";
import type { JudgedObservation } from "../src/findings/sights.ts";
import { UnitRecorder } from "../src/findings/store.ts";
import type { Resource, Unit } from "../src/inventory/resource.ts";
import { RESOURCE_TYPE_NAMES } from "../src/inventory/resource-types.ts";
import { scans } from "../src/inventory/schema.ts";
import { judge } from "../src/policy/judge.ts";
import { compilePolicies } from "../src/policy/load.ts";

/** What is to be recorded. `edition`: of 1, each fortieth resource has other tags than of 0. `at`: milliseconds. */
export type Job = { readonly url: string; readonly resources: number; readonly edition: 0 | 1; readonly at: number };

/** What the process needed: the most memory that it held at once, and time of the processor. */
export type Spent = { readonly megabytes: number; readonly cpu_seconds: number };

const TARGETS = 100;
const PAGE = 100;
/** Units that are recorded beside each other, as a scan does. */
const AT_ONCE = 4;
const CREATED = new Date("2025-01-01T00:00:00Z");
const SET = compilePolicies([
  {
    path: "bench.yaml",
    text: `version: 1
id: bench
title: Bench
rules:
  - {id: cost-center, key: CostCenter, required: true, pattern: 'CC-\\d{4}', severity: high}
  - {id: environment, key: Environment, required: true, values: [dev, staging, prod]}
  - {id: owner, key: Owner, required: true}
`,
  },
]);

const { url, resources, edition, at } = JSON.parse(process.argv[2] ?? "{}") as Job;
const now = new Date(at);
const { database, close } = await openPostgres(url);
await activateSet(database, SET, "bench", now);
const [scan] = await database
  .insert(scans)
  .values({
    id: uuidv7(now),
    state: "running",
    trigger: "cli",
    requested_by: "bench",
    targets: TARGETS,
    scope_hash: "",
    types: [],
    confirm_all: false,
    policy_set_id: SET.id,
    created_at: now,
    warnings: [],
    api_calls: {},
  })
  .returning({ id: scans.id, epoch: scans.epoch });
if (!scan) throw new Error("the scan has no row");
const recorded = { ...scan, policy_set_id: SET.id };

const units = Array.from({ length: TARGETS }, (_, target) =>
  RESOURCE_TYPE_NAMES.map((type): Unit => ({
    partition: "aws",
    account_id: String(111_122_223_333 + target),
    region: "eu-west-1",
    type,
  })),
).flat();
let next = 0;
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    while (next < units.length) {
      const index = next++;
      const unit = units[index];
      if (unit) await record(unit, index);
    }
  }),
);
await close();
const status = await readFile("/proc/self/status", "utf8");
const { user, system } = process.cpuUsage();
process.send?.({
  megabytes: Number(/VmHWM:\s*(\d+) kB/.exec(status)?.[1]) / 1024,
  cpu_seconds: (user + system) / 1e6,
} satisfies Spent);
process.disconnect();

async function record(unit: Unit, index: number): Promise<void> {
  const first = Math.floor((index * resources) / units.length);
  const end = Math.floor(((index + 1) * resources) / units.length);
  const recorder = new UnitRecorder(database, recorded, unit, { mass_close: { share: 0.3, count: 50 } }, () => now);
  for (let from = first; from < end; from += PAGE) {
    const page = Array.from({ length: Math.min(PAGE, end - from) }, (_, offset) => seen(unit, from + offset));
    await recorder.add(page);
  }
  const count = end - first;
  const summary = await recorder.finish({
    state: "complete",
    listed: true,
    resources: count,
    pages: Math.ceil(count / PAGE),
    unread: 0,
    error: null,
    warnings: [],
  });
  if (summary.state !== "complete") throw new Error(`a unit ended ${summary.state}`);
}

/** Nine in ten have their tags as the rules want them. */
function seen(unit: Unit, n: number): JudgedObservation {
  const { account_id, region, type } = unit;
  const resource: Resource = {
    arn: `arn:aws:personalize:${region}:${account_id}:${type}/shop-${n}`,
    account_id,
    region,
    type,
    name: `shop-${n}`,
    status: "ACTIVE",
    created_at: CREATED,
    updated_at: CREATED,
    summary: { recipeArn: "arn:aws:personalize:::recipe/aws-user-personalization" },
  };
  const lacks = n % 10 === 0;
  // Half of those that change were in order and are not any longer, half the other way round where they lacked something.
  const other = edition === 1 && n % 40 === 0 ? n % 80 === 0 : lacks;
  const tags = {
    ...(!other && { CostCenter: `CC-${1000 + (n % 3000)}` }),
    Environment: edition === 1 && n % 40 === 1 ? "qa" : "prod",
    Owner: `team-${n % 300}@example.com`,
    Project: `project-${n % 3000}`,
  };
  // The index answers, and the service is asked only about what differs.
  const confirmed = edition === 1 && (n % 40 === 0 || n % 40 === 1);
  const reading = { tags, source: confirmed ? ("service" as const) : ("index" as const), read_at: now };
  const observation = { resource, in_index: true, outcome: "read", reading, confirmed } as const;
  return { observation, judgement: judge(SET, { resource, tags, now }) };
}
