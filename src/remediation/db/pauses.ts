import { eq, isNull, sql } from "drizzle-orm";
import { appendAudit } from "../../audit-log/store.ts";
import type { Database } from "../../db/client.ts";
import { uuidv7 } from "../../db/uuid.ts";
import { scans } from "../../inventory/schema.ts";
import { remediation_pauses } from "../schema.ts";

/** A time during which nothing is repaired; `resumed_at` null: it has not ended. */
export type Pause = typeof remediation_pauses.$inferSelect;

/** The pause that is in force; null: repairs may go on. */
export async function currentPause(database: Database): Promise<Pause | null> {
  const [pause] = await database.select().from(remediation_pauses).where(isNull(remediation_pauses.resumed_at));
  return pause ?? null;
}

/** Why nothing may be written now, for a person; null: it may. */
export async function whyPaused(database: Database): Promise<string | null> {
  const pause = await currentPause(database);
  return pause && pauseText(pause);
}

/** A pause in words. */
export function pauseText({ paused_by, paused_at, reason }: Pause): string {
  return `paused by ${paused_by} since ${paused_at.toISOString()}${reason === null ? "" : `: ${reason}`}`;
}

/**
 * Stops all repairs, in every process, until somebody resumes them. Once it is committed no write begins; a write under way is ended.
 * `changed` false: they were paused before, and that pause stays as it is.
 */
export async function pauseRemediation(
  database: Database,
  { actor, reason, now }: { readonly actor: string; readonly reason: string | null; readonly now: Date },
): Promise<{ readonly changed: boolean; readonly pause: Pause }> {
  const done = await database.transaction(async (transaction) => {
    const [made] = await transaction
      .insert(remediation_pauses)
      .values({ id: uuidv7(now), paused_at: now, paused_by: actor, reason })
      .onConflictDoNothing()
      .returning();
    if (made) {
      const entry = { at: now, actor, action: "remediation.paused", subject: made.id, detail: { reason } } as const;
      await appendAudit(transaction, entry);
      return { changed: true, pause: made };
    }
    // Kept until the end of this transaction: whoever resumes at the same moment comes after it.
    const [pause] = await transaction
      .select()
      .from(remediation_pauses)
      .where(isNull(remediation_pauses.resumed_at))
      .for("update");
    return pause ? { changed: false, pause } : null;
  });
  // Somebody resumed between the two statements: it is asked anew, and now it takes.
  return done ?? pauseRemediation(database, { actor, reason, now });
}

/** Lets repairs go on. `changed` false: they were not paused. `pause`: the one that ended. */
export async function resumeRemediation(
  database: Database,
  { actor, now }: { readonly actor: string; readonly now: Date },
): Promise<{ readonly changed: boolean; readonly pause: Pause | null }> {
  return database.transaction(async (transaction) => {
    const [pause] = await transaction
      .update(remediation_pauses)
      .set({ resumed_at: now, resumed_by: actor })
      .where(isNull(remediation_pauses.resumed_at))
      .returning();
    if (!pause) return { changed: false, pause: null };
    const detail = { paused_by: pause.paused_by, paused_at: pause.paused_at.toISOString() };
    await appendAudit(transaction, { at: now, actor, action: "remediation.resumed", subject: pause.id, detail });
    return { changed: true, pause };
  });
}

/** Lets the report of a scan say what its repair did not do. */
export async function warnInScan(database: Database, scan_id: string, warning: string): Promise<void> {
  const warnings = sql`${scans.warnings} || jsonb_build_array(${warning}::text)`;
  await database.update(scans).set({ warnings }).where(eq(scans.id, scan_id));
}
