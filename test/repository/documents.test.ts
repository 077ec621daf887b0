import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { RESOURCE_TYPES } from "../../src/inventory/resource-types.ts";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { ConfigFile } from "../../src/config.ts";

const documents = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", ...globSync("docs/*.md")];
const configuration = readFileSync("docs/configuration.md", "utf8");

type JsonSchema = { properties?: Record<string, JsonSchema>; items?: JsonSchema; default?: unknown };

/** Dotted names of all fields below a schema; the elements of an array count as the array's own fields. */
function fieldsOf(schema: JsonSchema, path: string): string[] {
  const inner = schema.items ?? schema;
  if (!inner.properties) return [path];
  return Object.entries(inner.properties).flatMap(([name, field]) => fieldsOf(field, path ? `${path}.${name}` : name));
}

describe("docs/configuration.md", () => {
  const fields = fieldsOf(z.toJSONSchema(ConfigFile, { io: "input", unrepresentable: "any" }) as JsonSchema, "");

  test("it names every field of the configuration file", () => {
    expect(fields.length).toBeGreaterThan(10);
    expect(fields.filter((field) => !configuration.includes(`\`${field}\``))).toEqual([]);
  });

  test("it names no field that does not exist", () => {
    const named = [...configuration.matchAll(/`((?:targets|schedules|mass_close|remediation|limits)\.[\w.]+)`/g)];
    expect(named.map((match) => match[1] ?? "").filter((field) => !fields.includes(field))).toEqual([]);
  });

  test("its example is the file's defaults", async () => {
    const { parse } = await import("yaml");
    const example: unknown = parse(/```yaml\n([\s\S]*?)```/.exec(configuration)?.[1] ?? "");
    expect(example).toEqual(ConfigFile.parse({}));
  });

  test("it names every environment variable that the code reads", () => {
    const source = globSync(["src/config.ts", "src/cli/*.ts"]).map((path) => readFileSync(path, "utf8"));
    const names = source.flatMap((text) =>
      [...text.matchAll(/\benv(?:\.|\[")([A-Z][A-Z0-9_]+)/g)].map((m) => m[1] ?? ""),
    );
    expect(names.length).toBeGreaterThan(5);
    // The conventions of terminals are not ours to document.
    const ours = names.filter((name) => !["CI", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM"].includes(name));
    expect(ours.filter((name) => !configuration.includes(`\`${name}\``))).toEqual([]);
  });
});

describe("docs/iam.md", () => {
  test("the policy for events adds to that for scanning what describes the other types, and nothing else", () => {
    const scan = JSON.parse(readFileSync("docs/iam/scan.json", "utf8")) as {
      Statement: { Action: string | string[] }[];
    };
    const scanned = scan.Statement.flatMap(({ Action }) => Action);
    const statements = [...readFileSync("docs/iam.md", "utf8").matchAll(/```json\n([\s\S]*?)```/g)]
      .map((match) => JSON.parse(match[1] ?? "") as { Statement: { Action: string | string[] }[] })
      .map(({ Statement }) => Statement.flatMap(({ Action }) => Action).toSorted());
    const described = Object.values(RESOURCE_TYPES).map(
      ({ describe_operation }) => `personalize:${describe_operation}`,
    );
    const added = statements.find((actions) => actions.includes("personalize:DescribeFilter"));
    expect(added).toEqual(described.filter((action) => !scanned.includes(action)).toSorted());
  });
});

test("every link between documents leads somewhere", () => {
  const broken = documents.flatMap((path) =>
    [...readFileSync(path, "utf8").matchAll(/\]\(([^)\s]+)\)/g)]
      .map((match) => match[1] ?? "")
      .filter((target) => !/^(https?:|#|mailto:)/.test(target))
      .filter((target) => !existsSync(join(dirname(path), target.split("#")[0] ?? "")))
      .map((target) => `${path}: ${target}`),
  );
  expect(documents.length).toBeGreaterThan(5);
  expect(broken).toEqual([]);
});

/** The commands with their subcommands, from the files that define them: `policies.ts`, and `policies-test.ts` beside it. */
const commands = new Map(
  globSync("src/cli/*.ts").map((path) => {
    const name = path.replace(/.*\/(.*)\.ts$/, "$1");
    const text = [path, ...globSync(`src/cli/${name}-*.ts`)].map((file) => readFileSync(file, "utf8")).join("\n");
    const defined = [...text.matchAll(/(?:\.command|new Command)\(\s*"([a-z]+)/g)].map((m) => m[1] ?? "");
    return [name, defined.includes(name) ? defined.filter((one) => one !== name) : null] as const;
  }),
);

/** What a text tells someone to type and does not exist. */
function unknownCommands(path: string): string[] {
  return [...readFileSync(path, "utf8").matchAll(/(?:^|[`$(:] ?|npx )tagwarden ([a-z]+)(?: ([a-z]+)\b)?/gm)].flatMap(
    (match) => {
      const [, command = "", next] = match;
      const subcommands = commands.get(command);
      if (subcommands === undefined || subcommands === null) return [`${path}: tagwarden ${command}`];
      return next && subcommands.length > 0 && !subcommands.includes(next)
        ? [`${path}: tagwarden ${command} ${next}`]
        : [];
    },
  );
}

/** Prose, and no commands: which Node is needed, and what changed. */
const PROSE = ["CHANGELOG.md", "src/cli/tagwarden.ts"];

test("every command that a document, a message or an example tells to type exists", () => {
  const texts = [...documents, ...globSync("src/**/*.{ts,tsx}")].filter((path) => !PROSE.includes(path));
  expect([...commands.values()].filter((one) => one !== null).length).toBeGreaterThan(5);
  expect(texts.flatMap(unknownCommands)).toEqual([]);
});

test("the README's two commands stand alone on their lines, where the checks look for them", () => {
  const lines = readFileSync("README.md", "utf8").split("\n");
  expect(lines).toContain("npm ci && npm start");
  expect(lines).toContain("npm ci && npm test");
});
