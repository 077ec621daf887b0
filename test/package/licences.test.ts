import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

/** Licences under which a package may be passed on inside an image or beside a product, with no duty but to name it. */
const PERMISSIVE = new Set([
  "0BSD",
  "Apache-2.0",
  "BlueOak-1.0.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "CC0-1.0",
  "ISC",
  "MIT",
  "PostgreSQL",
  "Python-2.0",
  "Unlicense",
  "Zlib",
]);

/** Whether an SPDX expression leaves a permissive choice: any side of OR, every side of AND. */
function isPermissive(expression: string): boolean {
  const text = expression.trim().replace(/^\((.*)\)$/, "$1");
  if (text.includes(" OR ")) return text.split(" OR ").some(isPermissive);
  if (text.includes(" AND ")) return text.split(" AND ").every(isPermissive);
  return PERMISSIVE.has(text);
}

type Lock = {
  packages: Record<string, { dev?: boolean; devOptional?: boolean; optional?: boolean; license?: string }>;
};

const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as Lock;
const production = Object.entries(lock.packages).filter(([path, entry]) => path !== "" && !entry.dev);

/** The licence that an installed package declares; packages for other platforms are known from the lock file alone. */
function licenceOf(path: string, declared: string | undefined): string {
  try {
    const manifest = JSON.parse(readFileSync(`${path}/package.json`, "utf8")) as { license?: string };
    return manifest.license ?? declared ?? "none";
  } catch {
    return declared ?? "none";
  }
}

test("every production dependency may be redistributed", () => {
  const refused = production
    .map(([path, { license }]) => `${path}: ${licenceOf(path, license)}`)
    .filter((line) => !isPermissive(line.slice(line.indexOf(": ") + 2)));
  expect(production.length).toBeGreaterThan(20);
  expect(refused).toEqual([]);
});

test.each([
  ["MIT", true],
  ["(MIT OR GPL-3.0-only)", true],
  ["MIT AND GPL-3.0-only", false],
  ["AGPL-3.0-only", false],
  ["BUSL-1.1", false],
  ["none", false],
  ["SEE LICENSE IN LICENSE.md", false],
])("the licence %s passes: %s", (expression, passes) => {
  expect(isPermissive(expression)).toBe(passes);
});

test("the project's own licence is the one that its manifest names", () => {
  const { license } = JSON.parse(readFileSync("package.json", "utf8")) as { license: string };
  const text = readFileSync("LICENSE", "utf8");
  expect(license).toBe("Apache-2.0");
  expect(text).toContain("Version 2.0, January 2004");
  expect(text).toContain("END OF TERMS AND CONDITIONS");
});
