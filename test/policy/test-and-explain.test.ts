import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/server.ts";
import { cli, sandboxEnvironment, workFolder } from "../support/cli.ts";
import { describeOnBoth, openTestDatabase } from "../support/database.ts";

const POLICY = `version: 1
id: p
rules:
  - {id: owner, key: Owner, aliases: [owner], required: true, format: email, sensitive: true, fix: {variant: rename, invalid: {map: {nobody: team@example.com}}}}
  - {id: env, key: Environment, required: true, values: [dev, prod], fix: {missing: {value: dev}}}
`;
const CASES = `policy: p
cases:
  - name: good
    resource: {type: campaign}
    tags: {Owner: a@example.com, Environment: dev}
    expect: {owner: pass, env: pass}
  - name: repaired
    resource: {type: campaign}
    tags: {owner: a@example.com}
    expect: {owner: variant, env: missing}
    changes: {Owner: a@example.com, owner: null, Environment: dev}
`;

/** A folder of policies, and cases beside it, to run commands in. */
async function place(files: Record<string, string>): Promise<string> {
  const cwd = await workFolder();
  await mkdir(join(cwd, "policies"));
  for (const [name, text] of Object.entries(files)) await writeFile(join(cwd, "policies", name), text);
  return cwd;
}

describe("policies test", () => {
  test("cases that hold, and that show every rule both ways", async () => {
    const cwd = await place({ "p.yaml": POLICY, "p.test.yaml": CASES });
    expect(await cli(["policies", "test", "--coverage"], { cwd })).toEqual({
      code: 0,
      stdout: "✓ p.test.yaml (2 cases)\n\nCases: 2 passed\nRules: 2 of 2 shown both passing and finding something\n",
      stderr: "",
    });
  });

  test("cases that do not hold are shown with what was expected, what came, and their lines", async () => {
    const wrong = CASES.replace("Environment: dev}\n    expect", "Environment: stage}\n    expect").replace(
      "owner: null, Environment: dev}",
      "Environment: prod}",
    );
    const cwd = await place({ "p.yaml": POLICY, "p.test.yaml": wrong });
    const { code, stdout, stderr } = await cli(["policies", "test"], { cwd });
    expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
    expect(stdout).toBe(`✗ p.test.yaml (2 cases)
    ✗ good
        env: expected pass, got invalid: \`Environment\` has a value that is not allowed.
        policies/p.test.yaml:6
    ✗ repaired
        changes.Environment: expected "prod", and a plan would write "dev"
        policies/p.test.yaml:11
        changes.owner: expected no change, and a plan would remove it
        policies/p.test.yaml:7

Cases: 2 failed, 0 passed
Rules: 1 of 2 shown both passing and finding something
  p/env: no case in which it passes
`);
    const json = await cli(["policies", "test", "--json"], { cwd });
    expect(json.code).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({
      files: [
        {
          path: "p.test.yaml",
          cases: [
            { name: "good", line: 3, failures: [{ line: 6 }] },
            { name: "repaired", line: 7 },
          ],
        },
      ],
      coverage: [
        { policy_id: "p", rule_id: "owner", passes: true, finds: true },
        { policy_id: "p", rule_id: "env", passes: false, finds: true },
      ],
    });
  });

  test("with --coverage, a rule that no case shows finding something ends with 1 though all cases hold", async () => {
    const cwd = await place({ "p.yaml": POLICY, "p.test.yaml": CASES.slice(0, CASES.indexOf("  - name: repaired")) });
    const { code, stdout } = await cli(["policies", "test", "--coverage"], { cwd });
    expect(code).toBe(1);
    expect(stdout).toContain("Cases: 1 passed\nRules: 0 of 2 shown both passing and finding something\n");
    expect(stdout).toContain("  p/owner: no case in which it finds something\n");
    expect(await cli(["policies", "test"], { cwd })).toMatchObject({ code: 0 });
  });

  test("a folder without cases, and a broken file of cases, are wrong usage", async () => {
    const without = await place({ "p.yaml": POLICY });
    expect(await cli(["policies", "test"], { cwd: without })).toEqual({
      code: 2,
      stdout: "",
      stderr: expect.stringContaining("policies holds no cases: no file ends in .test.yaml"),
    });
    const broken = await place({ "p.yaml": POLICY, "p.test.yaml": CASES.replace("env: pass", "env: passes") });
    expect(await cli(["policies", "test"], { cwd: broken })).toEqual({
      code: 2,
      stdout: "",
      stderr: expect.stringMatching(
        /^policies\/p\.test\.yaml:6:32: `cases\[1\]\.expect\.env` cannot be `passes`\. Did you mean `pass`\?\n$/,
      ),
    });
  });
});

