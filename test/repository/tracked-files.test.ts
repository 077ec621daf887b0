import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { homedir, hostname } from "node:os";
import { expect, test } from "vitest";

const tracked = execFileSync("git", ["ls-files", "-z"], { encoding: "utf8" })
  .split("\0")
  .filter((path) => path && existsSync(path) && !/\.(png|jpg|ico|woff2)$/.test(path));

/** Lines of tracked files that hold any of the texts. */
function linesWith(texts: readonly (string | RegExp)[], files = tracked): string[] {
  return files.flatMap((path) =>
    readFileSync(path, "utf8")
      .split("\n")
      .filter((line) => texts.some((text) => (typeof text === "string" ? line.includes(text) : text.test(line))))
      .map((line) => `${path}: ${line.trim().slice(0, 160)}`),
  );
}

test("no tracked file names a folder or the name of the machine that it was written on", () => {
  // Short names, such as /app or a host called "build", are words that a file may well hold for other reasons.
  const own = [process.cwd(), homedir(), hostname()].filter((text) => text.length > 8 && !text.startsWith("localhost"));
  const foreign = [/(^|[^\w.])\/(home|Users|root|work)\/[a-z]/, /[A-Z]:\\Users\\/];
  expect(tracked.length).toBeGreaterThan(50);
  expect(linesWith([...own, ...foreign])).toEqual([]);
});

test("the lock file names no registry but npm's own", () => {
  const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as {
    packages: Record<string, { resolved?: string }>;
  };
  const elsewhere = Object.entries(lock.packages).filter(
    ([, { resolved }]) => resolved !== undefined && !resolved.startsWith("https://registry.npmjs.org/"),
  );
  expect(elsewhere).toEqual([]);
  expect(
    linesWith(
      [/registry\s*=/, /_authToken|_password/],
      tracked.filter((path) => path.endsWith("npmrc")),
    ),
  ).toEqual([]);
});

test("no tracked file holds a credential", () => {
  // Access keys of the documentation and of the sandbox are known for what they are.
  const harmless = /EXAMPLE|SANDBOX/i;
  const found = linesWith([
    /\b(AKIA|ASIA)[A-Z0-9]{16}\b/,
    /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
    /\bgh[pousr]_[A-Za-z0-9]{30,}/,
  ]);
  expect(found.filter((line) => !harmless.test(line))).toEqual([]);
});

test("nothing that is built or kept by a running program is tracked", () => {
  expect(
    tracked.filter((path) => /^(dist|node_modules|\.tagwarden|coverage)\//.test(path) || path.endsWith(".log")),
  ).toEqual([]);
});
