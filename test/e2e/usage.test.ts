import { existsSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/server.ts";
import { cli, sandboxEnvironment, startCli, workFolder } from "../support/cli.ts";
import { openTestDatabase } from "../support/database.ts";

const POLICY = "version: 1\nid: p\ntitle: P\nrules:\n  - {id: owner, key: Owner, required: true}\n";

let sandbox: Sandbox;
let env: Record<string, string>;
let database: Awaited<ReturnType<typeof openTestDatabase>>;
beforeAll(async () => {
  database = await openTestDatabase("postgres");
  sandbox = await startSandbox({ resources: 60, accounts: 0, regions: ["us-east-1"] });
  // A server, because an embedded database takes seconds to make, and most of these never come to use it.
  env = { ...sandboxEnvironment(sandbox.url), DATABASE_URL: database.url ?? "" };
});
afterAll(async () => {
  await sandbox.close();
  await database.close();
});

/** One clear message on stderr, nothing on stdout, and no stack trace. */
function expectRefusal(ended: { code: number | null; stdout: string; stderr: string }, code: number, message: RegExp) {
  expect(ended.stderr).toMatch(message);
  expect(ended.stderr).not.toMatch(/\n\s+at .*:\d+:\d+|node:internal/);
  expect(ended.stdout).toBe("");
  expect(ended.code).toBe(code);
}

test.each<[string, string[], Record<string, string>, RegExp]>([
  ["an unknown command", ["scam"], {}, /unknown command 'scam'.*Did you mean scan/s],
  ["a command without its subcommand", ["plans"], {}, /Usage: tagwarden plans/],
  ["a mistake without a near word", ["scan", "--zzz"], {}, /unknown option '--zzz'\n.*tagwarden scan --help/],
  [
    "a subcommand's argument that is absent",
    ["plans", "show"],
    {},
    /missing required argument 'plan'\n.*tagwarden plans show --help/,
  ],
  ["an unknown option", ["scan", "--region", "us-east-1"], {}, /unknown option '--region'.*Did you mean --regions/s],
  [
    "a severity that is none",
    ["scan", "--fail-on", "urgent"],
    {},
    /'urgent' is invalid. Allowed choices are low, medium, high, critical/,
  ],
  [
    "a resource type that is none",
    ["scan", "--types", "campain"],
    {},
    /"campain" is not a resource type. Did you mean campaign\?/,
  ],
  [
    "an account id with a digit too few",
    ["scan", "--accounts", "12345678901"],
    {},
    /not an account id: it has twelve digits/,
  ],
  ["another account and no role", ["scan", "--accounts", "999988887777"], {}, /set targets.role in tagwarden.yaml/],
  ["an empty item in a list", ["scan", "--types", "campaign,,solution"], {}, /has an empty item/],
  ["a folder without policies", ["scan", "--policies", "nowhere"], {}, /nowhere/],
  ["a plan before any scan", ["plan"], {}, /No policies are active yet: run `tagwarden scan`/],
  ["a scan that is not there", ["scans", "show", "nothing"], {}, /There is no scan "nothing"/],
  ["a page size that is none", ["scans", "list", "--page-size", "many"], {}, /--page-size.*'many'.*from 1 to 500/],
  ["a page of nothing", ["findings", "--page-size", "0"], {}, /--page-size.*'0'.*from 1 to 500/],
  ["a page too large", ["findings", "--page-size", "501"], {}, /--page-size.*'501'.*from 1 to 500/],
  ["a page token of scans that is none", ["scans", "list", "--page-token", "x"], {}, /--page-token.*first page/],
  ["a page token of findings that is none", ["findings", "--page-token", "x"], {}, /--page-token.*first page/],
  ["a port that is none", ["serve"], { PORT: "eighty" }, /PORT is "eighty"/],
  ["a port of the metrics that is none", ["worker"], { METRICS_PORT: "many" }, /METRICS_PORT is "many"/],
  [
    "a database that is none",
    ["scan"],
    { DATABASE_URL: "mysql://localhost/x" },
    /DATABASE_URL has to begin with postgres/,
  ],
  [
    "a configuration file that is not there",
    ["scan"],
    { TAGWARDEN_CONFIG: "absent.yaml" },
    /absent.yaml: cannot be read/,
  ],
])("%s: exit code 2 and one clear message", async (_, words, more, message) => {
  const cwd = await workFolder();
  const policies = join(await workFolder({ "p.yaml": POLICY }));
  expectRefusal(await cli(words, { cwd, env: { ...env, TAGWARDEN_POLICIES: policies, ...more } }), 2, message);
});

test.each<[string, string, RegExp]>([
  ["an unknown field", POLICY.replace("key:", "kee:"), /p.yaml:5:\d+: .*kee.*key/s],
  [
    "a pattern that is none",
    POLICY.replace("required: true", "required: true, pattern: '['"),
    /p.yaml:5:\d+: .*pattern/s,
  ],
  ["broken YAML", "rules: [", /p.yaml:\d+:\d+: /],
  ["a reserved key", POLICY.replace("key: Owner", "key: 'aws:owner'"), /p.yaml:5:\d+: .*aws:/s],
  [
    "a condition that looks at what is not there",
    POLICY.replace("required: true", "required: \"tag.A == 'b'\""),
    /p.yaml:5:\d+: .*`tag` is not known here\. Did you mean `tags`\?/s,
  ],
])("a policy with %s: exit code 2, with file, line and column", async (_, text, message) => {
  const cwd = await workFolder({ "p.yaml": text });
  expectRefusal(await cli(["scan", "--policies", "."], { cwd, env }), 2, message);
});

test("a configuration with two mistakes: both are named with their places", async () => {
  const cwd = await workFolder({ "tagwarden.yaml": "targets:\n  acounts: []\nlimits:\n  patience_seconds: -1\n" });
  expectRefusal(await cli(["scan"], { cwd, env }), 2, /tagwarden.yaml:2:3: .*\ntagwarden.yaml:4:21: /s);
});

test.each<[string, string[], Record<string, string>, RegExp]>([
  [
    "no endpoint answers",
    ["scan"],
    { AWS_ENDPOINT_URL: "http://127.0.0.1:9" },
    /Nothing answers at http:\/\/127.0.0.1:9/,
  ],
  [
    "no credentials are there",
    ["scan"],
    { AWS_ENDPOINT_URL: "", AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "" },
    /No AWS credentials were found/,
  ],
  [
    "no database answers",
    ["scan"],
    { DATABASE_URL: "postgres://u:secret@127.0.0.1:9/x" },
    /postgres:\/\/u@127.0.0.1:9\/x cannot be reached/,
  ],
])("when %s, it cannot begin: exit code 4", async (_, words, more, message) => {
  const cwd = await workFolder({ "p.yaml": POLICY });
  const ended = await cli(words, { cwd, env: { ...env, TAGWARDEN_POLICIES: ".", ...more } });
  expectRefusal(ended, 4, message);
  expect(ended.stderr).not.toContain("secret");
});

test("a changed set of policies is not used before it is told to be, and the difference is shown", async () => {
  const cwd = await workFolder({ "p.yaml": POLICY });
  const own = await openTestDatabase("postgres");
  onTestFinished(own.close);
  const given = { cwd, env: { ...env, DATABASE_URL: own.url ?? "", TAGWARDEN_POLICIES: "." } };
  expect((await cli(["scan", "--types", "campaign"], given)).code).toBe(0);
  const changed = await workFolder({ "p.yaml": POLICY.replace("id: owner, key: Owner", "id: team, key: Team") });
  const refused = await cli(["scan", "--types", "campaign", "--policies", changed], given);
  expectRefusal(refused, 2, /\+ p\/team\n {2}- p\/owner\n.*--activate/s);
  expect((await cli(["scan", "--types", "campaign", "--policies", changed, "--activate"], given)).code).toBe(0);
  expectRefusal(await cli(["apply", "not-a-plan"], given), 2, /not-a-plan/);
});

test("findings at or above the severity asked for: exit code 1; something unread wins with 3", async () => {
  const cwd = await workFolder({ "p.yaml": POLICY });
  const own = await openTestDatabase("postgres");
  onTestFinished(own.close);
  const given = { cwd, env: { ...env, DATABASE_URL: own.url ?? "", TAGWARDEN_POLICIES: "." } };
  const found = await cli(["scan", "--fail-on", "medium", "--json"], given);
  expect(found.code).toBe(1);
  expect(JSON.parse(found.stdout)).toMatchObject({ state: "succeeded", remediation: { planned: 0 }, warnings: [] });
  expect((await cli(["scan", "--fail-on", "high"], given)).code).toBe(0);
  sandbox.setFaults([{ kind: "access_denied", operation: "ListFilters" }]);
  const partial = await cli(["scan", "--fail-on", "medium", "--json"], given);
  sandbox.setFaults([]);
  expect(partial.code).toBe(3);
  const { state, units } = JSON.parse(partial.stdout) as {
    state: string;
    units: { type: string; state: string; error: { name: string } }[];
  };
  expect(state).toBe("partial");
  expect(units.find(({ type }) => type === "filter")).toMatchObject({
    state: "denied",
    error: { name: "AccessDeniedException" },
  });
});

test("data of a sandbox and of real AWS never share a database", async () => {
  const cwd = await workFolder({ "p.yaml": POLICY });
  const place = { DATABASE_URL: "", TAGWARDEN_DATA_DIR: "data", TAGWARDEN_POLICIES: "." };
  expect((await cli(["scan", "--types", "filter"], { cwd, env: { ...env, ...place } })).code).toBe(0);
  const real = await cli(["findings"], { cwd, env: place });
  expectRefusal(real, 2, /holds the data of a sandbox/);
});

test("every command explains itself with an example", async () => {
  const cwd = await workFolder();
  const top = await cli(["--help"], { cwd });
  expect(top.code).toBe(0);
  const commands = [...top.stdout.matchAll(/^ {2}([a-z]+) .*$/gm)].map((match) => match[1] ?? "");
  expect(commands).toEqual(
    expect.arrayContaining(["scan", "serve", "plan", "apply", "findings", "policies", "sandbox"]),
  );
  for (const command of commands) {
    const help = await cli([command, "--help"], { cwd });
    expect(help.code).toBe(0);
    expect(help.stdout).toContain("tagwarden ");
    if (!help.stdout.includes("Commands:")) expect(help.stdout).toMatch(/Examples?:/);
  }
});

test.each([
  [["findings", "--csv"], 0],
  [["findings", "--json", "--page-size", "500"], 0],
  [["scan", "--types", "campaign"], 0],
  [["policies", "schema"], 0],
])("%s into a reader that has read enough ends quietly, and does what it was told", async (words, code) => {
  const cwd = await workFolder({ "p.yaml": POLICY });
  const given = { cwd, env: { ...env, TAGWARDEN_POLICIES: "." } };
  await cli(["scan"], given);
  const { process: child, ended } = startCli(words, given);
  child.stdout?.destroy();
  expect(await ended).toMatchObject({ code, stderr: "" });
});

test.skipIf(!existsSync("/dev/full"))("output that cannot be written: exit code 3 and one clear message", async () => {
  const cwd = await workFolder();
  const full = await open("/dev/full", "w");
  onTestFinished(() => full.close());
  const ended = await startCli(["policies", "schema"], { cwd, env, stdout: full.fd }).ended;
  expectRefusal(ended, 3, /^The output could not be written: ENOSPC[^\n]*\n$/);
});

test("what a changed set would open and close is shown before it is used, for people and for programs", async () => {
  const cwd = await workFolder({ "p.yaml": POLICY });
  const own = await openTestDatabase("postgres");
  onTestFinished(own.close);
  const given = { cwd, env: { ...env, DATABASE_URL: own.url ?? "", TAGWARDEN_POLICIES: "." } };
  const dryRun = ["policies", "activate", "--dry-run"];
  expect((await cli(dryRun, given)).stdout).toMatch(/No policies are active yet/);
  expect((await cli(["scan"], given)).code).toBe(0);
  expect((await cli(dryRun, given)).stdout).toMatch(/These policies are the active ones/);
  const changed = await workFolder({ "p.yaml": POLICY.replace("id: owner, key: Owner", "id: team, key: Team") });
  const text = await cli([...dryRun, changed], given);
  expect(text.stdout).toMatch(/\+ p\/team\n {2}- p\/owner\n.*opens 60 and closes \d+ among 60 stored/s);
  const { added, removed, preview } = JSON.parse((await cli([...dryRun, "--json", changed], given)).stdout) as {
    added: string[];
    removed: string[];
    preview: { opens: number; closes: number };
  };
  expect({ added, removed }).toEqual({ added: ["p/team"], removed: ["p/owner"] });
  expect(text.stdout).toContain(`opens ${preview.opens} and closes ${preview.closes} `);
  expect((await cli(["policies", "activate", changed], given)).code).toBe(0);
  const found = JSON.parse((await cli(["findings", "--json"], given)).stdout) as { total: { count: number } };
  expect(found.total.count).toBe(preview.opens);
});