describe("policies validate", () => {
  const DOUBTFUL = POLICY.replace("rules:", 'applies_to: {where: "1 < 2"}\nrules:');

  test("warnings go to stderr and end with 1 when asked to be strict", async () => {
    const cwd = await place({ "p.yaml": DOUBTFUL });
    const lenient = await cli(["policies", "validate"], { cwd });
    expect(lenient).toMatchObject({
      code: 0,
      stderr: "policies/p.yaml:3:21: warning: every resource meets this condition\n",
    });
    expect(lenient.stdout).toMatch(/valid: 1 policy, 2 rules, 1 warning; set [0-9a-f]{64}\n$/);
    const strict = await cli(["policies", "validate", "--strict"], { cwd });
    expect(strict).toEqual({ ...lenient, code: 1 });
    const json = await cli(["policies", "validate", "--strict", "--json"], { cwd });
    expect(json).toMatchObject({ code: 1, stderr: "" });
    expect(JSON.parse(json.stdout)).toMatchObject({
      valid: true,
      problems: [],
      warnings: [{ path: "policies/p.yaml", line: 3 }],
    });
  });

  test("what is in order passes the strict, too", async () => {
    const cwd = await place({ "p.yaml": POLICY });
    expect(await cli(["policies", "validate", "--strict"], { cwd })).toMatchObject({ code: 0, stderr: "" });
  });
});

test("policies schema prints the schema that is kept beside the policies", async () => {
  const { stdout, code } = await cli(["policies", "schema"], { cwd: await workFolder() });
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual(JSON.parse(await readFile("policies/policy.schema.json", "utf8")));
});

const SECRET = "jane.doe@example.com";

describe("policies explain, of a file", () => {
  const file = (tags: string) => `resource: {type: campaign, name: home}\ntags: ${tags}\n`;

  test("each rule with what it saw, what it expected, why, and what would be done", async () => {
    const cwd = await place({ "p.yaml": POLICY });
    await writeFile(join(cwd, "r.yaml"), file("{Owner: team@example.com, Environment: prd}"));
    const { code, stdout, stderr } = await cli(["policies", "explain", "r.yaml"], { cwd });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toBe(`campaign home  111122223333 us-east-1  ACTIVE
arn:aws:personalize:us-east-1:111122223333:campaign/home
tags: Owner=***, Environment=prd

p/owner  pass  medium
  saw       Owner=***
  expected  required: an e-mail address
  why       \`Owner\` has a value that the rule lets pass.

p/env  invalid  medium
  saw       Environment=prd
  expected  required: one of dev, prod
  why       \`Environment\` has a value that is not allowed.
  meant     prd → prod
  fix       a person: the rule does not say what this value should be

`);
  });

  test.each([
    ["a value that passes", `{Owner: ${SECRET}}`],
    ["a value that does not", `{Owner: ${SECRET}.}`],
    ["another spelling, and its move", `{owner: ${SECRET}}`],
    ["a slip", `{Ownr: ${SECRET}}`],
  ])("the values of a sensitive key are masked: %s", async (_, tags) => {
    const cwd = await place({ "p.yaml": POLICY });
    await writeFile(join(cwd, "r.yaml"), file(tags));
    for (const words of [[], ["--json"]]) {
      const { code, stdout } = await cli(["policies", "explain", "r.yaml", ...words], { cwd });
      expect(code).toBe(0);
      expect(stdout).toContain("***");
      expect(stdout).not.toContain("jane.doe");
    }
  });

  test("what is wrong with it has its place, and a rule that is not there is said", async () => {
    const cwd = await place({ "p.yaml": POLICY });
    await writeFile(join(cwd, "r.yaml"), "resource: {type: campain}\n");
    expect(await cli(["policies", "explain", "r.yaml"], { cwd })).toEqual({
      code: 2,
      stdout: "",
      stderr: "r.yaml:1:18: `resource.type` cannot be `campain`. Did you mean `campaign`?\n",
    });
    await writeFile(join(cwd, "r.yaml"), file("{}"));
    expect(await cli(["policies", "explain", "r.yaml", "--rule", "p/ownr"], { cwd })).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringContaining("p/ownr"),
    });
    expect(await cli(["policies", "explain", "nothing.yaml"], { cwd })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("there is no such file"),
    });
  });
});

