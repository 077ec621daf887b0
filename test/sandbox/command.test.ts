import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, describe, expect, it } from "vitest";
import { sandboxes } from "./sdk.ts";

const start = sandboxes();
const running: ChildProcess[] = [];
const ENTRY = new URL("../../src/cli/tagwarden.ts", import.meta.url).pathname;

afterEach(() => {
  for (const child of running.splice(0)) child.kill("SIGKILL");
});

/** `tagwarden sandbox …` as a process. */
function tagwarden(...args: string[]) {
  const child = spawn(process.execPath, [ENTRY, "sandbox", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  running.push(child);
  return child;
}

async function outcome(...args: string[]) {
  const child = tagwarden(...args);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code: child.exitCode, stdout, stderr };
}

/** The lines to paste, as soon as they are printed. */
async function exportsOf(child: ReturnType<typeof tagwarden>): Promise<Record<string, string>> {
  let printed = "";
  for await (const chunk of child.stdout) {
    printed += String(chunk);
    if (printed.includes("AWS_REGION=") && printed.endsWith("\n")) break;
  }
  return Object.fromEntries([...printed.matchAll(/^export (\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]));
}

describe("tagwarden sandbox", () => {
  it("prints what to paste, keeps its state, and stops cleanly on Ctrl-C", async () => {
    const folder = await mkdtemp(join(tmpdir(), "sandbox-command-"));
    const args = ["--port", "0", "--resources", "50", "--accounts", "2", "--state", join(folder, "state.ndjson")];
    const count = async (url: string) =>
      (await (await fetch(`${url}/_sandbox/resources`)).text()).split("\n").length - 1;
    for (const expected of [50, 51]) {
      const child = tagwarden(...args);
      const { AWS_ENDPOINT_URL, ...others } = await exportsOf(child);
      expect(others).toEqual({
        AWS_ACCESS_KEY_ID: "AKIASANDBOX111122223333",
        AWS_SECRET_ACCESS_KEY: "sandbox-secret-key",
        AWS_REGION: "us-east-1",
      });
      expect(await count(AWS_ENDPOINT_URL!)).toBe(expected);
      const body = { account_id: "111122223333", region: "us-east-1", type: "filter", name: `run-${expected}` };
      await fetch(`${AWS_ENDPOINT_URL}/_sandbox/create`, { method: "POST", body: JSON.stringify(body) });
      child.kill("SIGINT");
      await once(child, "exit");
      expect(child.exitCode).toBe(0);
    }
    await rm(folder, { recursive: true });
  });

  it("documents every option with an example", async () => {
    const { code, stdout } = await outcome("--help");
    expect(code).toBe(0);
    const [options = "", examples = ""] = stdout.split("Examples:");
    const names = [...options.matchAll(/--[a-z-]+/g)].map(([name]) => name).filter((name) => name !== "--help");
    expect(names.length).toBeGreaterThan(9);
    expect(names.filter((name) => !examples.includes(name))).toEqual([]);
  });

  it("says what is wrong with a value, with exit code 2", async () => {
    const wrong = [
      ["--port", "http"],
      ["--resources", "2000000"],
      ["--regions", "virginia"],
      ["--unindexed", "gadget"],
      ["--never-tagged", "3"],
      ["--rate-limit", "List*=fast"],
      ["--gadgets", "1"],
    ];
    for (const args of wrong) {
      const { code, stderr } = await outcome(...args);
      expect([args, code]).toEqual([args, 2]);
      expect(stderr).toContain(args[0]);
    }
  }, 60_000);

  it("says that a port is taken and what to do, with exit code 4", async () => {
    const other = await start({ resources: 10 });
    const { code, stderr } = await outcome("--port", String(other.port));
    expect(code).toBe(4);
    expect(stderr).toContain("--port");
    expect(stderr).not.toContain("    at ");
  });
});
