import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { parse } from "yaml";
import { policiesCommand } from "../../src/cli/policies.ts";
import { parseTagPolicy } from "../../src/policy/tag-policy/parse.ts";

let folder: string;
let printed: string;
let told: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tagwarden-exchange-"));
  printed = told = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => Boolean((printed += String(text))));
  vi.spyOn(process.stderr, "write").mockImplementation((text) => Boolean((told += String(text))));
});
afterEach(async () => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
  await rm(folder, { recursive: true });
});

const run = (...args: string[]) => policiesCommand().parseAsync(args, { from: "user" });
const file = (name: string) => join(folder, name);
const write = (name: string, content: unknown) =>
  writeFile(file(name), typeof content === "string" ? content : JSON.stringify(content, null, 2));
/** What a command that is refused says. */
const refusal = async (...args: string[]): Promise<string> => {
  const error: unknown = await run(...args).catch((error: unknown) => error);
  expect(error).toMatchObject({ name: "UsageError" });
  return (error as Error).message;
};
const assign = (value: unknown) => ({ "@@assign": value });

const ROOT = {
  tags: {
    Env: {
      tag_key: { ...assign("Env"), "@@operators_allowed_for_child_policies": ["@@none"] },
      tag_value: assign(["dev", "prod"]),
    },
  },
};
const BELOW = {
  tags: { env: { tag_key: assign("ENV"), tag_value: { "@@remove": ["dev"] }, enforced_for: assign(["s3:bucket"]) } },
};

