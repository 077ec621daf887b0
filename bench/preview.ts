// `npm run bench:preview [resources]`: what it costs to look at an edit of the policies, and to activate it, over a large
// stored inventory. The built program as a user runs it, against a PostgreSQL server of its own. Needs Linux, for /proc.
import { spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sql } from "drizzle-orm";
import { type Database, openPostgres } from "../src/db/client.ts";
import { startPostgres } from "../test/support/postgres.ts";

const RESOURCES = Number(process.argv[2] ?? 1_000_000);
const PROGRAM = fileURLToPath(new URL("../dist/cli/tagwarden.js", import.meta.url));
const POLICIES = fileURLToPath(new URL("../policies", import.meta.url));
/** A million resources in under this, and memory that does not grow with them. */
const SECONDS_PER_MILLION = 60;
const MOST_MEGABYTES = 500;
const ROWS_AT_ONCE = 100_000;

type Run = { readonly seconds: number; readonly megabytes: number; readonly stdout: string };

const folder = await mkdtemp(join(tmpdir(), "tagwarden-bench-"));
const server = await startPostgres(["shared_buffers=512MB"]);
const url = `${server.url}/postgres`;
try {
  const policies = join(folder, "policies");
  await cp(POLICIES, policies, { recursive: true });
  await run("migrate");
  const { database, close } = await openPostgres(url);
  await seed(database);
  await close();

  const first = await run("policies", "activate", policies);
  const cost = join(policies, "cost-allocation.yaml");
  const text = await readFile(cost, "utf8");
  const edited = text.replace(String.raw`CC-\d{4}`, String.raw`CC-1\d{3}`);
  if (edited === text) throw new Error("the starter policies have no such pattern any more");
  await writeFile(cost, `${edited}\n  - { id: team, key: Team, required: true, severity: low }\n`);
  const looked = await run("policies", "preview", policies, "--json");
  const again = await run("policies", "activate", policies, "--confirm");

  const { findings, resources } = JSON.parse(looked.stdout) as { resources: number; findings: Record<string, number> };
  const bound = (RESOURCES / 1e6) * SECONDS_PER_MILLION;
  const ratio = (value: number, goal: number) => `${(value / goal).toFixed(3)} ${value <= goal ? "met" : "missed"}`;
  process.stdout.write(
    [
      `${resources} resources; ${JSON.stringify(findings)}. ${cpus().length} × ${cpus()[0]?.model ?? "cpu"}, Node ${process.version}`,
      "",
      "| what | measured | bound | ratio |",
      "| --- | --- | --- | --- |",
      `| preview, s | ${looked.seconds.toFixed(1)} | ${bound} = 60 s a million | ${ratio(looked.seconds, bound)} |`,
      `| preview, peak memory, MB | ${looked.megabytes.toFixed(0)} | ${MOST_MEGABYTES}, however many | ${ratio(looked.megabytes, MOST_MEGABYTES)} |`,
      `| activate the first set, s | ${first.seconds.toFixed(1)} | none | |`,
      `| activate the edit, s | ${again.seconds.toFixed(1)} | none | |`,
      "",
    ].join("\n"),
  );
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}

/** A varied inventory over 40 accounts: nine in ten have their tags as the starter policies want them. */
async function seed(database: Database): Promise<void> {
  const types = ["campaign", "solution", "dataset", "filter", "recommender"];
  for (let from = 0; from < RESOURCES; from += ROWS_AT_ONCE) {
    const to = Math.min(RESOURCES, from + ROWS_AT_ONCE) - 1;
    await database.execute(sql`
      insert into resources (arn, account_id, region, type, name, status, created_at, summary, tags, source, tags_read_at,
        in_index, standing, first_seen_at, recorded_at)
      select 'arn:aws:personalize:us-east-1:' || (111122223333 + n % 40) || ':' || t.type || '/shop-' || n,
        (111122223333 + n % 40)::text, 'us-east-1', t.type, 'shop-' || n, 'ACTIVE', now(), '{}',
        jsonb_strip_nulls(jsonb_build_object(
          'CostCenter', case when n % 10 <> 0 then 'CC-' || (1000 + n % 3000) end, 'Project', 'project-' || n % 3000,
          'Environment', case when n % 15 = 0 then 'Production' else 'prod' end, 'Owner', 'person' || n % 900 || '@example.com',
          'DataClass', 'internal', 'app:part', 'part-' || n % 50)),
        'index', now(), true, 'judged', now(), now()
      from generate_series(${from}::int, ${to}::int) n
      cross join lateral (select (string_to_array(${types.join(",")}, ','))[n % 5 + 1] as type) t`);
  }
  await database.execute(sql`
    insert into units (partition, account_id, region, type, state, listed, listed_at, completed_at)
    select distinct 'aws', account_id, region, type, 'complete', true, now(), now() from resources`);
  await database.execute(sql`vacuum analyze`);
}

/** Runs a command to its end, and looks meanwhile at the most memory that it held. */
async function run(...words: string[]): Promise<Run> {
  const begin = performance.now();
  const child = spawn(process.execPath, [PROGRAM, ...words], {
    cwd: folder,
    env: { PATH: process.env["PATH"], DATABASE_URL: url },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let megabytes = 0;
  const watch = setInterval(() => void peakOf(child.pid).then((peak) => (megabytes = Math.max(megabytes, peak))), 200);
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const code = await new Promise<number | null>((done) => child.once("close", done));
  clearInterval(watch);
  const seconds = (performance.now() - begin) / 1000;
  if (code !== 0) throw new Error(`tagwarden ${words.join(" ")} ended with ${code}:\n${stderr}`);
  process.stderr.write(`tagwarden ${words.join(" ")}: ${seconds.toFixed(1)} s, ${megabytes.toFixed(0)} MB\n`);
  return { seconds, megabytes, stdout };
}

/** The most megabytes that a process has held at once so far; 0 when it has ended. */
async function peakOf(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/VmHWM:\s*(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
}
