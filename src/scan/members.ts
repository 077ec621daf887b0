import { inArray } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import { type Departure, organization_members, units } from "../inventory/schema.ts";
import type { OrganizationMember } from "./targets.ts";

/** States in which nobody can enter an account. Source: AWS Organizations API, Account.State. */
const CLOSED: ReadonlySet<string | null> = new Set(["SUSPENDED", "PENDING_CLOSURE", "CLOSED"]);

/** When more than this share of the known accounts, and more than one, are missing at once, it may be another organization that answered. */
const DOUBTFUL_SHARE = 0.3;

/** Which accounts a scan finds departed, and what it has to say of that. */
type Departures = { readonly departed: Departure[]; readonly warnings: string[] };

/**
 * Compares the accounts of an organization, listed as a whole, with those it had, and keeps them. What is closed, or was a member
 * and is one no longer, has departed, as long as something of it is known. `members` null: it was not listed as a whole, which says
 * nothing of anyone.
 */
export async function followMembers(
  transaction: Database,
  members: readonly OrganizationMember[] | null,
): Promise<Departures> {
  if (members === null) return { departed: [], warnings: [] };
  const known = await transaction.select({ account_id: organization_members.account_id }).from(organization_members);
  const present = new Set(members.map(({ account_id }) => account_id));
  const missing = known.map(({ account_id }) => account_id).filter((account_id) => !present.has(account_id));
  const closed = members.filter(({ state }) => CLOSED.has(state)).map(({ account_id }) => account_id);
  const scanned = await scannedAmong(transaction, [...closed, ...missing]);
  const left = missing.filter((account_id) => scanned.has(account_id));
  const doubtful = left.length > 1 && left.length > DOUBTFUL_SHARE * known.length;
  await keepMembers(transaction, [...present, ...left]);
  return {
    departed: [
      ...closed.filter((account_id) => scanned.has(account_id)).map((account_id) => ({ account_id, doubtful: false })),
      ...left.map((account_id) => ({ account_id, doubtful })),
    ],
    warnings: doubtful ? [doubtfulWarning(left.length, known.length)] : [],
  };
}

function doubtfulWarning(left: number, known: number): string {
  return `${left} of ${known} accounts of the organization are no longer in it, so it may be another organization that answered. Their findings wait: tagwarden scans confirm SCAN_ID closes them, if that is so.`;
}

/** Those of the accounts in which some unit was scanned. */
async function scannedAmong(transaction: Database, account_ids: readonly string[]): Promise<ReadonlySet<string>> {
  if (account_ids.length === 0) return new Set();
  const rows = await transaction
    .selectDistinct({ account_id: units.account_id })
    .from(units)
    .where(inArray(units.account_id, [...account_ids]));
  return new Set(rows.map(({ account_id }) => account_id));
}

/** Those that left stay known until nothing of them is in scope, so that every scan until then sees that they left. */
async function keepMembers(transaction: Database, account_ids: readonly string[]): Promise<void> {
  await transaction.delete(organization_members);
  if (account_ids.length === 0) return;
  await transaction.insert(organization_members).values(account_ids.map((account_id) => ({ account_id })));
}