describe("policies import", () => {
  test("merges tag policies in the order of the files, and says what comes to nothing", async () => {
    await write("root.json", ROOT);
    await write("below.json", BELOW);
    await run("import", file("root.json"), file("below.json"), "--id", "org");
    expect(parse(printed)).toMatchObject({ id: "org", rules: [{ key: "Env", any_case: true, values: ["prod"] }] });
    expect(printed).toContain(`#   ${file("root.json")}\n#   ${file("below.json")}\n`);
    expect(told.split("\n")).toEqual([
      `note: ${file("below.json")}: tags.env.tag_key.@@assign: operator_blocked_by_parent: a level above does not allow \`@@assign\` here`,
      expect.stringMatching(/^note: Env: enforced_for: /),
      "",
    ]);
  });

  test("reads what is in effect, and rules of AWS Config, by what they hold or as they are said to be", async () => {
    await write("effective.json", { tags: { env: { tag_key: "Env", tag_value: ["a"] } } });
    await run("import", file("effective.json"));
    expect(parse(printed)).toMatchObject({ id: "tag-policy", rules: [{ key: "Env", values: ["a"] }] });
    printed = "";
    await write("rule.json", { tag1Key: "Owner" });
    await run("import", file("rule.json"));
    expect(parse(printed)).toMatchObject({ id: "required-tags", rules: [{ key: "Owner", required: true }] });
    expect(await refusal("import", file("effective.json"), "--from", "tag-policy")).toMatch(/missing_operator/);
    expect(await refusal("import", file("rule.json"), "--from", "tag-policy")).toMatch(/missing_tags_root/);
  });

  test("requires what is required of anything everywhere, when told", async () => {
    await write("root.json", { tags: { a: { report_required_tag_for: assign(["ec2:instance"]) } } });
    await run("import", file("root.json"), "--require", "everywhere");
    expect(parse(printed)).toMatchObject({ rules: [{ key: "a", required: true }] });
    expect(printed).toContain("--require everywhere");
  });

  test("prints every problem with its code, file, line and column, and makes nothing", async () => {
    await write("root.json", ROOT);
    await write("bad.json", '{\n  "tags": {"A": {"tag_key": {"@@assign": "B"}, "tag_valeu": {}}}\n}');
    const message = await refusal("import", file("root.json"), file("bad.json"), "--out", file("out.yaml"));
    expect(message.split("\n")).toEqual([
      `${file("bad.json")}:2:42: tag_key_mismatch: the key \`B\` is another one than \`A\`. Only letter case may differ.`,
      `${file("bad.json")}:2:48: unknown_field: there is no field \`tag_valeu\` here. Did you mean \`tag_value\`?`,
    ]);
    expect(printed).toBe("");
    await expect(readFile(file("out.yaml"))).rejects.toThrow(/ENOENT/);
  });

  test("says what is over a limit only together, and that a hundred problems are not all", async () => {
    const keys = (letter: string) =>
      Object.fromEntries(
        Array.from({ length: 30 }, (_, n) => [
          `${letter}${n}`,
          { report_required_tag_for: assign(["personalize:dataset"]) },
        ]),
      );
    await write("a.json", { tags: keys("a") });
    await write("b.json", { tags: keys("b") });
    expect(await refusal("import", file("a.json"), file("b.json"))).toBe(
      "personalize:dataset: too_many_required_keys: 60 keys together are required of `personalize:dataset`, AWS allows 50",
    );
    await write("many.json", { tags: Object.fromEntries(Array.from({ length: 120 }, (_, n) => [`k${n}`, n])) });
    expect(await refusal("import", file("many.json"))).toMatch(/many\.json: more_problems: has 20 more problems$/);
  });

  test("as JSON: the policy, what is not the same, and what is wrong; exit code 2 when something is", async () => {
    await write("root.json", ROOT);
    await write("below.json", BELOW);
    await run("import", file("root.json"), file("below.json"), "--json");
    const { policy, notes, problems } = JSON.parse(printed) as { policy: string; notes: object[]; problems: object[] };
    expect(parse(policy)).toMatchObject({ rules: [{ key: "Env" }] });
    expect(notes).toMatchObject([
      { code: "operator_blocked_by_parent", file: file("below.json"), path: "tags.env.tag_key.@@assign", key: null },
      { code: "enforced_for", file: null, key: "Env" },
    ]);
    expect(problems).toEqual([]);
    expect([told, process.exitCode]).toEqual(["", undefined]);
    printed = "";
    await write("bad.json", { tags: [] });
    await run("import", file("bad.json"), "--json");
    expect(JSON.parse(printed)).toMatchObject({
      policy: null,
      problems: [{ code: "type_mismatch", line: 2, column: 11 }],
    });
    expect(process.exitCode).toBe(2);
  });

  test("writes a file, and replaces one only when told", async () => {
    await write("root.json", ROOT);
    await run("import", file("root.json"), "--out", file("out.yaml"));
    expect(parse(await readFile(file("out.yaml"), "utf8"))).toMatchObject({ rules: [{ key: "Env" }] });
    expect(printed).toBe("");
    await write("out.yaml", "mine");
    expect(await refusal("import", file("root.json"), "--out", file("out.yaml"))).toMatch(
      /out\.yaml exists already: --force/,
    );
    expect(await readFile(file("out.yaml"), "utf8")).toBe("mine");
    await run("import", file("root.json"), "--out", file("out.yaml"), "--force");
    expect(await readFile(file("out.yaml"), "utf8")).toContain("id: tag-policy");
    expect(await refusal("import", file("root.json"), "--out", file("no/such/folder.yaml"))).toMatch(
      /cannot be written/,
    );
  });

  test("prints nothing that moves the cursor of a terminal", async () => {
    await write("root.json", { tags: { "a\u001b[2J": {}, b: { tag_value: assign(["x\u001b[2J\nid: y"]) } } });
    // eslint-disable-next-line no-control-regex
    expect(await refusal("import", file("root.json"))).not.toMatch(/\u001b/);
    await write("value.json", { tags: { b: { tag_value: assign(["x\u001b[2J\nid: y", "z"]) } } });
    await run("import", file("value.json"));
    // eslint-disable-next-line no-control-regex
    expect(printed + told).not.toMatch(/\u001b/);
    expect(parse(printed)).toMatchObject({ id: "tag-policy", rules: [{ values: ["z"] }] });
  });

  test.each<[string[], RegExp]>([
    [["import"], /Name a file, or an account with --account/],
    [["import", "x.json", "--account", "111122223333"], /--account takes the place of files/],
    [["import", "--account", "1234"], /"1234" is not an account id: it has twelve digits/],
    [["import", "x.json", "--attached"], /--attached goes with --account/],
    [["import", "x.json", "--force"], /--force goes with --out/],
    [["import", "x.json", "--id", "a/b"], /--id "a\/b": an id begins with/],
    [["import", "no-such-file.json"], /no-such-file\.json: cannot be read: ENOENT/],
  ])("%j is wrong usage, and says what to do", async (args, message) => {
    expect(await refusal(...args)).toMatch(message);
  });

  test("what is neither, or of two kinds, or not text, is wrong usage", async () => {
    await write("list.json", [1]);
    await write("root.json", ROOT);
    await write("rule.json", { tag1Key: "Owner" });
    await writeFile(file("binary.json"), Buffer.from([0xff, 0xfe, 0x00]));
    await write("large.json", " ".repeat(1024 * 1024 + 1));
    expect(await refusal("import", file("list.json"))).toMatch(/neither a tag policy.*--from/);
    expect(await refusal("import", file("root.json"), file("rule.json"))).toMatch(/tag-policy and config-rule/);
    expect(await refusal("import", file("rule.json"), file("rule.json"))).toMatch(
      /one config-rule, and these are 2 files/,
    );
    expect(await refusal("import", file("rule.json"), "--require", "everywhere")).toMatch(
      /--require goes with tag policies/,
    );
    expect(await refusal("import", file("binary.json"))).toMatch(/is not UTF-8 text/);
    expect(await refusal("import", file("large.json"))).toMatch(/is larger than 1024 KiB/);
    await write("empty.json", { tags: {} });
    expect(await refusal("import", file("empty.json"))).toBe(
      "no_policy: what is in effect says nothing about any key, and a policy has one rule at least",
    );
  });
});

