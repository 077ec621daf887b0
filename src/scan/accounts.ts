import { sql } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import type { Aws } from "../inventory/aws/session.ts";
import { errorName } from "../inventory/call-error.ts";
import { accounts } from "../inventory/schema.ts";
import type { Tags } from "../tags/tags.ts";

/** What the configuration says of accounts: it has the word over AWS Organizations, which not everyone may ask. */
export type ConfiguredAccounts = Readonly<Record<string, { readonly name: string; readonly tags: Tags }>>;

type AccountDeps = {
  readonly database: Database;
  readonly aws: Pick<Aws, "organizations">;
  readonly configured: ConfiguredAccounts;
  readonly now: () => Date;
};

/**
 * Reads name and tags of accounts and keeps them. What cannot be read keeps what was read before, and is a warning; an account
 * that was never read is not known, and rules that ask for it are unknown. Throws when the database fails.
 */
async function ensureAccounts(
  { database, aws, configured, now }: AccountDeps,
  account_ids: readonly string[],
): Promise<string[]> {
  const failures: { readonly account_id: string; readonly error: unknown }[] = [];
  for (const account_id of new Set(account_ids)) {
    try {
      const { name, tags } = configured[account_id] ?? (await aws.organizations.account(account_id));
      await storeAccount(database, { account_id, name, tags: { ...tags }, read_at: now() });
    } catch (error) {
      if (isOfDatabase(error)) throw error;
      failures.push({ account_id, error });
    }
  }
  return warningsOf(failures);
}

/** How many accounts a reader remembers at most: those of one large scan. */
const MOST_REMEMBERED = 20_000;

/** Reads an account as `ensureAccounts` does, once for each scan, whatever the number of its regions. */
export function accountReader(deps: AccountDeps): (scan_id: string, account_id: string) => Promise<string[]> {
  const read = new Map<string, Promise<string[]>>();
  return (scan_id, account_id) => {
    const name = `${scan_id}/${account_id}`;
    if (read.size > MOST_REMEMBERED) read.clear();
    const reading = read.get(name) ?? ensureAccounts(deps, [account_id]);
    read.set(name, reading);
    reading.catch(() => read.delete(name));
    return reading;
  };
}

async function storeAccount(database: Database, row: typeof accounts.$inferInsert): Promise<void> {
  const { name, tags, read_at } = row;
  await database
    .insert(accounts)
    .values(row)
    .onConflictDoUpdate({
      target: accounts.account_id,
      set: { name, tags, read_at },
      setWhere: sql`(${accounts.name}, ${accounts.tags}) is distinct from (excluded.name, excluded.tags)`,
    });
}

function isOfDatabase(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("Failed query: ");
}

/** One warning for each error by name, with one of the accounts and how many more. */
function warningsOf(failures: readonly { account_id: string; error: unknown }[]): string[] {
  const byName = Map.groupBy(failures, ({ error }) => errorName(error));
  return [...byName].map(([name, [first, ...others]]) => {
    const which = `${first?.account_id}${others.length === 0 ? "" : ` and ${others.length} more`}`;
    const message = first?.error instanceof Error ? `: ${first.error.message}` : "";
    return `Name and tags of account ${which} could not be read (${name}${message}). They can be given as \`accounts\` in tagwarden.yaml.`;
  });
}
