import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { followFiles } from "../../src/exemptions/store.ts";
import { compilePolicies } from "../../src/policy/load.ts";
import { activeSet } from "../../src/policy/store.ts";
import { exemptionsPage } from "../../src/reports/db/exemptions.ts";
import { openCurrentSet } from "../../src/scan/current-set.ts";
import { useSet } from "../../src/scan/policies.ts";
import { workFolder } from "../support/cli.ts";
import { emptyTables, openTestDatabase } from "../support/database.ts";
import { exemptNow } from "../support/exemptions.ts";

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

const exemptions = (...ids: string[]) =>
  `version: 1\nexemptions:\n${ids
    .map((id) => `  - {id: ${id}, rule: r, reason: x, requested_by: a, approved_by: b, expires: ${IN_A_MONTH}}\n`)
    .join("")}`;
const IN_A_MONTH = new Date(Date.now() + 30 * 86_400_000).toISOString().slice(0, 10);

test("a service records the exemptions of its folder at its start, and again when they change", async () => {
  const { database } = opened;
  const folder = await workFolder({ "p.yaml": policy("Owner"), "exemptions.yaml": exemptions("a", "b") });
  const active = async () => (await exemptionsPage(database)).items.map(({ id }) => id).toSorted();
  const current = await openCurrentSet(database, folder, settings);
  expect(await active()).toEqual(["a", "b"]);
  await writeFile(join(folder, "exemptions.yaml"), exemptions("b", "c"));
  await current.refresh();
  expect(await active()).toEqual(["b", "c"]);
  expect(current.status().problem).toBeNull();
  await rm(join(folder, "exemptions.yaml"));
  await current.refresh();
  expect(await active()).toEqual([]);
});

test("a service whose exemptions are broken keeps those recorded last and says why; its policies go on", async () => {
  const { database } = opened;
  const folder = await workFolder({ "p.yaml": policy("Owner"), "exemptions.yaml": exemptions("a") });
  const current = await openCurrentSet(database, folder, settings);
  await writeFile(join(folder, "exemptions.yaml"), "version: 1\nexemptions: [{}]\n");
  await writeFile(join(folder, "p.yaml"), policy("Team"));
  expect((await current.refresh()).id).toBe(setOf("Team").id);
  expect(current.status()).toMatchObject({
    set_id: setOf("Team").id,
    problem: expect.stringContaining("exemptions.yaml:2:14: `id` is missing") as string,
  });
  expect((await exemptionsPage(database)).items.map(({ id }) => id)).toEqual(["a"]);
  await writeFile(join(folder, "exemptions.yaml"), exemptions("a"));
  await current.refresh();
  expect(current.status().problem).toBeNull();
});

test("a service leaves the exemptions that someone recorded later, says so, and uses its own again when they change", async () => {
  const { database } = opened;
  const folder = await workFolder({ "p.yaml": policy("Owner"), "exemptions.yaml": exemptions("a") });
  const current = await openCurrentSet(database, folder, settings);
  await followFiles(database, [], { folder: "elsewhere", actor: "someone" });
  await current.refresh();
  expect((await exemptionsPage(database)).items).toEqual([]);
  expect(current.status().problem).toMatch(/other exemptions of files were recorded/);
  await writeFile(join(folder, "exemptions.yaml"), exemptions("a", "b"));
  await current.refresh();
  expect((await exemptionsPage(database)).items).toHaveLength(2);
  expect(current.status().problem).toBeNull();
});

test("a service does not start with exemptions that are broken", async () => {
  const folder = await workFolder({ "p.yaml": policy("Owner"), "exemptions.yaml": "version: 1\nexemptions: [{}]\n" });
  await expect(openCurrentSet(opened.database, folder, settings)).rejects.toThrow("`id` is missing");
  const taken = await exemptNow(opened.database, { rule_id: "r" });
  await writeFile(join(folder, "exemptions.yaml"), exemptions(taken));
  await expect(openCurrentSet(opened.database, folder, settings)).rejects.toThrow(`\`${taken}\` is taken`);
  expect(await activeSet(opened.database)).toBeNull();
});
