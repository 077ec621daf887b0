import { globSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { AWS_REASONS } from "../../../src/policy/tag-policy/problem.ts";
import { cli, type Ended, workFolder } from "../../support/cli.ts";

const DOCUMENT = readFileSync(new URL("../../../docs/tag-policies.md", import.meta.url), "utf8");
/** Fenced blocks: language, name, text. */
const BLOCKS = [...DOCUMENT.matchAll(/^```(\w+)(?: (\S+))?\n([\s\S]*?)^```$/gm)].map((match, index) => ({
  index,
  kind: match[1] ?? "",
  name: match[2],
  text: match[3] ?? "",
}));
const COMMANDS = BLOCKS.filter(({ kind }) => kind === "console").map(({ index, text }) => {
  const [line = "", ...output] = text.split("\n");
  const next = BLOCKS[index + 1];
  return {
    words: line.replace("$ tagwarden ", "").split(" "),
    stdout: output.join("\n"),
    stderr: next?.kind === "stderr" ? next.text : "",
  };
});

let folder: string;
beforeAll(async () => {
  folder = await workFolder();
  for (const { name, text } of BLOCKS) {
    if (name === undefined) continue;
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
});

describe("docs/tag-policies.md", () => {
  test("shows commands, and names every file that they read", () => {
    expect(COMMANDS).toHaveLength(4);
    const files = COMMANDS.flatMap(({ words }) => words).filter((word) => word.endsWith(".json"));
    expect(files.filter((file) => !BLOCKS.some(({ name }) => name === file))).toEqual([]);
  });

  test.each(COMMANDS)("$words prints what the page shows", async ({ words, stdout, stderr }) => {
    const ended: Ended = await cli(words, { cwd: folder });
    expect(ended.stdout).toBe(stdout);
    expect(ended.stderr).toBe(stderr);
    expect(ended.code).toBe(words.includes("mistakes.json") ? 2 : 0);
  });

  test("names every code of a mistake, and every note", () => {
    const codes = Object.keys(AWS_REASONS);
    const source = readFileSync(new URL("../../../src/policy/tag-policy/to-policy.ts", import.meta.url), "utf8");
    const notes = [...source.matchAll(/^ {4}\| "(\w+)"$/gm)].map((match) => match[1] ?? "");
    expect(notes.length).toBeGreaterThan(4);
    expect([...codes, ...notes].filter((code) => !DOCUMENT.includes(`\`${code}\``))).toEqual([]);
  });
});

test("docs/iam.md allows what is asked of Organizations, and no more", () => {
  const permissions = readFileSync(new URL("../../../docs/iam.md", import.meta.url), "utf8");
  const named = [...permissions.matchAll(/"organizations:(\w+)"/g)].map((match) => match[1] ?? "");
  const asked = globSync("src/inventory/aws/organization*.ts").flatMap((path) =>
    [...readFileSync(path, "utf8").matchAll(/new sdk\.(\w+)Command/g)].map((match) => match[1] ?? ""),
  );
  expect(asked.length).toBeGreaterThan(4);
  expect(named.toSorted()).toEqual(asked.toSorted());
});
