import { readFile } from "node:fs/promises";
import { sql } from "drizzle-orm";
import { expect, test } from "vitest";
import { appendAudit, verifyAudit } from "../../src/audit-log/store.ts";
import { openPostgres } from "../../src/db/client.ts";
import { openTestDatabase } from "../support/database.ts";

const page = await readFile("docs/audit-log.md", "utf8");

test("with the rights of the documentation Tagwarden's role appends and verifies, and can do nothing else to the log", async () => {
  const opened = await openTestDatabase("postgres");
  const role = `app_${opened.url?.slice(-12)}`;
  const run = (statement: string) => opened.database.execute(sql.raw(statement));
  await run(`create role ${role} login password 'x'`);
  const [, script = ""] = /```sql\n(CREATE ROLE[\s\S]*?)```/.exec(page) ?? [];
  const own = script.replaceAll("tagwarden_audit", `${role}_audit`).replaceAll(/\btagwarden\b/g, role);
  expect(own).toContain(`TO ${role};`);
  for (const statement of own.split(";").filter((line) => line.trim() !== "")) await run(statement);

  const url = new URL(opened.url ?? "");
  url.username = role;
  url.password = "x";
  const app = await openPostgres(url.href, { max_connections: 1 });
  try {
    const entry = { at: new Date(), actor: "a", action: "plan.approved", subject: "p", detail: {} } as const;
    await app.database.transaction((transaction) => appendAudit(transaction, entry, entry));
    expect(await verifyAudit(app.database)).toMatchObject({ rows: 2, fault: null });
    for (const statement of [
      "update audit_log set actor = 'b'",
      "delete from audit_log",
      "truncate audit_log",
      "alter table audit_log disable trigger audit_log_append_only",
      "drop table audit_log",
    ]) {
      await expect(app.database.execute(sql.raw(statement)), statement).rejects.toMatchObject({
        cause: { code: "42501" },
      });
    }
    expect(await verifyAudit(app.database)).toMatchObject({ rows: 2, fault: null });
  } finally {
    await app.close();
    for (const one of [role, `${role}_audit`])
      await run(`reassign owned by ${one} to current_user; drop owned by ${one}; drop role ${one}`);
    await opened.close();
  }
});