describe("policies export", () => {
  const policy = (rules: string) => write("p.yaml", `version: 1\nid: p\nrules:\n${rules}`);

  test("prints a document that AWS takes, and to stderr what it cannot say, once for each reason", async () => {
    await policy(
      "  - {id: a, key: A, values: [x], severity: high}\n  - {id: b, key: B, required: true, severity: low}\n",
    );
    await run("export", folder, "--to", "tag-policy");
    expect(parseTagPolicy(printed)).toMatchObject({ problems: [], warnings: [] });
    expect(JSON.parse(printed)).toMatchObject({ tags: { A: { tag_value: { "@@assign": ["x"] } }, B: {} } });
    expect(told).toContain("not in the tag policy: severity: a tag policy has no such field: p/a, p/b\n");
    expect(process.exitCode).toBeUndefined();
  });

  test("as JSON: the document, and each thing that it cannot say with policy, rule, field and reason", async () => {
    await policy("  - {id: m, max_tags: 45}\n");
    await run("export", folder, "--json");
    expect(JSON.parse(printed)).toEqual({
      document: { tags: {} },
      not_expressible: [
        { policy: "p", rule: "m", field: "max_tags", reason: "AWS counts no tags but by its own limit" },
      ],
    });
    expect(told).toBe("");
  });

  test("stays within AWS's limit of characters, white space and all", async () => {
    const rules = Array.from({ length: 60 }, (_, n) => `  - {id: r${n}, key: Key${n}, values: [a, b, c, d, e]}\n`);
    await policy(rules.join(""));
    await run("export", folder);
    expect(printed.length).toBeLessThanOrEqual(10_000);
    expect(parseTagPolicy(printed)).toMatchObject({ problems: [], warnings: [] });
    expect(Object.keys((JSON.parse(printed) as { tags: object }).tags)).toHaveLength(60);
  });

  test("what was exported imports again", async () => {
    await policy("  - {id: a, key: Owner, values: [x, y]}\n");
    await run("export", folder);
    await write("out.json", printed);
    printed = "";
    await run("import", file("out.json"));
    expect(parse(printed)).toMatchObject({
      rules: [{ id: "Owner", key: "Owner", any_case: true, values: ["x", "y"] }],
    });
  });

  test("policies with problems are not exported", async () => {
    await policy("  - {id: a, kee: A}\n");
    await expect(run("export", folder)).rejects.toMatchObject({ name: "PolicyError" });
    expect(printed).toBe("");
  });
});
