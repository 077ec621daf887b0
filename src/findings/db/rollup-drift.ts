import { type SQL, sql } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import { rowsOf } from "../../db/rows.ts";
import { OWN_POLICY_ID } from "../../policy/own-policy.ts";
import type { OwnerTally, RuleTally, Tally, UnitTally } from "../tally.ts";
import { accountDifferences, lockAccounts, writeTally } from "./rollups.ts";

/** The first of these tags that has a value names the owner: as `ownerOf` and `reporting.shown_resources` have it. */
const OWNER = sql`coalesce(nullif(r.tags ->> 'Owner', ''), nullif(r.tags ->> 'owner', ''), nullif(r.tags ->> 'Team', ''), nullif(r.tags ->> 'team', ''), '')`;

/**
 * What the daily numbers lack to what the findings and resources add up to now, as a tally that would put it right: empty when
 * all agree. Each of its parts is computed in one statement, and so as of one instant. `account_id`: only of this account.
 */
export async function driftOf(database: Database, account_id: string | null = null): Promise<Tally> {
  const of = (table: SQL) => (account_id === null ? sql`true` : sql`${table}.account_id = ${account_id}`);
  const rules = await rowsOf<RuleTally>(
    database,
    sql`
    with truth as (
      select f.account_id, f.policy_id, f.rule_id, count(*) as open from findings f
      where f.state = 'open' and ${of(sql`f`)} group by f.account_id, f.policy_id, f.rule_id),
    newest as (
      select distinct on (r.account_id, r.policy_id, r.rule_id) r.account_id, r.policy_id, r.rule_id, r.open
      from rollup_daily_account_rule r where ${of(sql`r`)} order by r.account_id, r.policy_id, r.rule_id, r.day desc)
    select account_id, policy_id, rule_id, (coalesce(t.open, 0) - coalesce(n.open, 0))::int as open, 0 as opened, 0 as reopened, 0 as resolved
    from truth t full join newest n using (account_id, policy_id, rule_id)
    where coalesce(t.open, 0) <> coalesce(n.open, 0)`,
  );
  const owners = await rowsOf<OwnerTally>(
    database,
    sql`
    with truth as (
      select f.account_id, ${OWNER} as owner, count(*) as open from findings f left join resources r on r.arn = f.arn
      where f.state = 'open' and ${of(sql`f`)} group by 1, 2),
    newest as (
      select distinct on (r.account_id, r.owner) r.account_id, r.owner, r.open
      from rollup_daily_account_owner r where ${of(sql`r`)} order by r.account_id, r.owner, r.day desc)
    select account_id, owner, (coalesce(t.open, 0) - coalesce(n.open, 0))::int as open, 0 as opened, 0 as reopened, 0 as resolved
    from truth t full join newest n using (account_id, owner)
    where coalesce(t.open, 0) <> coalesce(n.open, 0)`,
  );
  const units = await rowsOf<UnitTally>(
    database,
    sql`
    with standing as (
      select r.account_id, r.region, r.type, case
        when r.standing = 'not_applicable' or r.status like 'DELETE%' then 'not_applicable'
        when f.arn is not null then 'violating'
        when r.standing = 'unknown' or r.reading_error is not null then 'unknown'
        else 'compliant' end as stands
      from resources r left join (select distinct f.arn from findings f where f.state = 'open' and f.policy_id <> ${OWN_POLICY_ID} and ${of(sql`f`)}) as f on f.arn = r.arn
      where r.gone_at is null and ${of(sql`r`)}),
    truth as (
      select account_id, region, type, count(*) filter (where stands = 'compliant') as compliant,
        count(*) filter (where stands = 'violating') as violating, count(*) filter (where stands = 'unknown') as unknown,
        count(*) filter (where stands = 'not_applicable') as not_applicable
      from standing group by account_id, region, type)
    select * from (
      select account_id, region, type, (coalesce(t.compliant, 0) - coalesce(s.compliant, 0))::int as compliant,
        (coalesce(t.violating, 0) - coalesce(s.violating, 0))::int as violating,
        (coalesce(t.unknown, 0) - coalesce(s.unknown, 0))::int as unknown,
        (coalesce(t.not_applicable, 0) - coalesce(s.not_applicable, 0))::int as not_applicable
      from truth t full join (select * from unit_tallies s where ${of(sql`s`)}) as s using (account_id, region, type)) as difference
    where compliant <> 0 or violating <> 0 or unknown <> 0 or not_applicable <> 0`,
  );
  const accounts = await accountDifferences(database, account_id === null ? null : [account_id]);
  return {
    rules: new Map(rules.map((row) => [JSON.stringify(row), row])),
    owners: new Map(owners.map((row) => [JSON.stringify(row), row])),
    units: new Map(units.map((row) => [JSON.stringify(row), row])),
    accounts: new Set(accounts.map((row) => row.account_id)),
  };
}

/** How many numbers a tally would change. */
export function sizeOf({ rules, owners, units, accounts }: Tally): number {
  return rules.size + owners.size + units.size + accounts.size;
}

/**
 * Compares the daily numbers with what they were added up from, and puts right what differs, one account a transaction.
 * Returns how many numbers were wrong: anything but 0 is a bug, or someone wrote to the tables by hand.
 */
export async function repairDrift(database: Database, now: Date): Promise<number> {
  const { rules, owners, units, accounts } = await driftOf(database);
  const rows = [...rules.values(), ...owners.values(), ...units.values()];
  let repaired = 0;
  for (const account_id of [...new Set([...accounts, ...rows.map((row) => row.account_id)])].sort()) {
    repaired += await database.transaction(async (transaction) => {
      await lockAccounts(transaction, [account_id]);
      const drift = await driftOf(transaction, account_id);
      await writeTally(transaction, drift, now);
      return sizeOf(drift);
    });
  }
  return repaired;
}