describeOnBoth("policies explain, of an ARN that is stored: %s", (kind) => {
  let sandbox: Sandbox;
  let cwd: string;
  let env: Record<string, string>;
  let database: Awaited<ReturnType<typeof openTestDatabase>> | null = null;
  beforeAll(async () => {
    sandbox = await startSandbox({ resources: 40, accounts: 0, regions: ["us-east-1"] });
    if (kind === "postgres") database = await openTestDatabase(kind);
    env = { ...sandboxEnvironment(sandbox.url), ...(database?.url && { DATABASE_URL: database.url }) };
    cwd = await place({ "p.yaml": POLICY });
  });
  afterAll(async () => {
    await sandbox.close();
    await database?.close();
  });

  const scan = () => cli(["scan", "--types", "filter", "--confirm", "all"], { cwd, env });
  const explain = (...words: string[]) => cli(["policies", "explain", ...words], { cwd, env });
  const create = (name: string, tags: Record<string, string>) =>
    sandbox.createResource(
      { account_id: sandbox.organization.management_account_id, region: "us-east-1" },
      "filter",
      name,
      tags,
    );

  test(
    "by the active policies, with sensitive values masked; what is unknown, gone or never read is said",
    { timeout: 600_000 },
    async () => {
      const arn = create("one", { owner: SECRET, Environment: "prod" });
      const going = create("two", { Owner: SECRET });
      await scan();

      const text = await explain(arn);
      expect(text).toMatchObject({ code: 0, stderr: "" });
      expect(text.stdout).toContain(arn);
      expect(text.stdout).toMatch(/p\/owner  variant/);
      expect(text.stdout).toMatch(/write Owner=\*\*\*/);
      expect(text.stdout).toMatch(/p\/env  pass/);
      const json = await explain(arn, "--json", "--rule", "p/owner");
      expect(JSON.parse(json.stdout)).toMatchObject({
        resource: { arn, type: "filter", name: "one" },
        tags: { owner: "***", Environment: "prod" },
        rules: [
          {
            rule_id: "owner",
            verdict: "violation",
            saw: { owner: "***" },
            violations: [
              {
                fix: {
                  changes: [
                    { key: "Owner", after: "***" },
                    { key: "owner", after: null },
                  ],
                },
              },
            ],
          },
        ],
      });
      for (const { stdout } of [text, json]) expect(stdout).not.toContain("jane.doe");

      // Absent once may be a list that lags behind; twice is gone.
      sandbox.deleteResource(going);
      await scan();
      await scan();
      sandbox.setFaults(
        ["GetResources", "ListTagsForResource"].map((operation) => ({ kind: "access_denied", operation })),
      );
      const unread = create("three", {});
      await scan();
      const refused = async (asked: string) => {
        const { code, stdout, stderr } = await explain(asked);
        expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
        return stderr;
      };
      expect(await refused(`${arn}-not`)).toContain("is not in the inventory. Scan first, or describe it in a file.");
      expect(await refused(going)).toContain("is gone: the last scans no longer listed it.");
      expect(await refused(unread)).toContain("its tags were never read, so there is nothing to judge.");
      expect(await refused("arn:aws:s3:::bucket")).toContain("is not the ARN of a taggable Personalize resource");
    },
  );
});
