import { spawnSync } from "node:child_process";
import { copyFile, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

/*
 * A drizzle query is only a description until someone awaits it: without `await` the row is never written, and nothing
 * says so. Most linters miss it, because a query is a thenable and no Promise. So it is shown here that ours does not.
 */

const PLANTED = (statement: string) => `
import { integer, pgTable } from "drizzle-orm/pg-core";
import { drizzle } from "drizzle-orm/node-postgres";
const table = pgTable("t", { id: integer() });
export async function write(): Promise<void> {
  const database = drizzle("postgres://example.com/x");
  ${statement}
  await database.select().from(table);
}
`;

let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tagwarden-lint-"));
  await symlink(resolve("node_modules"), join(folder, "node_modules"));
  for (const file of [".oxlintrc.json", "tsconfig.json"]) await copyFile(file, join(folder, file));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function lint(statement: string): Promise<{ status: number | null; output: string }> {
  await writeFile(join(folder, "planted.ts"), PLANTED(statement));
  const run = spawnSync(resolve("node_modules/.bin/oxlint"), ["--deny-warnings", "planted.ts"], {
    cwd: folder,
    encoding: "utf8",
  });
  return { status: run.status, output: run.stdout + run.stderr };
}

test("the linter reports a query that nobody awaits", async () => {
  const { status, output } = await lint("database.insert(table).values({ id: 1 });");
  expect(output).toContain("no-floating-promises");
  expect(status).not.toBe(0);
});

test("the linter accepts the same query awaited", async () => {
  const { status, output } = await lint("await database.insert(table).values({ id: 1 });");
  expect(output).toContain("1 file");
  expect(status).toBe(0);
});
