import { and, eq, isNotNull, sql } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import { tagsFrom, type Tags } from "../tags/tags.ts";
import type { ReadError, ReadingSource, StoredReading, Unit } from "./resource.ts";
import { resources, service_readings } from "./schema.ts";

type Readings = Map<string, StoredReading>;
type Waiting = {
  readonly arns: readonly string[];
  readonly resolve: (readings: Readings) => void;
  readonly reject: (error: unknown) => void;
};
type Queue = { waiting: Waiting[]; running: boolean };

/** The most digests that are held of one unit, some 5 MB. Resources beyond are compared without them, which only takes longer. */
const MOST_DIGESTS = 20_000;

/** Digests of the stored states of a unit's resources (`resources.digest`), by ARN. */
export async function storedDigests(database: Database, unit: Unit): Promise<Map<string, string>> {
  const rows = database
    .select({ arn: resources.arn, digest: resources.digest })
    .from(resources)
    .where(
      and(
        eq(resources.account_id, unit.account_id),
        eq(resources.region, unit.region),
        eq(resources.type, unit.type),
        isNotNull(resources.digest),
      ),
    )
    .limit(MOST_DIGESTS)
    .as("rows");
  const [reply] = await database
    .select({ digests: sql<string | null>`json_object_agg(${rows.arn}, ${rows.digest})::text` })
    .from(rows);
  return new Map(Object.entries(JSON.parse(reply?.digests ?? "{}") as Record<string, string>));
}

/** The most ARNs of one query. */
const BATCH = 2000;

const queues = new WeakMap<Database, Queue>();

/**
 * What the database holds of these resources' tags; a resource whose tags were never read is left out. Calls that are made
 * while a query is running share the next one: units are read side by side, and a query a page costs as much as the pages.
 */
export function storedReadings(database: Database, arns: readonly string[]): Promise<Readings> {
  const queue = queues.get(database) ?? { waiting: [], running: false };
  queues.set(database, queue);
  return new Promise((resolve, reject) => {
    queue.waiting.push({ arns, resolve, reject });
    if (!queue.running) void answerWaiting(database, queue);
  });
}

async function answerWaiting(database: Database, queue: Queue): Promise<void> {
  queue.running = true;
  while (queue.waiting.length > 0) {
    const batch: Waiting[] = [];
    for (let count = 0; count < BATCH && queue.waiting.length > 0;) {
      const next = queue.waiting.shift();
      if (next) batch.push(next);
      count += next?.arns.length ?? 0;
    }
    try {
      const found = await loadReadings(
        database,
        batch.flatMap(({ arns }) => arns),
      );
      for (const { arns, resolve } of batch) resolve(only(found, arns));
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
  queue.running = false;
}

type Row = [
  arn: string,
  tags: Tags,
  source: ReadingSource,
  service_read_at: number | null,
  in_index: boolean,
  created_at: number | null,
  reading_error: ReadError | null,
];

/** One row of JSON in place of many: half the work of a scan of an embedded database is the fetching of rows. */
async function loadReadings(database: Database, arns: readonly string[]): Promise<Readings> {
  if (arns.length === 0) return new Map();
  const [reply] = await database
    .select({
      rows: sql<string | null>`json_agg(json_build_array(
        ${resources.arn}, ${resources.tags}, ${resources.source}, extract(epoch from ${service_readings.read_at}) * 1000,
        ${resources.in_index}, extract(epoch from ${resources.created_at}) * 1000, ${resources.reading_error}))::text`,
    })
    .from(resources)
    .leftJoin(service_readings, eq(service_readings.arn, resources.arn))
    .where(
      sql`${resources.arn} = any(${sql.param(arns)}::text[]) and ${resources.tags} is not null and ${resources.source} is not null`,
    );
  const rows = JSON.parse(reply?.rows ?? "[]") as Row[];
  return new Map(
    rows.map(([arn, tags, source, service_read_at, in_index, created_at, reading_error]) => [
      arn,
      {
        tags: tagsFrom(Object.entries(tags)),
        source,
        service_read_at: instant(service_read_at),
        in_index,
        created_at: instant(created_at),
        reading_error: reading_error?.name ?? null,
      },
    ]),
  );
}

function instant(milliseconds: number | null): Date | null {
  return milliseconds === null ? null : new Date(Math.round(milliseconds));
}

function only(found: Readings, arns: readonly string[]): Readings {
  const readings: Readings = new Map();
  for (const arn of arns) {
    const reading = found.get(arn);
    if (reading) readings.set(arn, reading);
  }
  return readings;
}
