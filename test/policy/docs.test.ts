import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { parseCases } from "../../src/policy/cases.ts";
import { compileCondition } from "../../src/policy/condition.ts";
import { fieldsOf, VARIABLES } from "../../src/policy/condition-environment.ts";
import { Facts } from "../../src/policy/facts.ts";
import { importConfigRule, importTagPolicies } from "../../src/policy/import-policy.ts";
import { lintPolicies } from "../../src/policy/lint.ts";
import { compilePolicies } from "../../src/policy/load.ts";
import { parseFile } from "../../src/policy/parse.ts";
import { KeyRule, Policy, policyJsonSchema } from "../../src/policy/policy.ts";
import { SubjectFields, SubjectFile, toSubject } from "../../src/policy/subject-file.ts";
import { FINDING_KINDS } from "../../src/policy/verdict.ts";
import { runCases } from "../../src/remediation/run-cases.ts";
import { uncovered } from "../../src/reports/cases-text.ts";
import { tagsFrom, type Tags } from "../../src/tags/tags.ts";
import { cli, workFolder } from "../support/cli.ts";
import { apply, judgeAndFix, NOW, problemsOf } from "./build.ts";
import { blocksOf, type Example, examplesOf, readDocument, tableAfter } from "./document.ts";

const POLICIES = readDocument("policies.md");
const BLOCKS = blocksOf(POLICIES);

function readTags(cell: string): Tags {
  const pairs = cell.replaceAll("`", "").split(", ").filter(Boolean);
  return tagsFrom(
    pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1).replace('""', "")]),
  );
}

/** What the cases of an example do not show, a line each; null: it has no cases. */
function failuresOf({ files, cases }: Example): { failures: string[]; shown: boolean } {
  const set = compilePolicies(files);
  const parsed = cases.map((text) => parseCases("cases", text));
  const report = runCases(
    set,
    parsed.flatMap(({ parsed: one }) => one ?? []),
    NOW,
  );
  const failures = [
    ...parsed.flatMap(({ problems }) => problems.map(({ line, message }) => `${line}: ${message}`)),
    ...report.files.flatMap(({ cases: results }) =>
      results.flatMap(({ name, failures: found }) => found.map(({ message }) => `${name}: ${message}`)),
    ),
  ];
  return { failures, shown: uncovered(report.coverage).length === 0 };
}

describe.each(["policies.md", "cookbook.md", "coming-from.md"])("the policies in docs/%s", (name) => {
  const examples = examplesOf(blocksOf(readDocument(name)));

  test("are some, each with another id", () => {
    expect(examples.length).toBeGreaterThanOrEqual(4);
    expect(new Set(examples.map(({ id }) => id)).size).toBe(examples.length);
  });

  test.each(examples)("$id is valid, has no warnings, and does what its cases say", (example) => {
    expect(lintPolicies(compilePolicies(example.files).files)).toEqual([]);
    expect(failuresOf(example).failures).toEqual([]);
  });
});

describe("docs/cookbook.md and docs/coming-from.md", () => {
  test.each(["cookbook.md", "coming-from.md"])("in %s every policy has cases", (name) => {
    expect(examplesOf(blocksOf(readDocument(name))).filter(({ cases }) => cases.length === 0)).toEqual([]);
  });

  test.each(examplesOf(blocksOf(readDocument("cookbook.md"))))("each rule of $id is shown both ways", (example) => {
    expect(failuresOf(example).shown).toBe(true);
  });
});

describe("docs/coming-from.md", () => {
  const blocks = blocksOf(readDocument("coming-from.md"));
  const theirs = (name: string) => blocks.find((block) => block.name === name)?.text ?? "";

  test("shows the same in the words of each of the others", () => {
    const names = blocks.map(({ name }) => name).filter((name) => !["policy", "cases"].includes(name));
    expect(names).toEqual(["custodian", "tag-policy", "config-rule", "flowpipe"]);
    expect(parseFile(theirs("custodian")).problems).toEqual([]);
  });

  test("the documents of AWS can be imported as they stand", () => {
    const source = (name: string) => ({ name, target: name, text: theirs(name) });
    const tagPolicy = importTagPolicies([source("tag-policy")], { id: "p", require: "everywhere", source: [] });
    const configRule = importConfigRule(source("config-rule"), { id: "p", source: [] });
    for (const { policy, problems } of [tagPolicy, configRule]) {
      expect(problems).toEqual([]);
      expect(problemsOf(policy ?? "")).toEqual([]);
    }
  });
});

