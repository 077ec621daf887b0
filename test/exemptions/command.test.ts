import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/server.ts";
import { cli, sandboxEnvironment, workFolder } from "../support/cli.ts";

const POLICY = `version: 1
id: cost-allocation
rules:
  - {id: cost-center, key: CostCenter, required: true, severity: high}
`;
const day = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
const file = (fields: string) => `version: 1
exemptions:
  - id: poc
    ${fields}
    reason: proofs of concept
    ticket: GOV-12
    requested_by: ana@example.com
    approved_by: bo@example.com
    expires: ${day(9)}
`;

let sandbox: Sandbox;
let cwd: string;
beforeAll(async () => {
  sandbox = await startSandbox({ resources: 300, accounts: 1, regions: ["us-east-1"] });
  cwd = await workFolder();
  await mkdir(join(cwd, "policies"));
  await write("p.yaml", POLICY);
});
afterAll(async () => {
  await sandbox.close();
  await rm(cwd, { recursive: true });
});

const write = (name: string, text: string) => writeFile(join(cwd, "policies", name), text);
const run = (...words: string[]) => cli(words, { cwd, env: sandboxEnvironment(sandbox.url) });
const TYPES = "campaign,filter,solution,solution-version";
const SCAN = ["scan", "--json", "--types", TYPES, "--fail-on", "high"];
type Report = { findings: { open: number; exempt: number }; compliance: { noncompliant: number; exempt: number } };
type Item = { id: string; status: string; covered_findings: number; unused: boolean; expires_at: string };

test("exemptions of files and of the command line, from the first scan to the last", { timeout: 300_000 }, async () => {
  const before = await run(...SCAN);
  expect(before).toMatchObject({ code: 1, stderr: "Activated the first set of policies: 1 rule in 1 policy.\n" });
  const { findings } = JSON.parse(before.stdout) as Report;
  expect(findings.exempt).toBe(0);
  expect(findings.open).toBeGreaterThan(3);

  await write("exemptions.yaml", file("policy: cost-alocation"));
  const nothing = await run(...SCAN);
  expect(nothing.code).toBe(1);
  expect(nothing.stderr).toBe(
    "policies/exemptions.yaml:4:13: no policy has the id `cost-alocation`. Did you mean `cost-allocation`?\n" +
      "Exemptions of the files: 1 new (poc).\n",
  );

  await write("exemptions.yaml", file("policy: cost-allocation"));
  const dry = await run("policies", "activate", "--dry-run");
  expect(dry.stdout).toContain("Exemptions of the files: 1 changed (poc).\n");
  const covered = await run(...SCAN);
  expect(covered).toMatchObject({ code: 0, stderr: "Exemptions of the files: 1 changed (poc).\n" });
  expect(JSON.parse(covered.stdout)).toMatchObject({
    findings: { open: 0, exempt: findings.open },
    compliance: { noncompliant: 0, exempt: findings.open },
  });

  await write("exemptions.yaml", "version: 1\nexemptions:\n  - id: poc\n    polcy: x\n");
  for (const words of [SCAN, ["policies", "activate"]]) {
    const broken = await run(...words);
    expect(broken).toMatchObject({ code: 2, stdout: "" });
    expect(broken.stderr).toContain("policies/exemptions.yaml:4:5: unknown field `polcy`. Did you mean `policy`?\n");
  }
  const list = await run("exemptions", "list");
  expect(list.stdout).toMatch(/^EXEMPTION +STATUS +EXPIRES +COVERS +SCOPE +WHY\n/);
  expect(list.stdout).toMatch(
    new RegExp(
      `poc +active +\\S+ +${findings.open} +ends in 9 days +policy cost-allocation +GOV-12: proofs of concept`,
    ),
  );

  const of_file = await run("exemptions", "revoke", "poc");
  expect(of_file).toMatchObject({ code: 2 });
  expect(of_file.stderr).toBe(
    "Exemption poc is said by exemptions.yaml of the policies folder: change it there, and scan or activate.\n",
  );

  await rm(join(cwd, "policies", "exemptions.yaml"));
  const activated = await run("policies", "activate");
  expect(activated).toMatchObject({ code: 0 });
  expect(activated.stdout).toContain("Exemptions of the files: 1 revoked (poc).\n");
  const shown = await run("exemptions", "show", "poc", "--json");
  expect(JSON.parse(shown.stdout)).toMatchObject({
    status: "revoked",
    history: [{ event: "created" }, { event: "changed" }, { event: "revoked" }],
  });

  const words = [
    "--rule",
    "cost-center",
    "--types",
    TYPES,
    "--reason",
    "until spring",
    "--approved-by",
    "bo@example.com",
  ];
  const added = await run("exemptions", "add", ...words, "--expires", day(30), "--json");
  expect(added.stderr).toBe("");
  const item = JSON.parse(added.stdout) as Item;
  expect(item).toMatchObject({ status: "active", source: "cli", covered_findings: findings.open });
  const exempt = await run("findings", "--status", "exempt", "--json", "--page-size", "1");
  expect(JSON.parse(exempt.stdout)).toMatchObject({
    total: { count: findings.open },
    items: [{ exemption_ids: [item.id], exempt_until: item.expires_at }],
  });

  expect(await run("exemptions", "extend", item.id, "--expires", day(60))).toMatchObject({
    code: 2,
    stderr: "It is to end later: say who accepts that, with --approved-by.\n",
  });
  const extended = await run("exemptions", "extend", item.id, "--expires", day(60), "--approved-by", "cy@example.com");
  expect(extended.stdout).toContain(`to ${day(61)}T00:00:00.000Z\n`);
  const revoked = await run("exemptions", "revoke", item.id, "--reason", "tagged by now");
  expect(revoked).toMatchObject({
    code: 0,
    stdout: `Exemption ${item.id} is revoked: what it covered counts again.\n`,
  });
  expect((await run("exemptions", "show", item.id)).stdout).toMatch(
    /created by .*\n.* changed starts_at, expires_at, approved_by by .*\n.* revoked by .*: tagged by now\n$/,
  );
  const after = JSON.parse((await run(...SCAN)).stdout) as Report;
  expect(after.findings).toMatchObject({ open: findings.open, exempt: 0 });
});

