import { readFileSync, globSync } from "node:fs";
import { posix } from "node:path";
import { expect, test } from "vitest";

/** The layers of `src`, lowest first: a file imports from its own layer and from those before it. */
const LAYERS = [
  ["log.ts", "version.ts", "terminal", "cron"],
  ["config.ts"],
  ["db", "tags"],
  ["audit-log"],
  ["inventory"],
  ["policy"],
  ["exemptions"],
  ["findings"],
  ["remediation"],
  ["reports"],
  ["audit.ts"],
  ["scan"],
  ["http"],
  ["sandbox"],
  ["worker.ts"],
  ["main.ts"],
  ["cli"],
];
/** The emulated AWS must not agree with us by sharing our code: it may know the table of types, and nothing else. */
const SANDBOX_MAY_IMPORT = "inventory/resource-types.ts";
/** Who may look at the sandbox at all. */
const MAY_START_SANDBOX = ["main.ts", "cli"];

/** Files that touch network, database, disk or clock are known by their name or their folder; all others are pure. */
const SHELL_NAMES = /(^|\/)(schema|store|load)\.ts$/;
const SHELL_FOLDERS = /(^|\/)(aws|db|http|cli|sandbox|scan)\//;
/** Steps that run a store over many rows, so they hold a transaction although they have a verb for a name. */
const SHELL_FILES = ["findings/activate.ts", "reports/scan-report.ts"];
const IMPURE_PACKAGES =
  /^(@aws-sdk\/|@smithy\/|@electric-sql\/|@hono\/|drizzle-orm|pg$|hono|pino|commander|(node:)?(fs|net|tls|http|https|http2|dgram|dns|os|process|timers|worker_threads|child_process)(\/|$))/;
