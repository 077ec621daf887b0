import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/server.ts";
import { cli, sandboxEnvironment, workFolder } from "../support/cli.ts";

const POLICY = `version: 1
id: cost
title: Who pays
rules:
  - id: owner
    key: Owner
    required: true
    severity: high
  - id: env
    key: Environment
    values: [dev, staging, prod]
`;
const EDITED = POLICY.replace("id: owner", "id: team\n    formerly: [owner]")
  .replace("severity: high", "severity: critical")
  .replace("values: [dev, staging, prod]", "values: [dev, prod]")
  .concat("  - {id: project, key: Project, required: true}\n");

let folder: string;
let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await startSandbox({ accounts: 0, regions: ["us-east-1"], resources: 60 });
  folder = await workFolder({ "cost.yaml": POLICY });
});
afterAll(() => sandbox.close());

const run = (...words: string[]) =>
  cli([...words], { cwd: folder, env: { ...sandboxEnvironment(sandbox.url), TAGWARDEN_POLICIES: folder } });

test("an edit is looked at, activated, and compared with what was before", { timeout: 240_000 }, async () => {
  expect(await run("policies", "preview")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("run `tagwarden scan` first") as string,
  });
  expect((await run("scan", "--regions", "us-east-1")).code).toBeLessThan(2);
  await writeFile(join(folder, "cost.yaml"), EDITED);
  sandbox.calls.reset();

  const preview = await run("policies", "preview");
  expect(preview).toMatchObject({ code: 0, stderr: "" });
  expect(sandbox.calls.total).toBe(0);
  expect(preview.stdout).toContain("  cost/owner → cost/team\n  + cost/project\n");
  expect(preview.stdout).toMatch(/Among 60 stored resources, \d+ findings? would open, \d+ change and 0 close\./);
  expect(preview.stdout).toMatch(/^compliant +\d+ +\d+ +-\d+$/m);
  expect(preview.stdout).toMatch(/^cost\/project +[1-9]\d* +0 +0 +0 +0$/m);
  const told = JSON.parse((await run("policies", "preview", "--json")).stdout) as {
    findings: { opens: number; changes: number };
    resources: number;
    added: string[];
  };
  expect(told).toMatchObject({ resources: 60, added: ["cost/project"] });

  const difference = await run("policies", "diff");
  expect(difference).toEqual({
    code: 1,
    stderr: "",
    stdout: `From version 1 to the files:
  cost/owner → cost/team
  + cost/project
  ~ cost/team
      severity: "high" → "critical"
  ~ cost/env
      values: ["dev","staging","prod"] → ["dev","prod"]
`,
  });

  expect((await run("policies", "activate")).code).toBe(0);
  expect((await run("policies", "diff")).code).toBe(0);
  expect((await run("policies", "diff", "1", "2", "--json")).stdout).toContain('"field": "severity"');
  expect((await run("policies", "diff", "1")).stdout).toMatch(/^From version 1 to version 2:\n/);
  expect(await run("policies", "diff", "7")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("no version 7") as string,
  });

  const versions = JSON.parse((await run("policies", "versions", "--json")).stdout) as object[];
  expect(versions).toMatchObject([
    { version: 2, active: true, activations: [{ opened: told.findings.opens, changed: told.findings.changes }] },
    { version: 1, active: false, activations: [{ opened: 0 }] },
  ]);
  expect((await run("policies", "versions")).stdout).toMatch(/^2 \* +[0-9a-f]{12} +\S+Z +\S+ +\d+ +\d+ +0$/m);

  await writeFile(join(folder, "cost.yaml"), POLICY);
  expect((await run("policies", "activate", "--confirm")).code).toBe(0);
  const back = JSON.parse((await run("policies", "versions", "--json")).stdout) as object[];
  expect(back).toMatchObject([
    { version: 2, active: false },
    { version: 1, active: true, activations: [{ opened: expect.any(Number) as number }, { opened: 0 }] },
  ]);
});
