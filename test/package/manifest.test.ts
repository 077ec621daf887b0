import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

type Manifest = {
  engines: { node: string };
  allowScripts: Record<string, boolean>;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
};

const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Manifest;

test("every version is pinned: an old npm would otherwise choose an older major for an old Node", () => {
  const versions = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
  expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([]);
});

test("the lock file agrees with the manifest", () => {
  const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as { packages: { "": Partial<Manifest> } };
  const { dependencies, devDependencies, engines } = lock.packages[""];
  expect({ dependencies, devDependencies, engines }).toEqual({
    dependencies: manifest.dependencies,
    devDependencies: manifest.devDependencies,
    engines: manifest.engines,
  });
});

test("the image, the manifest, the command and the runtime that npm ci brings agree on the major version of Node", () => {
  const [needed] = /\d+/.exec(manifest.engines.node) ?? [];
  const images = [...readFileSync("Dockerfile", "utf8").matchAll(/^FROM node:(\d+)/gm)].map((match) => match[1]);
  const command = /const NEEDED = (\d+)/.exec(readFileSync("src/cli/tagwarden.ts", "utf8"))?.[1];
  expect(images).toEqual([needed, needed]);
  expect(command).toBe(needed);
  expect(manifest.devDependencies["node"]?.split(".")[0]).toBe(needed);
  expect(process.versions.node.split(".")[0]).toBe(needed);
});
