import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { type Sandbox, sandboxCredentials, startSandbox } from "../../src/sandbox/server.ts";
import { cli, sandboxEnvironment, workFolder } from "../support/cli.ts";

let sandbox: Sandbox;
let given: { cwd: string; env: Record<string, string> };
beforeAll(async () => {
  sandbox = await startSandbox({ resources: 50 });
  given = { cwd: await workFolder(), env: sandboxEnvironment(sandbox.url) };
});
afterAll(() => sandbox.close());

const production = () => sandbox.organization.accounts.find(({ name }) => name === "storefront-prod")!.id;
const rulesOf = (text: string) => (parse(text) as { rules: Record<string, unknown>[] }).rules;

test("the policy of an account is made of what is in effect there", async () => {
  const ended = await cli(["policies", "import", "--account", production()], given);
  expect(ended.code).toBe(0);
  expect(ended.stdout).toContain(`Imported from the effective tag policy of account ${production()}`);
  expect(rulesOf(ended.stdout)).toMatchObject([
    { id: "CostCenter", values: ["CC-*"], required: "resource.type in ['dataset-group', 'solution']" },
    { id: "Environment", values: ["prod"] },
    { id: "Owner", values: ["*@example.com", "*@partner.example"], required: "resource.type in ['dataset-group']" },
    { id: "DataClass", required: "resource.type in ['dataset', 'dataset-group']" },
    { id: "tmp-run", forbidden: ["tmp-run"] },
  ]);
});

test("it is the same when what is attached is merged here, and then what came to nothing is told", async () => {
  const asked = await cli(["policies", "import", "--account", production()], given);
  const merged = await cli(["policies", "import", "--account", production(), "--attached"], given);
  expect(rulesOf(merged.stdout)).toEqual(rulesOf(asked.stdout));
  expect(merged.stdout).toMatch(/# {3}tagging-standard \(p-\w+\) at r-sb01\n# {3}production \(p-\w+\) at ou-/);
  expect(merged.stderr).toMatch(/note: production .*tags\.owner\.tag_value\.@@remove: operator_blocked_by_parent/);
  expect(asked.stderr).not.toContain("operator_blocked_by_parent");
});

test.each<[string, string[], string, number, RegExp]>([
  ["an account that is not there", ["--account", "999999999999"], "", 2, /no account 999999999999/],
  [
    "another account, asked by a member",
    ["--account", "111122223333"],
    "222233334444",
    4,
    /permission organizations:DescribeEffectivePolicy is missing/,
  ],
  [
    "a member, what is attached",
    ["--account", "222233334444", "--attached"],
    "222233334444",
    4,
    /organizations:ListParents.*docs\/iam\.md/,
  ],
])("%s: one clear message and no policy", async (_, words, caller, code, message) => {
  const { accessKeyId, secretAccessKey } = sandboxCredentials(caller);
  const keys = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  const env = caller === "" ? given.env : { ...given.env, ...keys };
  const ended = await cli(["policies", "import", ...words], { ...given, env });
  expect(ended.stderr).toMatch(message);
  expect(ended.stderr).not.toMatch(/\n\s+at .*:\d+:\d+|node:internal/);
  expect(ended).toMatchObject({ code, stdout: "" });
});

test("an organization without tag policies has nothing to import", async () => {
  const none = await startSandbox({ resources: 50, tag_policies: [] });
  const env = sandboxEnvironment(none.url);
  const words = ["policies", "import", "--account", "111122223333"];
  const both = [await cli(words, { ...given, env }), await cli([...words, "--attached"], { ...given, env })];
  await none.close();
  for (const { code, stderr } of both) {
    expect(code).toBe(2);
    expect(stderr).toMatch(/No tag policy holds for account 111122223333/);
  }
});

test("files need neither AWS nor a configuration; a document with a mistake ends with exit code 2", async () => {
  const cwd = await workFolder({
    "root.json": '{"tags": {"Owner": {"tag_value": {"@@assign": ["*@example.com"]}}}}',
    "bad.json": '{"tags": {"Owner": {"tag_value": ["a"]}, "b": {"enforced_for": {}}}}',
    "tagwarden.yaml": "nonsense: [",
  });
  const env = { AWS_ENDPOINT_URL: "http://127.0.0.1:9" };
  const made = await cli(["policies", "import", "root.json"], { cwd, env });
  expect(made).toMatchObject({ code: 0, stderr: "" });
  expect(rulesOf(made.stdout)).toMatchObject([{ key: "owner", values: ["*@example.com"] }]);
  const refused = await cli(["policies", "import", "bad.json"], { cwd, env });
  expect(refused).toMatchObject({ code: 2, stdout: "" });
  expect(refused.stderr).toMatch(/^bad\.json:1:34: missing_operator: [^\n]*\n$/);
});
