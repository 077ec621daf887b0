import { asc, eq } from "drizzle-orm";
import { type Database, type OpenDatabase, openPostgres } from "../../../src/db/client.ts";
import { scans } from "../../../src/inventory/schema.ts";
import { schedule_slots, schedules } from "../../../src/scan/schema.ts";
import { newRow, type ScheduleTerms } from "../../../src/scan/schedules/store.ts";
import { type BeginSlot, tick } from "../../../src/scan/schedules/tick.ts";
import { createScan, type ScanRequest } from "../../../src/scan/store.ts";
import type { openTestDatabase } from "../../support/database.ts";

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

/** What a schedule is unless a test says otherwise. */
export const TERMS: ScheduleTerms = {
  cron: "30 2 * * *",
  time_zone: "Europe/Berlin",
  jitter_seconds: 0,
  catch_up: "latest",
  overlap: "skip",
  enabled: true,
  accounts: null,
  regions: null,
  types: null,
};

/** A scan of one type in a region that is named like the schedule: two schedules never ask for the same. */
export function requestOf(id: string, slot: Date): ScanRequest {
  return {
    targets: [{ partition: "aws", account_id: "111122223333", region: id }],
    types: ["campaign"],
    confirm_all: false,
    trigger: "schedule",
    requested_by: `schedule ${id}`,
    schedule: { id, slot },
  };
}

/** Replicas on one database, each with connections of its own, and an instant that all of them are told. */
export class Simulation {
  /** What the database's clock says. */
  instant: Date;
  /** How long scans take: `none` end at once, `forever` until a test ends them. */
  scans_take: "none" | "forever" = "none";
  readonly database: Database;
  #replicas: OpenDatabase[] = [];
  #ending: Promise<void>[] = [];

  constructor(database: Database, start: string) {
    this.database = database;
    this.instant = new Date(start);
  }

  /** On PostgreSQL so many replicas; PGlite has one. */
  async open(opened: Awaited<ReturnType<typeof openTestDatabase>>, count: number): Promise<void> {
    if (opened.url === null) this.#replicas = [{ ...opened, close: () => Promise.resolve() }];
    for (let n = 0; opened.url !== null && n < count; n++) {
      this.#replicas.push(await openPostgres(opened.url, { max_connections: 2 }));
    }
  }

  async close(): Promise<void> {
    for (const replica of this.#replicas) await replica.close();
  }

  /** A schedule that counts from the instant of now. */
  async schedule(id: string, terms: Partial<ScheduleTerms> = {}): Promise<void> {
    await this.database.insert(schedules).values(newRow(id, "api", { ...TERMS, ...terms }, "a person", this.instant));
  }

  /** Begins a scan as a service does; nobody but the simulation runs it. */
  readonly begin: BeginSlot = async (transaction, { schedule, slot }) => {
    const made = await createScan(transaction, requestOf(schedule.id, slot), this.instant);
    if (!made) return null;
    return {
      scan_id: made.scan.id,
      start: () => {
        if (this.scans_take === "none") this.#ending.push(this.end(made.scan.id));
      },
    };
  };

  async end(scan_id: string): Promise<void> {
    await this.database
      .update(scans)
      .set({ state: "succeeded", finished_at: this.instant })
      .where(eq(scans.id, scan_id));
  }

  /** All replicas look at the same time; the scans that this began have ended. */
  async look(begin: BeginSlot = this.begin): Promise<void> {
    const clock = () => Promise.resolve(this.instant);
    await Promise.all(this.#replicas.map(({ database }) => tick({ database, prepare: async () => begin, clock })));
    await Promise.all(this.#ending.splice(0));
  }

  /** Lets time pass until an instant, and all replicas look after every step. */
  async run(until: string, step = 30 * MINUTE): Promise<void> {
    while (this.instant < new Date(until)) {
      this.instant = new Date(this.instant.getTime() + step);
      await this.look();
    }
  }

  /** What was decided, in the order of slots. */
  async slots(id: string) {
    const rows = await this.database
      .select()
      .from(schedule_slots)
      .where(eq(schedule_slots.schedule_id, id))
      .orderBy(asc(schedule_slots.slot));
    return rows.map(({ slot, outcome, caught_up }) => ({ slot: minuteOf(slot), outcome, caught_up }));
  }

  /** Slots of the scans that there are, in their order. */
  async scanned(id: string): Promise<string[]> {
    const rows = await this.database.select().from(scans).where(eq(scans.schedule_id, id)).orderBy(asc(scans.slot));
    return rows.map(({ slot }) => minuteOf(slot ?? new Date(0)));
  }
}

/** An instant in UTC up to its minute. */
export function minuteOf(instant: Date): string {
  return instant.toISOString().slice(0, 16);
}
