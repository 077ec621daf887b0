import { type SQL, and, sql } from "drizzle-orm";
import type { AnyPgColumn } from "drizzle-orm/pg-core";
import type { Database } from "../../db/client.ts";
import {
  COUNT_LIMIT,
  decodePageToken,
  encodePageToken,
  type Page,
  type PageRequest,
  pageSize,
  type Total,
} from "../page.ts";

/** A column to sort by, and the type its value has on the way back from a page token. The last one is unique. */
export type SortColumn = {
  readonly column: AnyPgColumn;
  readonly type: "text" | "integer" | "bigint" | "timestamptz" | "uuid";
};

/** What a list is about. */
export type Question = {
  database: Database;
  /** Everything that decides which rows come in which order: a token is bound to it. */
  asked: unknown;
  request: PageRequest;
  columns: readonly SortColumn[];
  descending: boolean;
  where: SQL | undefined;
  /** The view, for counting. */
  from: SQL;
};

/** Runs a list with the given condition, order and limit; `sort_values` is to be selected beside each row. */
export type ReadRows<T> = (list: {
  where: SQL | undefined;
  order: SQL[];
  limit: number;
  sort_values: SQL<string[]>;
}) => Promise<{ item: T; sort_values: string[] }[]>;

/** One page in keyset order with the total: rows after the last one of the page before, whatever was inserted meanwhile. */
export async function keysetPage<T>(question: Question, read: ReadRows<T>): Promise<Page<T>> {
  const list = listOf(question);
  const [rows, total] = await Promise.all([
    readList(list, read),
    countBounded(question.database, question.from, question.where),
  ]);
  return { ...rows, total };
}

/** The same without the total, for those who read every page. */
export async function keysetRows<T>(question: Question, read: ReadRows<T>): Promise<Omit<Page<T>, "total">> {
  return readList(listOf(question), read);
}

/** What to read for a question. A bad page size or token is refused here, before any query is under way. */
type List = { readonly asked: unknown; readonly size: number; readonly rows: Parameters<ReadRows<unknown>>[0] };

function listOf({ asked, request, columns, descending, where }: Question): List {
  const size = pageSize(request);
  const after = request.page_token ? decodePageToken(asked, request.page_token, columns.length) : null;
  const direction = descending ? sql`desc` : sql`asc`;
  const rows = {
    where: after ? and(where, isAfter(columns, after, descending)) : where,
    order: columns.map(({ column }) => sql`${column} ${direction}`),
    limit: size + 1,
    sort_values: sql<string[]>`jsonb_build_array(${sql.join(columns.map(asText), sql`, `)})`,
  };
  return { asked, size, rows };
}

async function readList<T>({ asked, size, rows: list }: List, read: ReadRows<T>): Promise<Omit<Page<T>, "total">> {
  const rows = await read(list);
  const items = rows.slice(0, size);
  const last = items.at(-1);
  return {
    items: items.map(({ item }) => item),
    next_page_token: rows.length > size && last ? encodePageToken(asked, last.sort_values) : null,
  };
}

/** Counts up to the limit and no further, so that it costs the same however many there are. */
async function countBounded(database: Database, from: SQL, where: SQL | undefined): Promise<Total> {
  const counted = sql`select 1 as one from ${from}${where ? sql` where ${where}` : sql``} limit ${sql.raw(String(COUNT_LIMIT + 1))}`;
  const [row] = await database.select({ count: sql<number>`count(*)::integer` }).from(sql`(${counted}) as counted`);
  const count = row?.count ?? 0;
  return count > COUNT_LIMIT ? { count: COUNT_LIMIT, type: "AT_LEAST" } : { count, type: "EXACT" };
}

/** Row comparison, which the planner turns into one index range. */
function isAfter(columns: readonly SortColumn[], after: readonly string[], descending: boolean): SQL {
  const left = sql.join(
    columns.map(({ column }) => sql`${column}`),
    sql`, `,
  );
  const right = sql.join(
    columns.map(({ type }, i) => sql`${after[i] ?? null}::text::${sql.raw(type)}`),
    sql`, `,
  );
  return sql`(${left}) ${descending ? sql`<` : sql`>`} (${right})`;
}

/** A timestamp keeps its microseconds, which a Date would lose: two rows of one millisecond must not hide each other. */
function asText({ column, type }: SortColumn): SQL {
  if (type !== "timestamptz") return sql`${column}::text`;
  return sql`to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
}
