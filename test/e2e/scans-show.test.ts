import { eq } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { scan_units, scans } from "../../src/inventory/schema.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/server.ts";
import { cancelScan } from "../../src/scan/stop.ts";
import { createScan } from "../../src/scan/store.ts";
import { cli, type Ended, sandboxEnvironment, startCli, workFolder } from "../support/cli.ts";
import { emptyTables, openTestDatabase } from "../support/database.ts";
import { awsOf, scanAll } from "../support/scan.ts";

let opened: Awaited<ReturnType<typeof openTestDatabase>>;
let sandbox: Sandbox;
let env: Record<string, string>;
let cwd: string;
beforeAll(async () => {
  opened = await openTestDatabase("postgres");
  sandbox = await startSandbox({ resources: 60, accounts: 1, regions: ["us-east-1"] });
  env = { ...sandboxEnvironment(sandbox.url), DATABASE_URL: opened.url ?? "" };
  cwd = await workFolder();
});
beforeEach(() => emptyTables(opened.database));
afterEach(() => sandbox.setFaults([]));
afterAll(async () => {
  await sandbox.close();
  await opened.close();
});

/** A scan that reads everything but campaigns, until those answer. */
async function hanging() {
  sandbox.setFaults([{ kind: "hang", operation: "ListCampaigns" }]);
  const aws = awsOf(sandbox, { timeout_ms: 500, patience_ms: 600_000 });
  const ended = scanAll(opened.database, sandbox, { aws }).finally(() => aws.close());
  const first = () => opened.database.select().from(scans);
  await expect.poll(async () => (await first())[0]?.state, { timeout: 60_000 }).toBe("running");
  return { id: (await first())[0]!.id, ended };
}

/** Follows a scan as a process of its own, and what it has said so far. */
function follow(id: string, ...more: string[]) {
  const started = startCli(["scans", "show", id, "--follow", ...more], { cwd, env });
  let stdout = "";
  started.process.stdout?.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  return { ...started, said: () => stdout };
}

test(
  "a scan that is followed tells how far it is, and ends with exit code 0 when it succeeded",
  { timeout: 180_000 },
  async () => {
    const { id, ended } = await hanging();
    const watching = follow(id);
    await expect
      .poll(watching.said, { timeout: 60_000 })
      .toMatch(/^running: targets 0\/2; units \d+\/26 .*complete.* calls/m);
    await expect.poll(watching.said).toMatch(/:\d+ on \d/);
    sandbox.setFaults([]);
    expect((await ended).state).toBe("succeeded");
    const { code, stdout } = await watching.ended;
    expect(stdout).toMatch(/^succeeded: targets 2\/2; units 26\/26 \(26 complete\); \d+ resources; [\d,]+ calls/m);
    expect(stdout).toContain(`Scan ${id}: succeeded, asked for by test`);
    expect(code).toBe(0);
  },
);

test("Ctrl-C leaves a scan that is followed alone", { timeout: 180_000 }, async () => {
  const { id, ended } = await hanging();
  const watching = follow(id, "--json");
  await expect.poll(watching.said, { timeout: 60_000 }).toContain("\n");
  watching.process.kill("SIGINT");
  const { code, stdout, stderr } = await watching.ended;
  expect(stderr).toBe("The scan goes on.\n");
  expect(JSON.parse(stdout.split("\n")[0]!)).toMatchObject({ id, state: "running", targets: 2, workers: [{}] });
  expect(code).toBe(3);
  sandbox.setFaults([]);
  expect((await ended).state).toBe("succeeded");
});

test(
  "one that ends otherwise ends what follows it with exit code 3, and the units that are not complete are named",
  { timeout: 180_000 },
  async () => {
    const { id, ended } = await hanging();
    const watching = follow(id);
    await expect.poll(watching.said, { timeout: 60_000 }).toContain("running: ");
    await cancelScan(opened.database, id, "ana@example.com", new Date());
    await ended;
    const { code, stdout } = await watching.ended;
    expect(code).toBe(3);
    expect(stdout).toMatch(/Not complete:\nACCOUNT .*\n\d{12} +us-east-1 +campaign +cancelled/);
  },
);

test("a scan with thousands of units stays readable, and all of it can be had", { timeout: 180_000 }, async () => {
  const targets = Array.from({ length: 200 }, (_, i) => ({
    partition: "aws",
    account_id: String(100_000_000_000 + i),
    region: "us-east-1",
  }));
  const types = ["campaign", "filter", "dataset", "solution"] as const;
  const request = { targets, types, confirm_all: false, trigger: "api", requested_by: "ana" } as const;
  const id = (await createScan(opened.database, request, new Date()))!.scan.id;
  const error = { name: "AccessDeniedException", message: "no", operation: "ListFilters" };
  await opened.database.update(scan_units).set({ state: "complete" });
  await opened.database.update(scan_units).set({ state: "denied", error }).where(eq(scan_units.type, "filter"));
  const show = async (...more: string[]): Promise<Ended> => {
    const shown = await cli(["scans", "show", id, ...more], { cwd, env });
    expect(shown).toMatchObject({ code: 0, stderr: "" });
    return shown;
  };
  const short = (await show()).stdout;
  expect(short).toContain("  units       800 of 800 ended: 600 complete, 200 denied\n");
  expect(short.match(/denied +0/g)).toHaveLength(50);
  expect(short).toContain("ListFilters: AccessDeniedException");
  expect(short).toMatch(/And 150 more: tagwarden scans show \S+ --all-units\n$/);
  expect(short).not.toMatch(/campaign +complete/);

  const all = (await show("--all-units")).stdout;
  expect(all.match(/^\d{12} /gm)).toHaveLength(800);

  const { units, ...scan } = JSON.parse((await show("--json")).stdout) as { id: string; units: { type: string }[] };
  expect(scan).toMatchObject({ id, units_complete: 600, targets: 200 });
  expect(units).toHaveLength(800);
  expect(units.filter(({ type }) => type === "filter")).toHaveLength(200);

  const list = await cli(["scans", "list"], { cwd, env });
  expect(list.stdout).toMatch(
    /SCAN +STATE +BEGUN +TARGETS +UNITS .* CALLS +LEFT +BY\n\S+ +queued +\S+ +0\/200 +600\/800/,
  );
});
