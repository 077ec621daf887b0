// `npm run bench:recording [resources …]`: what it costs to record an inventory, to record it again when nothing changed, and when
// 2.5 % did, at several sizes, over 100 targets, on a PostgreSQL server of its own. The real recorder with invented observations,
// in a process of its own, from the built program, because to strip types takes Node more memory than the recording. AWS has no part
// in it. Needs `npm run build`, and Linux, for /proc.
import { fork } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { type Database, openPostgres } from "../src/db/client.ts";
import { startPostgres } from "../test/support/postgres.ts";
import { migrate } from "../src/db/migrate.ts";
import { ensureMonths } from "../src/db/partitions.ts";
import { rowsOf } from "../src/db/rows.ts";
import { driftOf, sizeOf } from "../src/findings/db/rollup-drift.ts";
import type { Job, Spent } from "./record-inventory.ts";

const given = process.argv.slice(2).map(Number);
const SIZES = given.length > 0 ? given : [10_000, 100_000, 1_000_000];
const DIST = new URL("../dist/", import.meta.url).href;
/** DESIGN: a scanner stays below this, however many resources there are. */
const MOST_MEGABYTES = 300;
/** What a scan that finds everything as it was must not touch. */
const STILL = ["resources", "findings", "finding_events%", "unit_tallies", "rollup\\_%"];

type Cost = Spent & { readonly seconds: number; readonly wal: number; readonly rows: number };
type Phase = "first" | "steady" | "2.5 % changed";

const folder = await mkdtemp(join(tmpdir(), "tagwarden-bench-"));
const server = await startPostgres(["shared_buffers=512MB", "max_wal_size=4GB"]);
const worker = await buildWorker();
const costs = new Map<number, Record<Phase, Cost>>();
try {
  for (const size of SIZES) {
    const name = `bench_${size}`;
    await server.createDatabase(name);
    const url = `${server.url}/${name}`;
    const opened = await openPostgres(url, { max_connections: 2 });
    await migrate(opened);
    await ensureMonths(opened.database, new Date());
    const phase = (job: Omit<Job, "url" | "resources">) => measure(opened.database, { ...job, url, resources: size });
    const first = await phase({ edition: 0, at: Date.now() });
    // As the server does by itself some minutes later; measured, it would be part of whichever phase it falls into.
    await opened.database.execute(sql`vacuum analyze`);
    costs.set(size, {
      first,
      steady: await phase({ edition: 0, at: Date.now() + 1000 }),
      "2.5 % changed": await phase({ edition: 1, at: Date.now() + 2000 }),
    });
    const drift = sizeOf(await driftOf(opened.database));
    if (drift !== 0) throw new Error(`${drift} daily numbers differ from a recount`);
    await opened.close();
  }
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}
process.stdout.write(report());

/** Lets a process record the inventory, and looks at what that wrote. */
async function measure(database: Database, job: Job): Promise<Cost> {
  const [wal, rows] = [await walAt(database), await rowsWritten(database)];
  const begin = performance.now();
  const { megabytes, cpu_seconds } = await run(job);
  const seconds = (performance.now() - begin) / 1000;
  const cost = {
    seconds,
    cpu_seconds,
    wal: (await walAt(database)) - wal,
    megabytes,
    rows: (await rowsWritten(database)) - rows,
  };
  process.stderr.write(
    `${job.resources} resources, edition ${job.edition}: ${seconds.toFixed(1)} s, ${cpu_seconds.toFixed(1)} s of its processor, ${cost.rows} rows, ${(cost.wal / 1e6).toFixed(1)} MB of WAL, ${megabytes.toFixed(0)} MB\n`,
  );
  return cost;
}

async function walAt(database: Database): Promise<number> {
  const [row] = await rowsOf<{ at: string }>(database, sql`select (pg_current_wal_lsn() - '0/0')::text as at`);
  return Number(row?.at ?? 0);
}

