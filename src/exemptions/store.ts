import path from "node:path";
import { asc, eq, inArray, isNotNull, or, sql } from "drizzle-orm";
import type { AuditEntry } from "../audit-log/entry.ts";
import { appendAudit } from "../audit-log/store.ts";
import type { Database } from "../db/client.ts";
import { uuidv7 } from "../db/uuid.ts";
import { PolicyError, type PolicySet } from "../policy/load.ts";
import { auditEntryOf } from "./audit-entry.ts";
import type { FileExemption } from "./check.ts";
import {
  type Asked,
  beginningOf,
  type DecisionProblem,
  differenceOf,
  problemsOf,
  type Terms,
  termsOf,
} from "./exemption.ts";
import { compareWithFiles, type FileChange } from "./file-changes.ts";
import { presentNames } from "./present-names.ts";
import { exemption_events, exemptions } from "./schema.ts";

/** An exemption as its row has it. */
export type ExemptionRow = typeof exemptions.$inferSelect;
/** Something that was decided about an exemption. */
export type ExemptionEventRow = typeof exemption_events.$inferSelect;

/** What came of a wish to change something. */
export type Decided = { readonly outcome: "done"; readonly exemption: ExemptionRow } | Refusal;

/** Why nothing was changed. */
export type Refusal =
  | { readonly outcome: "not_found" }
  /** Only its file can change it. */
  | { readonly outcome: "of_file"; readonly file: string }
  | { readonly outcome: "revoked"; readonly at: Date }
  /** It is over: there is nothing to revoke. */
  | { readonly outcome: "expired"; readonly at: Date }
  /** It has this version now, and not the one that was looked at. */
  | { readonly outcome: "stale"; readonly version: number }
  /** It is to end later, and nobody is named who approves that. */
  | { readonly outcome: "unapproved" }
  | { readonly outcome: "invalid"; readonly problems: readonly DecisionProblem[] };

/** Changes of exemptions wait for each other: each is decided on what the one before left. */
const CHANGE_LOCK = 7_201_003;

/** Makes an exemption that no file says. It begins at once, unless it is asked to begin later. */
export function createExemption(
  database: Database,
  asked: Asked,
  about: { readonly source: "api" | "cli"; readonly actor: string },
): Promise<Decided> {
  return alone(database, about.actor, async (work): Promise<Decided> => {
    const { at } = work;
    const problems = problemsOf(asked, at);
    if (problems.length > 0) return { outcome: "invalid", problems };
    const terms = termsOf({ ...asked, starts_at: asked.starts_at ?? at });
    const exemption = await insert(work, terms, { id: uuidv7(at), source: about.source, file: null });
    return { outcome: "done", exemption };
  });
}

/** What can be changed about an exemption; what is absent stays. Another scope is another exemption. */
export type ExemptionChange = {
  readonly expires_at?: Date | undefined;
  readonly reason?: string | undefined;
  readonly ticket?: string | null | undefined;
  /** Who accepts that it ends later. */
  readonly approved_by?: string | undefined;
};

/**
 * Changes an exemption that no file says. One that is to end later begins anew, with exactly the end that was asked for, and
 * somebody has to approve that. `version`: the one that was looked at; null: whichever it has.
 */
export function changeExemption(
  database: Database,
  id: string,
  change: ExemptionChange,
  about: { readonly version: number | null; readonly actor: string },
): Promise<Decided> {
  return alone(database, about.actor, async (work): Promise<Decided> => {
    const { at } = work;
    const row = await findExemption(work.transaction, id);
    const refusal = refusalOf(row);
    if (refusal || !row) return refusal ?? { outcome: "not_found" };
    if (about.version !== null && about.version !== row.version) return { outcome: "stale", version: row.version };
    const { expires_at = row.expires_at, reason = row.reason, ticket = row.ticket, approved_by } = change;
    const later = expires_at > row.expires_at;
    if (later && approved_by === undefined) return { outcome: "unapproved" };
    if (!later && approved_by !== undefined) {
      return { outcome: "invalid", problems: [{ field: "approved_by", message: "is for an end that is later" }] };
    }
    const people = approved_by === undefined ? {} : { requested_by: about.actor, approved_by };
    // What has not begun begins when it was to.
    const asked = {
      ...termsOf(row),
      expires_at,
      reason,
      ticket,
      ...people,
      starts_at: row.starts_at > at ? row.starts_at : null,
    };
    const moves = expires_at.getTime() !== row.expires_at.getTime();
    const starts_at = moves ? beginningOf(asked, row, at) : row.starts_at;
    const problems = moves ? problemsOf({ ...asked, starts_at }, at) : [];
    if (problems.length > 0) return { outcome: "invalid", problems };
    return { outcome: "done", exemption: await update(work, row, { ...asked, starts_at }) };
  });
}