describe("what docs/policies.md says", () => {
  const examples = examplesOf(BLOCKS);
  const rows = examples.flatMap(({ files, rows: all }) =>
    all.map(([tags = "", finds = "", repair]) => ({ files, tags, finds, repair })),
  );

  test("of tags is shown by many rows", () => expect(rows.length).toBeGreaterThanOrEqual(30));

  test("is run, block by block", () => {
    const run =
      /^(policy|cases|[\w-]+\.csv|resource\.yaml|campaign\.yaml|(policies|contradicting|changed)\/.*|exits-1)$/;
    expect(BLOCKS.filter(({ kind, name }) => !run.test(name) && !["console", "stderr"].includes(kind))).toEqual([]);
    expect(POLICIES.match(/^```/gm)).toHaveLength(BLOCKS.length * 2);
  });

  test.each(rows)("$tags", ({ files, tags, finds, repair }) => {
    const before = readTags(tags);
    const { found, fixes } = judgeAndFix(compilePolicies(files), before);
    // The table leaves out the key: the rule's name says it.
    const short = found.map((words) =>
      words
        .split(" ")
        .filter((_, index, all) => index === 0 || index === all.length - 1)
        .join(" "),
    );
    expect(short).toEqual(finds.replaceAll("`", "").split(", ").filter(Boolean));
    if (repair === "a person") expect(fixes.map(({ kind }) => kind)).toContain("review");
    else if (repair !== undefined) expect({ ...fixes.reduce(apply, before) }).toEqual({ ...readTags(repair) });
  });

  test("the error that it shows is the error that there is", () => {
    expect(problemsOf("version: 1\nid: p\n\nrule: []\n")).toContain(
      "a.yaml:4:1: unknown field `rule`. Did you mean `rules`?",
    );
    expect(problemsOf("version: 1\nid: p\nrules: [{id: r, key: K, required: \"resource.staus == 'x'\"}]\n")).toEqual([
      "a.yaml:3:45: `required`: there is no `staus` here. Did you mean `status`?",
    ]);
  });

  const subject = BLOCKS.find(({ name }) => name === "resource.yaml");
  const conditions = tableAfter(subject?.after ?? "", "| condition ");
  test.each(conditions)("%s says %s", (condition, says) => {
    const facts = new Facts(toSubject(SubjectFile.parse(parseFile(subject?.text ?? "").value), NOW));
    const answer = compileCondition(condition.replaceAll("`", "")).evaluate(facts);
    expect("value" in answer ? String(answer.value) : "unknown").toBe(says);
  });

  test("of conditions names every fact", () => {
    expect(conditions.length).toBeGreaterThanOrEqual(15);
    const facts = [
      ...VARIABLES.filter((name) => name === "now" || name === "tags"),
      ...fieldsOf("resource.x", 0, "x").map((field) => `resource.${field}`),
      ...fieldsOf("account.x", 0, "x").map((field) => `account.${field}`),
      ...fieldsOf("resource.lineage.x", 0, "x").map((field) => `.${field}`),
    ];
    expect(facts.length).toBeGreaterThan(25);
    expect(facts.filter((fact) => !new RegExp(`\`[^\`\n]*${fact.replace(".", "\\.")}\\b`).test(POLICIES))).toEqual([]);
  });

  test.each([
    ["| field                 |", Policy],
    ["| field         | default", KeyRule],
  ])("of defaults is what is filled in: %s", (head, form) => {
    const table = tableAfter(POLICIES.slice(POLICIES.indexOf(head)), head);
    const said = table.map(([field = "", fallback = ""]) => [field.replaceAll("`", ""), fallback.replaceAll("`", "")]);
    const { properties = {} } = z.toJSONSchema(form, { io: "input" }) as { properties?: Record<string, Property> };
    const filled = Object.entries(properties).flatMap(([field, { default: value }]) =>
      (typeof value === "string" || typeof value === "boolean") && field !== "severity" ? [[field, `${value}`]] : [],
    );
    expect(filled.length).toBeGreaterThan(0);
    expect(said).toEqual(expect.arrayContaining(filled));
  });

  test("names every field of a policy and of a case, and every kind of finding", () => {
    const fields = [...propertiesOf(policyJsonSchema()), ...Object.keys(SubjectFields), "expect", "changes"];
    expect(fields.length).toBeGreaterThan(50);
    const named = (word: string) => new RegExp(`\`[^\`\n]*\\b${word}\`|\`${word}\\.`).test(POLICIES);
    expect([...new Set([...fields, ...FINDING_KINDS])].filter((word) => !named(word))).toEqual([]);
  });
});

type Property = { readonly default?: unknown };

/** The names of all properties below a JSON Schema. */
function propertiesOf(schema: unknown): string[] {
  if (Array.isArray(schema)) return schema.flatMap(propertiesOf);
  if (typeof schema !== "object" || schema === null) return [];
  const properties = (schema as { properties?: object }).properties ?? {};
  return [...Object.keys(properties), ...Object.values(schema).flatMap(propertiesOf)];
}

describe("the commands in docs/policies.md", () => {
  const commands = BLOCKS.flatMap(({ kind, name, text }, index) => {
    if (kind !== "console") return [];
    const [line = "", ...output] = text.split("\n");
    const next = BLOCKS[index + 1];
    return [
      {
        words: line.replace("$ tagwarden ", "").split(" "),
        code: name === "exits-1" ? 1 : 0,
        stdout: output.join("\n"),
        stderr: next?.kind === "stderr" ? next.text : "",
      },
    ];
  });

  let folder: string;
  beforeAll(async () => {
    folder = await workFolder();
    for (const { name, text } of BLOCKS.filter((block) => /^\w+(\/[\w.-]+)?\.yaml$/.test(block.name))) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), text);
    }
  });

  test("are some", () => expect(commands.length).toBeGreaterThanOrEqual(5));

  // One after another: what one activates the next one compares with.
  test.each(commands)(
    "$words prints what the page shows",
    async ({ words, code, stdout, stderr }) => {
      const ended = await cli(words, { cwd: folder });
      expect(ended.stdout.replace(/set [0-9a-f]{64}/, "set …").trimEnd()).toBe(stdout.trimEnd());
      expect(ended.stderr).toBe(stderr);
      expect(ended.code).toBe(code);
    },
    180_000,
  );
});