/** Rows inserted, updated and deleted so far in the tables that a steady scan must not touch. */
async function rowsWritten(database: Database): Promise<number> {
  // Sessions hand in their counts when they end, at the latest.
  await database.execute(sql`select pg_stat_clear_snapshot()`);
  const like = sql.raw(STILL.map((name) => `relname like '${name}'`).join(" or "));
  const [row] = await rowsOf<{ rows: string }>(
    database,
    sql`select sum(n_tup_ins + n_tup_upd + n_tup_del)::text as rows from pg_stat_user_tables where ${like}`,
  );
  return Number(row?.rows ?? 0);
}

/** Writes the recording process as JavaScript over the built program; returns its path. */
async function buildWorker(): Promise<string> {
  const text = await readFile(new URL("record-inventory.ts", import.meta.url), "utf8");
  const script = stripTypeScriptTypes(text).replaceAll(/"\.\.\/src\/([\w/-]+)\.ts"/g, (_, path) =>
    JSON.stringify(`${DIST}${path}.js`),
  );
  await writeFile(join(folder, "record-inventory.mjs"), script);
  // As the program itself begins: otherwise what Node needs to find the files of drizzle-orm is more than all the rest.
  const path = join(folder, "start.mjs");
  const start = `import { hastenImports } from ${JSON.stringify(`${DIST}cli/quick-imports.js`)};\nhastenImports();\nawait import("./record-inventory.mjs");\n`;
  await writeFile(path, start);
  return path;
}

/** Runs the recording process to its end; returns what it says of itself. */
async function run(job: Job): Promise<Spent> {
  const child = fork(worker, [JSON.stringify(job)], { execArgv: [] });
  let spent: Spent | undefined;
  child.once("message", (message) => (spent = message as Spent));
  const code = await new Promise<number | null>((done) => child.once("close", done));
  if (code !== 0 || spent === undefined) throw new Error(`recording ended with ${code}`);
  return spent;
}

function report(): string {
  const lines = [
    `100 targets × 13 types. ${cpus().length} × ${cpus()[0]?.model ?? "cpu"}, Node ${process.version}`,
    "",
    "| resources | scan | s | µs a resource | s of its processor | WAL, MB | WAL bytes a resource | rows written | peak memory, MB (bound 300) |",
    "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
  ];
  for (const [size, phases] of costs) {
    for (const [phase, { seconds, cpu_seconds, wal, rows, megabytes }] of Object.entries(phases)) {
      const bound = phase === "steady" ? ` (bound 0: ${rows === 0 ? "met" : "missed"})` : "";
      const memory = `${megabytes.toFixed(0)}, ${(megabytes / MOST_MEGABYTES).toFixed(2)} ${megabytes <= MOST_MEGABYTES ? "met" : "missed"}`;
      lines.push(
        `| ${size} | ${phase} | ${seconds.toFixed(1)} | ${((seconds * 1e6) / size).toFixed(0)} | ${cpu_seconds.toFixed(1)} | ${(wal / 1e6).toFixed(1)} | ${(wal / size).toFixed(0)} | ${rows}${bound} | ${memory} |`,
      );
    }
  }
  const sizes = [...costs];
  for (const [index, [size, phases]] of sizes.entries()) {
    const [smaller, before] = sizes[index - 1] ?? [];
    if (smaller === undefined || before === undefined) continue;
    const grown = (one: number, other: number) => (one / size / (other / smaller)).toFixed(2);
    lines.push("", `From ${smaller} to ${size}, per resource (1 is a straight line; below 1, less for each):`, "");
    for (const phase of ["first", "steady", "2.5 % changed"] as const) {
      const [now, then] = [phases[phase], before[phase]];
      lines.push(
        `- ${phase}: time × ${grown(now.seconds, then.seconds)}, WAL × ${grown(now.wal, then.wal)}, memory ${(now.megabytes / then.megabytes).toFixed(2)} × as a whole`,
      );
    }
  }
  return `${lines.join("\n")}\n`;
}
