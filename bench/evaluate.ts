// How fast resources are judged by one thread: no network, no database, the policy language alone.
import { RESOURCE_TYPE_NAMES } from "../src/inventory/resource-types.ts";
import { judge } from "../src/policy/judge.ts";
import { compilePolicies } from "../src/policy/load.ts";
import type { Subject } from "../src/policy/subject.ts";
import { tagsFrom } from "../src/tags/tags.ts";

/** Ten rules that use the language: values, patterns, a format, aliases, a condition, a required condition. */
const POLICY = `version: 1
id: bench
applies_to: {regions: ['us-*', 'eu-*']}
rules:
  - {id: cost-center, key: CostCenter, aliases: [cost-center, costcenter], required: true, pattern: 'CC-\\d{4}', severity: high}
  - {id: environment, key: Environment, aliases: [env, stage], required: true, values: [dev, staging, prod, 'test-*']}
  - {id: owner, key: Owner, aliases: [owner], required: true, format: email}
  - {id: project, key: Project, any_case: true, required: true, pattern: '[a-z0-9]+(-[a-z0-9]+)*'}
  - {id: data-class, key: DataClass, required: "tags.Environment == 'prod'", values: [public, internal, confidential]}
  - {id: team, key: Team, values: [search, home, growth, platform, ads]}
  - {id: reviewed, key: Reviewed, format: date, allow_empty: true}
  - {id: leftovers, forbidden: ['tmp-*', 'temp:*', test]}
  - {id: room, max_tags: 45}
  - {id: no-shared-owner, assert: "!('Owner' in tags) || tags.Owner != 'root@example.com'"}
`;
const NOW = new Date("2026-03-01T00:00:00Z");
const ROUNDS = 15;

/** Seconds of processor time of the quickest round for each, and how many of the resources break some rule. */
export type Evaluation = { readonly judged: number; readonly parsed: number; readonly violating: number };

/** Judges so many varied resources, and for comparison reads them from JSON, again and again. */
export function evaluate(count: number): Evaluation {
  const set = compilePolicies([{ path: "bench.yaml", text: POLICY }]);
  const subjects = Array.from({ length: count }, (_, number) => subjectOf(number));
  const texts = subjects.map((subject) => JSON.stringify(subject));
  let violating = 0;
  const judgeAll = () => {
    violating = 0;
    for (const subject of subjects) if (judge(set, subject).violations.length > 0) violating += 1;
  };
  const parseAll = () => {
    for (const text of texts) JSON.parse(text);
  };
  return { judged: quickest(judgeAll), parsed: quickest(parseAll), violating };
}

function quickest(work: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = process.threadCpuUsage();
    work();
    const { user, system } = process.threadCpuUsage(before);
    least = Math.min(least, (user + system) / 1e6);
  }
  return least;
}

/** One resource in five breaks a rule, each in another way; values are shared by few, as in an organization. */
function subjectOf(number: number): Subject {
  const type = RESOURCE_TYPE_NAMES[number % RESOURCE_TYPE_NAMES.length] ?? "campaign";
  const account_id = String(111122223333 + (number % 40));
  const region = ["us-east-1", "eu-west-1", "us-west-2"][number % 3] ?? "";
  const name = `shop-${number % 700}-${number}`;
  const environment = ["dev", "staging", "prod", `test-${number % 9}`][number % 4] ?? "";
  const tags = new Map([
    ["CostCenter", `CC-${1000 + (number % 2000)}`],
    ["Environment", environment],
    ["Owner", `person.${number % 600}@example.com`],
    ["Project", `project-${number % 3000}`],
    ["Name", name],
    ["aws:cloudformation:stack-name", `stack-${number % 500}`],
    ...(environment === "prod" ? [["DataClass", "internal"] as const] : []),
    ...(number % 2 === 0 ? [["Team", ["search", "home", "growth"][number % 3] ?? ""] as const] : []),
    ...Array.from({ length: number % 6 }, (_, extra) => [`app:label-${extra}`, `value ${number % 50}`] as const),
  ]);
  if (number % 5 === 0) breakOne(tags, (number / 5) % BREAKS.length);
  return {
    resource: {
      arn: `arn:aws:personalize:${region}:${account_id}:${type}/${name}`,
      account_id,
      region,
      type,
      name,
      status: "ACTIVE",
      created_at: NOW,
      updated_at: NOW,
      summary: { trainingType: "AUTOMATIC" },
    },
    tags: tagsFrom(tags),
    now: NOW,
  };
}

const BREAKS: readonly ((tags: Map<string, string>) => unknown)[] = [
  (tags) => tags.delete("CostCenter"),
  (tags) => tags.set("CostCenter", "1234"),
  (tags) => tags.delete("CostCenter") && tags.set("cost-center", "CC-1234"),
  (tags) => tags.set("Environment", "Production"),
  (tags) => tags.delete("Owner") && tags.set("Ownr", "somebody@example.com"),
  (tags) => tags.set("Owner", "root@example.com"),
  (tags) => tags.set("Environment", "prod") && tags.delete("DataClass"),
  (tags) => tags.set("tmp-1", ""),
  (tags) => tags.set("project", "x"),
  (tags) => tags.clear(),
];

function breakOne(tags: Map<string, string>, way: number): void {
  BREAKS[way]?.(tags);
}