/** Ends an exemption that no file says, at once. `note`: why, in a sentence. */
export function revokeExemption(
  database: Database,
  id: string,
  about: { readonly actor: string; readonly note: string | null },
): Promise<Decided> {
  return alone(database, about.actor, async (work): Promise<Decided> => {
    const row = await findExemption(work.transaction, id);
    const refusal = refusalOf(row);
    if (refusal || !row) return refusal ?? { outcome: "not_found" };
    if (row.expires_at <= work.at) return { outcome: "expired", at: row.expires_at };
    return { outcome: "done", exemption: await revoke(work, row, about.note) };
  });
}

function refusalOf(row: ExemptionRow | null): Refusal | null {
  if (row === null) return { outcome: "not_found" };
  if (row.source === "file") return { outcome: "of_file", file: row.file ?? "a file" };
  return row.revoked_at ? { outcome: "revoked", at: row.revoked_at } : null;
}

async function findExemption(database: Database, id: string): Promise<ExemptionRow | null> {
  const [row] = await database.select().from(exemptions).where(eq(exemptions.id, id));
  return row ?? null;
}

/** The exemptions that are in force at this instant, by the database's clock. */
export async function exemptionsInForce(database: Database): Promise<ExemptionRow[]> {
  return await database
    .select()
    .from(exemptions)
    .where(
      sql`${exemptions.revoked_at} is null and ${exemptions.starts_at} <= now() and ${exemptions.expires_at} > now()`,
    )
    .orderBy(asc(exemptions.id));
}

/** What was decided about an exemption, oldest first. */
export async function exemptionHistory(database: Database, id: string): Promise<ExemptionEventRow[]> {
  return await database
    .select()
    .from(exemption_events)
    .where(eq(exemption_events.exemption_id, id))
    .orderBy(asc(exemption_events.id));
}

/**
 * Brings what files say into the database: new ones are recorded, changed ones changed, and what no file says any more is
 * revoked. Those made through the API or the command line stay. `folder`: of the policies, for errors. `dry_run`: only says what it would do.
 * @throws {PolicyError} at the place in a file, when something cannot be recorded; then nothing is.
 */
export function followFiles(
  database: Database,
  entries: readonly FileExemption[],
  { folder, actor, dry_run = false }: { readonly folder: string; readonly actor: string; readonly dry_run?: boolean },
): Promise<FileChange<ExemptionRow>[]> {
  return alone(database, actor, async (work) => {
    const { transaction, at } = work;
    const ids = entries.map(({ id }) => id);
    const rows = await transaction
      .select()
      .from(exemptions)
      .where(or(eq(exemptions.source, "file"), inArray(exemptions.id, ids)))
      .orderBy(asc(exemptions.id));
    const { changes, conflicts } = compareWithFiles(rows, entries, at);
    if (conflicts.length > 0) {
      throw new PolicyError(
        conflicts.map(({ entry: { file, line, column }, message }) => ({
          path: path.join(folder, file),
          line,
          column,
          message,
        })),
      );
    }
    if (!dry_run) for (const change of changes) await record(work, change);
    return changes;
  });
}

/**
 * Lets exemptions follow policies and rules that have another name from now on. Part of the caller's transaction, at whose end
 * the audit log is to be told what is returned.
 */
export async function followNames(
  transaction: Database,
  policies: PolicySet["policies"],
  actor: string,
): Promise<readonly AuditEntry[]> {
  const work: Work = { transaction, at: await lockChanges(transaction), actor, told: [] };
  const rows = await transaction
    .select()
    .from(exemptions)
    .where(or(isNotNull(exemptions.policy_id), isNotNull(exemptions.rule_id)))
    .orderBy(asc(exemptions.id));
  for (const row of rows) {
    const { policy_id, rule_id } = presentNames(row, policies);
    if (policy_id === row.policy_id && rule_id === row.rule_id) continue;
    const version = row.version + 1;
    await transaction.update(exemptions).set({ policy_id, rule_id, version }).where(eq(exemptions.id, row.id));
    const before = { policy_id: row.policy_id, rule_id: row.rule_id };
    const note = "what it is about has another name now";
    await tell(
      work,
      { ...row, policy_id, rule_id, version },
      { event: "changed", before, after: { policy_id, rule_id }, note },
    );
  }
  return work.told;
}

