import { randomBytes } from "node:crypto";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { type OpenDatabase, openPostgres } from "../../src/db/client.ts";
import { openDatabase } from "../../src/db/open.ts";
import { rowsOf } from "../../src/db/rows.ts";

const now = new Date("2026-11-23T03:00:00Z");
const name = `fresh_${randomBytes(6).toString("hex")}`;
const open = (url: string) => openDatabase({ url, folder: "unused", command: "tagwarden scan" }, now);

let admin: OpenDatabase;
beforeAll(async () => {
  admin = await openPostgres(`${inject("postgres_url")}/postgres`, { max_connections: 1 });
  await admin.database.execute(sql.raw(`create database ${name}`));
  await admin.database.execute(sql.raw(`create role ${name} login password 'p'`));
});
afterAll(async () => {
  await admin.database.execute(sql.raw(`drop database ${name} with (force)`));
  await admin.database.execute(sql.raw(`drop role ${name}`));
  await admin.close();
});

test("who may not make the tables is told so, and no connection is left that would keep the command from ending", async () => {
  const url = new URL(`${inject("postgres_url")}/${name}`);
  url.username = name;
  url.password = "p";
  await expect(open(url.href)).rejects.toMatchObject({
    name: "DatabaseUnreachableError",
    message: expect.stringMatching(/cannot be brought up to date: permission denied/) as string,
  });
  const rows = await rowsOf(admin.database, sql`select pid from pg_stat_activity where usename = ${name}`);
  expect(rows).toHaveLength(0);
});

test("replicas that start together on a new database all come up", async () => {
  const opened = await Promise.all(Array.from({ length: 4 }, () => open(`${inject("postgres_url")}/${name}`)));
  for (const { close } of opened) await close();
});