test("what is given wrong is said with the option, and nothing is done", { timeout: 120_000 }, async () => {
  const said = ["--reason", "x", "--approved-by", "bo", "--expires", day(9)];
  const cases: [string[], string][] = [
    [said, "The exemption covers everything: name at least one part of its scope.\n"],
    [["--rule", "r", ...said.slice(0, 4), "--expires", day(200)], "--expires: it lasts more than 180 days"],
    [["--types", "campain", ...said], '--types: cannot be "campain". Did you mean `campaign`?\n'],
    [["--names", "*", ...said], '--names: "*" matches every name: leave it out to mean any.\n'],
    [
      ["--rule", "r", ...said.slice(0, 4), "--expires", "soon"],
      "--expires: must be a day such as 2027-03-31, or an instant",
    ],
    [["--tags", "Stage", ...said], '--tags: "Stage" has no `=`: write key=value.\n'],
  ];
  for (const [words, message] of cases) {
    const refused = await run("exemptions", "add", ...words);
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(refused.stderr).toContain(message);
  }
  expect(await run("exemptions", "show", "none")).toMatchObject({
    code: 2,
    stderr: 'There is no exemption "none" in this database. List them: tagwarden exemptions list --status all\n',
  });
});

test("check reads files alone: problems, warnings, and what ends soon", async () => {
  const folder = await workFolder({ "p.yaml": POLICY, "exemptions.yaml": file("rule: cost-centre") });
  const check = (...words: string[]) => cli(["exemptions", "check", ...words], { cwd: folder });
  expect(await check(".")).toMatchObject({
    code: 0,
    stdout:
      "exemptions.yaml:4:11: no policy has a rule `cost-centre`. Did you mean `cost-center`?\nvalid: 1 exemption\n",
  });
  expect(await check(".", "--fail-on-expiring", "5")).toMatchObject({ code: 0 });
  const soon = await check(".", "--fail-on-expiring", "14", "--json");
  expect(soon.code).toBe(1);
  expect(JSON.parse(soon.stdout)).toMatchObject({
    valid: true,
    exemptions: 1,
    expiring: ["poc"],
    warnings: [{ line: 4 }],
  });

  await writeFile(join(folder, "exemptions.yaml"), "version: 1\nexemptions: {}\n");
  expect(await check(".")).toMatchObject({
    code: 2,
    stdout: "",
    stderr: "exemptions.yaml:2:13: `exemptions` must be a list, not a mapping\n",
  });
  const problems = await check(".", "--json");
  expect(problems.code).toBe(2);
  expect(JSON.parse(problems.stdout)).toMatchObject({ valid: false, problems: [{ line: 2, column: 13 }] });
});
