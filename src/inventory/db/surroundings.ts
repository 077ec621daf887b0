import { inArray } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import type { Account } from "../account.ts";
import type { Resource } from "../resource.ts";
import { accounts } from "../schema.ts";
import { NOT_LOOKED_UP, type Surroundings } from "../surroundings.ts";
import { type Asking, loadLineage } from "./lineage.ts";

/** What of the surroundings is asked for; the rest is left alone. */
export type Wanted = { readonly lineage: boolean; readonly account: boolean };

/** What stands around resources, as stored, by ARN; an empty map when nothing is wanted. */
export async function loadSurroundings(
  database: Database,
  resources: readonly (Asking & Pick<Resource, "account_id">)[],
  wanted: Wanted,
): Promise<Map<string, Surroundings>> {
  if (!wanted.lineage && !wanted.account) return new Map();
  const lineages = wanted.lineage ? await loadLineage(database, resources) : null;
  const known = wanted.account
    ? await loadAccounts(database, [...new Set(resources.map((one) => one.account_id))])
    : null;
  return new Map(
    resources.map(({ arn, account_id }) => [
      arn,
      {
        lineage: lineages?.get(arn) ?? NOT_LOOKED_UP.lineage,
        account: known === null ? NOT_LOOKED_UP.account : (known.get(account_id) ?? NOT_READ),
      },
    ]),
  );
}

const NOT_READ: Account = {
  known: false,
  reason:
    "the name and the tags of its account were not read: that needs AWS Organizations, or `accounts` in tagwarden.yaml",
};

async function loadAccounts(database: Database, ids: string[]): Promise<Map<string, Account>> {
  if (ids.length === 0) return new Map();
  const rows = await database.select().from(accounts).where(inArray(accounts.account_id, ids));
  return new Map(rows.map(({ account_id, name, tags }) => [account_id, { known: true, name, tags }]));
}
