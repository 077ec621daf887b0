import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { policiesCommand } from "../../src/cli/policies.ts";
import { PolicyError } from "../../src/policy/load.ts";

let folder: string;
let printed: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tagwarden-policies-"));
  printed = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    printed += String(text);
    return true;
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  process.exitCode = undefined;
  await rm(folder, { recursive: true });
});

const run = (...args: string[]) => policiesCommand().parseAsync(args, { from: "user" });
const write = (text: string) => writeFile(join(folder, "p.yaml"), text);
const GOOD = "version: 1\nid: p\ntitle: Room\nowner: a@b.example\nrules:\n  - {id: r, max_tags: 45}\n";

test("valid policies are listed, with the id of their set", async () => {
  await write(GOOD);
  await run("validate", folder);
  expect(printed).toMatch(/p +1 +plan +a@b\.example +Room\n/);
  expect(printed).toMatch(/valid: 1 policy, 1 rule; set [0-9a-f]{64}\n$/);
});

test("the folder may come from the environment", async () => {
  await write(GOOD);
  vi.stubEnv("TAGWARDEN_POLICIES", folder);
  await run("validate", "--json");
  expect(JSON.parse(printed)).toMatchObject({
    valid: true,
    problems: [],
    policies: [{ id: "p", title: "Room", owner: "a@b.example", remediation: "plan", rules: 1 }],
  });
  expect(process.exitCode).toBeUndefined();
});

test("problems end the command with what to print, a line each", async () => {
  await write("version: 1\nid: p\nrule: []\n");
  const error: unknown = await run("validate", folder).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(PolicyError);
  expect((error as PolicyError).message).toBe(
    `${folder}/p.yaml:1:1: \`rules\` is missing\n${folder}/p.yaml:3:1: unknown field \`rule\`. Did you mean \`rules\`?`,
  );
});

test("problems are data with --json, and the exit code is 2 all the same", async () => {
  await write("version: 1\nid: p\nrules: []\n");
  await run("validate", folder, "--json");
  expect(JSON.parse(printed)).toMatchObject({
    valid: false,
    problems: [{ path: `${folder}/p.yaml`, line: 3, column: 8, message: "`rules` is an empty list" }],
  });
  expect(process.exitCode).toBe(2);
});

test("the schema is printed as JSON", async () => {
  await run("schema");
  expect(JSON.parse(printed)).toMatchObject({
    $schema: "http://json-schema.org/draft-07/schema#",
    required: ["version", "id", "rules"],
  });
});
