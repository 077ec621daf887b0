import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { workFolder } from "../support/cli.ts";

const PROGRAM = fileURLToPath(new URL("../../src/cli/tagwarden.ts", import.meta.url));

test("a command on the embedded database spends nothing on optimizing it, which takes longer than most commands", async () => {
  const cwd = await workFolder();
  // Node says of each function of each module of WebAssembly by which of its compilers it was compiled.
  const words = ["--trace-wasm-compilation-times", PROGRAM, "migrate"];
  const { stdout } = await promisify(execFile)(process.execPath, words, {
    cwd,
    env: { PATH: process.env["PATH"], HOME: cwd },
    maxBuffer: 64 * 1024 * 1024,
  });
  expect(stdout).toContain("The embedded database is up to date.");
  const compiled = [...stdout.matchAll(/^Compiled function (\w+)#\d+ using (\w+)/gm)];
  // Node has modules of its own, such as the one that strips types; PostgreSQL is much larger.
  const modules = [...Map.groupBy(compiled, ([, module]) => module).values()];
  const database = modules.toSorted((a, b) => b.length - a.length)[0] ?? [];
  expect(database.length).toBeGreaterThan(2000);
  expect(new Set(database.map(([, , compiler]) => compiler))).toEqual(new Set(["Liftoff"]));
});
