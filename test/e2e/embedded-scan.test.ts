import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { claimFolder } from "../../src/db/owner.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/server.ts";
import { cli, sandboxEnvironment, workFolder } from "../support/cli.ts";

const policy = (key: string) => `version: 1\nid: p\nrules:\n  - {id: r, key: ${key}, required: true}\n`;

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await startSandbox({ resources: 300, accounts: 1, regions: ["us-east-1"], latency_ms: 100 });
});
afterAll(() => sandbox.close());

/** A folder to scan from, with a database of its own. */
async function place() {
  const role = `targets:\n  role: ${sandbox.organization.role_name}\n`;
  const cwd = await workFolder({ "p.yaml": policy("Owner"), "tagwarden.yaml": role });
  await mkdir(join(cwd, "policies"));
  await writeFile(join(cwd, "policies", "p.yaml"), policy("Owner"));
  return { cwd, env: sandboxEnvironment(sandbox.url) };
}

test("an account that cannot be entered is reported, and the others are scanned", { timeout: 60_000 }, async () => {
  const own = sandbox.organization.management_account_id;
  const words = ["scan", "--json", "--types", "campaign,solution", "--accounts", `999988887777,${own}`];
  const { code, stdout, stderr } = await cli(words, await place());
  expect(stderr).not.toMatch(/AccessDenied/);
  expect(code).toBe(3);
  const { units } = JSON.parse(stdout) as { units: { account_id: string; type: string; state: string }[] };
  const states = units.map(({ account_id, type, state }) => `${account_id === own ? "own" : "other"} ${type} ${state}`);
  expect(states.toSorted()).toEqual([
    "other campaign denied",
    "other solution denied",
    "own campaign complete",
    "own solution complete",
  ]);
});

test("a database in use, found while reading has begun: one message, exit code 4", async () => {
  const given = await place();
  const folder = join(given.cwd, ".tagwarden", "sandbox");
  await mkdir(folder, { recursive: true });
  const claim = await claimFolder(folder, "tagwarden serve", new Date());
  const ended = await cli(["scan"], given);
  await claim.release();
  expect(ended).toMatchObject({ code: 4, stdout: "" });
  expect(ended.stderr).toMatch(/^The embedded database in .* is in use by `tagwarden serve`.*\n$/);
});

test(
  "policies that differ, found while reading has begun: the difference, exit code 2",
  { timeout: 60_000 },
  async () => {
    const given = await place();
    expect(await cli(["scan"], given)).toMatchObject({ code: 0 });
    await writeFile(join(given.cwd, "policies", "p.yaml"), policy("Team"));
    const ended = await cli(["scan"], given);
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(ended.stderr).toMatch(/The policies differ from the active ones in this database:\n {2}~ p\/r\n/);
    expect(ended.stderr).not.toMatch(/\n\s+at /);
  },
);
