import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { compilePolicies } from "../../src/policy/load.ts";
import { activeSet } from "../../src/policy/store.ts";
import { openCurrentSet } from "../../src/scan/current-set.ts";
import { useSet } from "../../src/scan/policies.ts";
import { workFolder } from "../support/cli.ts";
import { emptyTables, openTestDatabase } from "../support/database.ts";

const policy = (key: string) => `version: 1\nid: p\nrules:\n  - {id: r, key: ${key}, required: true}\n`;
const setOf = (key: string) => compilePolicies([{ path: "p.yaml", text: policy(key) }]);
const settings = { guard: { share: 0.3, count: 50 }, actor: "service", now: () => new Date() };

let opened: Awaited<ReturnType<typeof openTestDatabase>>;
beforeAll(async () => {
  opened = await openTestDatabase("pglite");
});
beforeEach(() => emptyTables(opened.database));
afterAll(() => opened.close());

test("a service scans by the policies that a person activated, until its own folder changes", async () => {
  const { database } = opened;
  const folder = await workFolder({ "p.yaml": policy("Owner") });
  const current = await openCurrentSet(database, folder, settings);
  expect((await current.refresh()).id).toBe(setOf("Owner").id);

  await useSet(database, setOf("Team"), { ...settings, activate: true, confirm: false, now: new Date() });
  expect((await current.refresh()).id).toBe(setOf("Team").id);
  expect((await current.refresh()).id).toBe(setOf("Team").id);
  expect(current.status()).toMatchObject({
    set_id: setOf("Team").id,
    problem: expect.stringMatching(/other policies were activated.*are not used/) as string,
  });

  await writeFile(join(folder, "p.yaml"), policy("CostCenter"));
  expect((await current.refresh()).id).toBe(setOf("CostCenter").id);
  expect(current.status()).toEqual({ set_id: setOf("CostCenter").id, problem: null });
  expect((await activeSet(database))?.id).toBe(setOf("CostCenter").id);
});

test("a service whose folder is broken keeps the last good policies and says why, until it is mended", async () => {
  const folder = await workFolder({ "p.yaml": policy("Owner") });
  const current = await openCurrentSet(opened.database, folder, settings);
  await writeFile(join(folder, "p.yaml"), "version: 1\nid: p\nrulez: []\n");
  expect((await current.refresh()).id).toBe(setOf("Owner").id);
  expect(current.status().problem).toMatch(/rulez/);
  await writeFile(join(folder, "p.yaml"), policy("Owner"));
  expect((await current.refresh()).id).toBe(setOf("Owner").id);
  expect(current.status().problem).toBeNull();
});
