import { sql } from "drizzle-orm";
import { expect, test } from "vitest";
import { describeOnBoth, openTestDatabase } from "../support/database.ts";

describeOnBoth("on %s", (kind) => {
  test("a migrated database has the tables", async () => {
    const opened = await openTestDatabase(kind);
    const rows = await opened.database.execute(sql`select count(*)::int as n from pg_tables where schemaname = 'public'`);
    expect(JSON.stringify(rows)).toContain('"n":');
    await opened.close();
  });
});
