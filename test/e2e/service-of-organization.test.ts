import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { loadConfig } from "../../src/config.ts";
import { type Service, startService } from "../../src/main.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/server.ts";
import { sandboxEnvironment, workFolder } from "../support/cli.ts";

const CONFIG = "targets:\n  organization: {}\n  regions: [us-east-1]\n  role: TagwardenAudit\n";
const POLICY = "version: 1\nid: p\ntitle: P\nrules:\n  - {id: owner, key: Owner, required: true}\n";
const DENIED = [{ kind: "access_denied" as const, operation: "ListAccounts" }];

let sandbox: Sandbox;
let service: Service | null = null;
beforeEach(async () => {
  sandbox = await startSandbox({ resources: 40, accounts: 2, regions: ["us-east-1"] });
});
afterEach(async () => {
  await service?.stop();
  service = null;
  await sandbox.close();
  vi.unstubAllEnvs();
});

async function start(): Promise<Service> {
  const cwd = await workFolder({ "tagwarden.yaml": CONFIG });
  await mkdir(join(cwd, "policies"));
  await writeFile(join(cwd, "policies", "p.yaml"), POLICY);
  const environment = { ...sandboxEnvironment(sandbox.url), AWS_EC2_METADATA_DISABLED: "true" };
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  const config = { ...(await loadConfig(environment, cwd)), policies: join(cwd, "policies"), port: 0 };
  const folder = join(cwd, "data");
  service = await startService({
    config,
    sandbox: "remote",
    folder,
    sandbox_port: 0,
    now: () => new Date(),
    say: () => undefined,
  });
  return service;
}

const ask = (url: string) =>
  fetch(`${url}/api/v1/scans`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ types: ["campaign"] }),
  });

test("a service looks for accounts at each scan, and scans nothing while it cannot", { timeout: 120_000 }, async () => {
  const { url } = await start();
  expect(sandbox.calls.by_operation["ListAccounts"]).toBe(1);

  sandbox.setFaults(DENIED);
  const refused = await ask(url);
  expect(refused.status).toBe(422);
  expect(await refused.text()).toContain("organizations:ListAccounts");

  sandbox.setFaults([]);
  const accepted = await ask(url);
  expect(accepted.status).toBe(202);
  expect(sandbox.calls.by_operation["ListAccounts"]).toBe(3);
  const { scan_id } = (await accepted.json()) as { scan_id: string };
  const listed = (await (await fetch(`${url}/api/v1/scans`)).json()) as { items: { id: string; units: number }[] };
  // The first is that of the start; the one that was refused left nothing.
  expect(listed.items.map(({ id }) => id)).toHaveLength(2);
  expect(listed.items.find(({ id }) => id === scan_id)?.units).toBe(3);
});

test("a service that has never scanned does not start without its accounts", { timeout: 120_000 }, async () => {
  sandbox.setFaults(DENIED);
  await expect(start()).rejects.toMatchObject({
    name: "CannotBeginError",
    message: expect.stringContaining("organizations:ListAccounts") as string,
  });
});
