import { type SQL, sql } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import { rowsOf } from "../../db/rows.ts";
import {
  type Move,
  periodOf,
  periodsBetween,
  type TrendBy,
  type TrendInterval,
  trendOf,
  type TrendRow,
} from "../trend.ts";

/** What a trend is about. `from` and `to`: days, UTC, both included; `from` is moved to the beginning of its period. */
export type TrendQuestion = {
  readonly by?: TrendBy | undefined;
  readonly interval: TrendInterval;
  readonly from: string;
  readonly to: string;
  readonly account_id?: readonly string[] | undefined;
};

/** A trend; without a row before the first day of which anything is known. */
export type Trend = {
  readonly rows: readonly TrendRow[];
  /** How many groups there are; those beyond the first are left out. */
  readonly groups: number;
};

/** Groups of a trend that are shown: those with most open findings at its end. */
const GROUPS = 20;

/**
 * How compliance and findings went. The same numbers as in the views v1_trend_by_account, _by_rule and _by_owner (a test
 * compares them), summed as differences, so that a day without a row costs nothing.
 */
export async function trend(database: Database, question: TrendQuestion): Promise<Trend> {
  const { by, interval, from, to } = question;
  const known = await firstDay(database, question);
  if (known === null || known > to) return { rows: [], groups: 0 };
  const first = periodOf(from, interval);
  const resources = by === undefined || by === "account_id";
  const moves = await movesOf(database, by === "owner" ? OWNERS : RULES, question, first);
  if (resources) moves.push(...(await movesOf(database, ACCOUNTS, question, first)));
  const periods = periodsBetween(known > first ? known : first, to, interval);
  const rows = trendOf(moves, periods, resources);
  const last = periods.at(-1);
  const ends = rows
    .filter(({ period }) => period === last)
    .sort((a, b) => b.open_findings - a.open_findings || ((a.group ?? "") < (b.group ?? "") ? -1 : 1));
  const shown = ends.slice(0, GROUPS).map(({ group }) => group);
  const byGroup = Map.groupBy(rows, ({ group }) => group);
  return { rows: shown.flatMap((group) => byGroup.get(group) ?? []), groups: ends.length };
}

/** One of the rollups: its key, the levels that carry over, and what happened on the day. */
type Source = {
  readonly table: SQL;
  readonly key: SQL;
  readonly groups: Partial<Record<TrendBy, SQL>>;
  readonly columns: SQL;
};

const account = sql`r.account_id`;
const level = (name: string) => sql.raw(`r.${name} - lag(r.${name}, 1, 0) over carried as ${name}`);
const findingColumns = sql`${level("open")}, r.opened, r.reopened, r.resolved, 0 as compliant, 0 as violating, 0 as unknown, 0 as not_applicable`;

const RULES: Source = {
  table: sql`rollup_daily_account_rule`,
  key: sql`r.account_id, r.policy_id, r.rule_id`,
  groups: { account_id: account, rule: sql`r.policy_id || '/' || r.rule_id` },
  columns: findingColumns,
};
const OWNERS: Source = {
  table: sql`rollup_daily_account_owner`,
  key: sql`r.account_id, r.owner`,
  groups: {
    owner: sql`case when r.owner = '' then null when (select masked from reporting.owner_masking) then '***' else r.owner end`,
  },
  columns: findingColumns,
};
const ACCOUNTS: Source = {
  table: sql`rollup_daily_account`,
  key: account,
  groups: { account_id: account },
  columns: sql`0 as open, 0 as opened, 0 as reopened, 0 as resolved, ${level("compliant")}, ${level("violating")}, ${level("unknown")}, ${level("not_applicable")}`,
};

async function movesOf(database: Database, source: Source, question: TrendQuestion, first: string): Promise<Move[]> {
  const { by, interval, to } = question;
  const group = (by && source.groups[by]) ?? sql`null::text`;
  const sums = ["open", "opened", "reopened", "resolved", "compliant", "violating", "unknown", "not_applicable"].map(
    (name) => sql.raw(`sum(${name})::int as ${name}`),
  );
  return rowsOf<Move>(
    database,
    sql`
    select "group", case when day >= ${first}::date then date_trunc(${interval}, day::timestamp)::date::text end as period, ${sql.join(sums, sql`, `)}
    from (
      select ${group} as "group", r.day, ${source.columns} from ${source.table} r
      where r.day <= ${to}::date and ${ofAccounts(question)}
      window carried as (partition by ${source.key} order by r.day)) as moves
    group by 1, 2`,
  );
}

/** The first day of which anything is known. */
async function firstDay(database: Database, question: TrendQuestion): Promise<string | null> {
  const [row] = await rowsOf<{ day: string | null }>(
    database,
    sql`
    select least(
      (select min(r.day) from rollup_daily_account r where ${ofAccounts(question)}),
      (select min(r.day) from rollup_daily_account_rule r where ${ofAccounts(question)}))::text as day`,
  );
  return row?.day ?? null;
}

function ofAccounts({ account_id }: TrendQuestion): SQL {
  if (account_id === undefined) return sql`true`;
  return sql`r.account_id in (select jsonb_array_elements_text(${JSON.stringify(account_id)}::text::jsonb))`;
}