async function record(work: Work, change: FileChange<ExemptionRow>): Promise<void> {
  switch (change.change) {
    case "created": {
      const { id, file } = change.entry;
      await insert(work, change.terms, { id, source: "file", file });
      return;
    }
    case "changed":
    case "restored":
      await update(work, change.row, change.terms, change.entry.file);
      return;
    case "moved": {
      const { row, entry } = change;
      await work.transaction.update(exemptions).set({ file: entry.file }).where(eq(exemptions.id, row.id));
      work.told.push(auditEntryOf({ ...row, file: entry.file }, { ...work, event: "moved", note: null }));
      return;
    }
    case "revoked":
      await revoke(work, change.row, change.note);
  }
}

/** A change under way: when, who, and what the audit log is told at its end. */
type Work = {
  readonly transaction: Database;
  readonly at: Date;
  readonly actor: string;
  readonly told: AuditEntry[];
};

/** Runs a change alone, at an instant of the database's clock: the one by which reports look at exemptions. */
function alone<T>(database: Database, actor: string, change: (work: Work) => Promise<T>): Promise<T> {
  return database.transaction(async (transaction) => {
    const work: Work = { transaction, at: await lockChanges(transaction), actor, told: [] };
    const result = await change(work);
    await appendAudit(transaction, ...work.told);
    return result;
  });
}

/** Makes other changes wait until the transaction ends; returns what time it is then. */
async function lockChanges(transaction: Database): Promise<Date> {
  await transaction.execute(sql`select pg_advisory_xact_lock(${CHANGE_LOCK})`);
  const [row] = await transaction
    .select({ at: sql`date_trunc('milliseconds', clock_timestamp())`.mapWith(exemptions.created_at) })
    .from(sql`(select) as one`);
  if (!row) throw new Error("the database does not say what time it is");
  return row.at;
}

async function insert(
  work: Work,
  terms: Terms,
  identity: Pick<ExemptionRow, "id" | "source" | "file">,
): Promise<ExemptionRow> {
  const [row] = await work.transaction
    .insert(exemptions)
    .values({ ...mutable(terms), ...identity, created_at: work.at })
    .returning();
  if (!row) throw new Error("the database returned no row for a new exemption");
  await tell(work, row, { event: "created", before: null, after: { ...terms }, note: null });
  return row;
}

/** Changes the terms, and takes back a revocation. What is as it was writes nothing. */
async function update(
  work: Work,
  current: ExemptionRow,
  terms: Terms,
  file: string | null = current.file,
): Promise<ExemptionRow> {
  const difference = differenceOf(termsOf(current), terms);
  if (!difference && !current.revoked_at) return current;
  const [row] = await work.transaction
    .update(exemptions)
    .set({ ...mutable(terms), file, revoked_at: null, revoked_by: null, version: current.version + 1 })
    .where(eq(exemptions.id, current.id))
    .returning();
  if (!row) throw new Error(`exemption ${current.id} vanished`);
  const event = current.revoked_at ? "restored" : "changed";
  await tell(work, row, {
    event,
    before: difference?.before ?? {},
    after: difference?.after ?? {},
    note: null,
  });
  return row;
}

async function revoke(work: Work, current: ExemptionRow, note: string | null): Promise<ExemptionRow> {
  const { transaction, at, actor } = work;
  const [row] = await transaction
    .update(exemptions)
    .set({ revoked_at: at, revoked_by: actor, version: current.version + 1 })
    .where(eq(exemptions.id, current.id))
    .returning();
  if (!row) throw new Error(`exemption ${current.id} vanished`);
  await tell(work, row, { event: "revoked", before: null, after: null, note });
  return row;
}

type Told = Pick<typeof exemption_events.$inferInsert, "event" | "before" | "after"> & { readonly note: string | null };

async function tell({ transaction, at, actor, told }: Work, row: ExemptionRow, what: Told): Promise<void> {
  const { id, version } = row;
  await transaction.insert(exemption_events).values({ exemption_id: id, version, at, actor, ...what });
  told.push(
    auditEntryOf(row, { at, actor, event: what.event, note: what.note, fields: Object.keys(what.after ?? {}) }),
  );
}

/** The terms with lists that the query builder may have. */
function mutable({ accounts, regions, types, names, arns, tags, ...rest }: Terms) {
  return {
    ...rest,
    accounts: accounts && [...accounts],
    regions: regions && [...regions],
    types: types && [...types],
    names: names && [...names],
    arns: arns && [...arns],
    tags: tags && { ...tags },
  };
}
