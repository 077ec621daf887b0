import { readFile } from "node:fs/promises";
import { sql } from "drizzle-orm";
import { expect, test } from "vitest";
import { type Database, openPostgres } from "../../src/db/client.ts";
import { describeOnBoth, openTestDatabase } from "../support/database.ts";
import { seeder } from "./seed.ts";

const page = await readFile("docs/reporting.md", "utf8");

async function query(database: Database, statement: ReturnType<typeof sql>): Promise<Record<string, unknown>[]> {
  const result: unknown = await database.execute(statement);
  return (Array.isArray(result) ? result : (result as { rows: unknown[] }).rows) as Record<string, unknown>[];
}

test("the role that the documentation creates reads every view and nothing else", async () => {
  const opened = await openTestDatabase("postgres");
  const role = `reader_${opened.url?.slice(-12)}`;
  const script = /```sql\n(CREATE ROLE[\s\S]*?)```/.exec(page)?.[1]?.replaceAll("tagwarden_reader", role) ?? "";
  for (const statement of script.split(";").filter((line) => line.trim() !== ""))
    await opened.database.execute(sql.raw(statement));
  await opened.database.execute(sql.raw(`alter role ${role} password 'choose one'`));
  const seed = seeder(opened.database);
  await seed.policySet([{ sensitive: true }]);
  await seed.unit();
  await seed.finding(await seed.resource());

  const url = new URL(opened.url ?? "");
  url.username = role;
  url.password = "choose one";
  const reader = await openPostgres(url.href, { max_connections: 1 });
  try {
    const views = await query(
      opened.database,
      sql`select viewname from pg_views where schemaname = 'reporting' and viewname like 'v1%'`,
    );
    expect(views.length).toBeGreaterThan(10);
    for (const { viewname } of views)
      await query(reader.database, sql.raw(`select * from reporting.${String(viewname)}`));
    expect(await query(reader.database, sql`select noncompliant from reporting.v1_compliance_now`)).toEqual([
      { noncompliant: 1 },
    ]);
    const denied = (statement: string) =>
      expect(query(reader.database, sql.raw(statement)), statement).rejects.toMatchObject({
        cause: { code: expect.stringMatching(/^(42501|25006)$/) },
      });
    await denied("select * from public.findings");
    await denied("select * from public.resources");
    await denied("delete from reporting.v1_units");
    await denied("set transaction read write; update reporting.v1_units set state = 'complete'");
    await denied("create table reporting.mine (id int)");
  } finally {
    await reader.close();
    await opened.database.execute(sql.raw(`drop owned by ${role}; drop role ${role}`));
    await opened.close();
  }
});

describeOnBoth("on %s", (kind) => {
  test("every view is documented with exactly the columns it has, and has a comment", async () => {
    const opened = await openTestDatabase(kind);
    const columns = await query(
      opened.database,
      sql`select c.relname as view, string_agg(a.attname, ' ' order by a.attnum) as columns, obj_description(c.oid, 'pg_class') as comment
        from pg_class c join pg_attribute a on a.attrelid = c.oid
        where c.relnamespace = 'reporting'::regnamespace and c.relname like 'v1%' and a.attnum > 0 group by c.oid, c.relname`,
    );
    for (const { view, columns: names, comment } of columns) {
      expect(comment, String(view)).toEqual(expect.any(String));
      if (/compliance_by_(type|account|region|owner)$/.test(String(view))) continue;
      const row = page.split("\n").find((line) => line.startsWith(`| \`${String(view)}\``));
      expect(row, String(view)).toContain(`\`${String(names)}\``);
    }
    await opened.close();
  });
});