const IMPURE_CALLS =
  /\bDate\.now\(|\bnew Date(\(\)|(?!\s*\())|\bMath\.random\(|\bprocess\.|\bfetch\(|\bset(Timeout|Interval|Immediate)\(|\brandom(UUID|Bytes|Int)\(/g;

type Import = { from: string; type: boolean };

/** Source without its comments. Strings are kept whole, so that a `//` in a URL is none. */
function withoutComments(text: string): string {
  const strings = /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/;
  return text.replace(new RegExp(`(${strings.source})|//.*|/\\*[\\s\\S]*?\\*/`, "g"), (_, kept?: string) => kept ?? "");
}

/** Static, side-effect, dynamic, type-position and re-exporting imports of a source text. */
function importsOf(text: string): Import[] {
  const statement = /\b(?:import|export)\s+(type\s+)?(?:[\w$*{}\s,]+?\s*from\s*)?["']([^"']+)["']/g;
  const call = /(\btypeof\s+)?\bimport\s*\(\s*["'`]([^"'`]+)["'`]/g;
  return [...text.matchAll(statement), ...text.matchAll(call)].map((m) => ({ from: m[2] ?? "", type: Boolean(m[1]) }));
}

const layerOf = (path: string) => LAYERS.findIndex((names) => names.includes(path.split("/")[0] ?? ""));
const isShell = (path: string) =>
  !path.includes("/") || SHELL_NAMES.test(path) || SHELL_FOLDERS.test(path) || SHELL_FILES.includes(path);

/** What is wrong with one file of `src`; the path is relative to it. */
function violations(path: string, source: string): string[] {
  const text = withoutComments(source);
  const top = path.split("/")[0] ?? "";
  const found: string[] = [];
  if (layerOf(path) < 0) found.push(`${top} is in no layer`);
  if (/(^|\/)index\.tsx?$/.test(path)) found.push("a barrel");
  if (/(^|\/)(utils?|common|helpers?|misc|lib)(\/|\.tsx?$)/.test(path)) found.push("a name that says nothing");
  if (text.includes("process.env") && path !== "config.ts" && top !== "cli") found.push("reads process.env");

  for (const { from, type } of importsOf(text)) {
    if (!from.startsWith(".")) {
      if (!isShell(path) && !type && IMPURE_PACKAGES.test(from)) found.push(`pure, but imports ${from}`);
      if (["http", "cli"].includes(top) && !type && /^(drizzle-orm|pg$|@electric-sql)/.test(from))
        found.push(`holds SQL: imports ${from}`);
      continue;
    }
    const to = posix.normalize(posix.join(posix.dirname(path), from));
    if (to.startsWith("..")) {
      if (to !== "../package.json") found.push(`imports ${to} from outside of src`);
    } else if (top === "sandbox") {
      if (!to.startsWith("sandbox/") && to !== SANDBOX_MAY_IMPORT) found.push(`the sandbox imports ${to}`);
    } else if (to.startsWith("sandbox/") && !MAY_START_SANDBOX.includes(top)) {
      found.push(`imports ${to}`);
    } else if (layerOf(to) > layerOf(path)) {
      found.push(`imports ${to}, which is a later layer`);
    } else if (layerOf(path) === 0 && !to.startsWith(`${top}/`)) {
      found.push(`imports ${to}, and may import nothing of ours`);
    } else if (!isShell(path) && isShell(to) && !type) {
      found.push(`pure, but imports ${to}`);
    }
  }
  if (!isShell(path)) for (const [call] of text.matchAll(IMPURE_CALLS)) found.push(`pure, but has ${call}`);
  return found;
}

const files = globSync("**/*.{ts,tsx}", { cwd: "src" }).map((path) => path.replaceAll("\\", "/"));

test("every file keeps to its layer and its kind", () => {
  expect(files.length).toBeGreaterThan(10);
  const found = files.flatMap((path) =>
    violations(path, readFileSync(`src/${path}`, "utf8")).map((v) => `${path}: ${v}`),
  );
  expect(found).toEqual([]);
});

test("every layer names something that exists", () => {
  const present = new Set(files.map((path) => path.split("/")[0]));
  expect(LAYERS.flat().filter((name) => !present.has(name))).toEqual([]);
});

test.each([
  ["inventory/a.ts", `import { judge } from "../policy/judge.ts";`, "imports policy/judge.ts, which is a later layer"],
  ["inventory/a.ts", `import "./../policy/judge.ts";`, "imports policy/judge.ts, which is a later layer"],
  [
    "inventory/a.ts",
    `const m = await import("../findings/finding.ts");`,
    "imports findings/finding.ts, which is a later layer",
  ],
  ["inventory/a.ts", `export type { X } from '../policy/judge.ts';`, "imports policy/judge.ts, which is a later layer"],
  [
    "policy/a.ts",
    `import type { Finding } from "../findings/finding.ts";`,
    "imports findings/finding.ts, which is a later layer",
  ],
  [
    "policy/a.ts",
    `type F = typeof import("../findings/finding.ts");`,
    "imports findings/finding.ts, which is a later layer",
  ],
  [
    "policy/a.ts",
    `import {\n  one,\n  two, // a comment\n} from "../scan/run.ts";`,
    "imports scan/run.ts, which is a later layer",
  ],
  ["terminal/a.ts", `import { log } from "../log.ts";`, "imports log.ts, and may import nothing of ours"],
  ["cron/a.ts", `import { UsageError } from "../config.ts";`, "imports config.ts, which is a later layer"],
  ["tags/a.ts", `import x from "../../test/support/x.ts";`, "imports ../test/support/x.ts from outside of src"],
  [
    "sandbox/a.ts",
    `import { parseArn } from "../inventory/parse-arn.ts";`,
    "the sandbox imports inventory/parse-arn.ts",
  ],
  ["sandbox/a.ts", `import { LIMITS } from "../tags/limits.ts";`, "the sandbox imports tags/limits.ts"],
  ["http/a.ts", `import { startSandbox } from "../sandbox/server.ts";`, "imports sandbox/server.ts"],
  ["http/a.ts", `import { sql } from "drizzle-orm";`, "holds SQL: imports drizzle-orm"],
  ["cli/a.ts", `import { Pool } from "pg";`, "holds SQL: imports pg"],
  ["scan/a.ts", `const url = process.env["DATABASE_URL"];`, "reads process.env"],
  ["policy/a.ts", `import { readFile } from "node:fs/promises";`, "pure, but imports node:fs/promises"],
  ["policy/a.ts", `import { eq } from "drizzle-orm";`, "pure, but imports drizzle-orm"],
  ["policy/a.ts", `import { policySets } from "./schema.ts";`, "pure, but imports policy/schema.ts"],
  ["reports/a.ts", `import { Hono } from "hono";`, "pure, but imports hono"],
  [
    "findings/a.ts",
    `import { PersonalizeClient } from "@aws-sdk/client-personalize";`,
    "pure, but imports @aws-sdk/client-personalize",
  ],
  ["findings/a.ts", `const at = new Date();`, "pure, but has new Date()"],
  ["findings/a.ts", `const at = Date.now() - 1;`, "pure, but has Date.now("],
  ["findings/a.ts", `const id = Math.random();`, "pure, but has Math.random("],
  ["findings/a.ts", `await fetch(url);`, "pure, but has fetch("],
  ["findings/a.ts", `setTimeout(run, 5);`, "pure, but has setTimeout("],
  ["tags/index.ts", `export const a = 1;`, "a barrel"],
  ["tags/utils.ts", `export const a = 1;`, "a name that says nothing"],
  ["helpers/text.ts", `export const a = 1;`, "helpers is in no layer"],
])("a violation is caught: %s with %s", (path, source, expected) => {
  expect(violations(path, source)).toContain(expected);
});

test.each([
  ["policy/a.ts", `import { userTags } from "../tags/tags.ts";\nimport { createHash } from "node:crypto";`],
  ["findings/a.ts", `import type { FindingRow } from "./schema.ts";`],
  ["findings/store.ts", `import { eq } from "drizzle-orm";\nconst at = new Date();`],
  ["findings/a.ts", `// Date.now() would be wrong here\nconst at = new Date(now.getTime()); /* fetch( */`],
  ["inventory/aws/a.ts", `setTimeout(run, 5);\nconst url = "https://example.com"; // see ../policy/x.ts`],
  ["sandbox/a.ts", `import { RESOURCE_TYPES } from "../inventory/resource-types.ts";\nimport { b } from "./b.ts";`],
  ["cli/a.ts", `import { startSandbox } from "../sandbox/server.ts";\nconst e = process.env;`],
  ["config.ts", `export const a = process.env;`],
  ["config.ts", `import { timingProblems } from "./cron/problems.ts";`],
  ["cron/a.ts", `import { b } from "./b.ts";`],
])("what is allowed passes: %s with %s", (path, source) => {
  expect(violations(path, source)).toEqual([]);
});
