import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { ListAccountsCommand, OrganizationsClient } from "@aws-sdk/client-organizations";
import {
  GetResourcesCommand,
  GetTagKeysCommand,
  ResourceGroupsTaggingAPIClient,
} from "@aws-sdk/client-resource-groups-tagging-api";
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

  it("makes the world that its options ask for", async () => {
    const options =
      "--port 0 --seed 5 --resources 400 --accounts 1 --regions eu-central-1 --never-tagged 0 --unindexed filter " +
      "--rate-limit GetTagKeys=1/0 --latency 60 --suspended 2 --lag 60000";
    const child = tagwarden(...options.split(" "));
    const { AWS_ENDPOINT_URL, AWS_REGION } = await exportsOf(child);
    expect(AWS_REGION).toBe("eu-central-1");
    const settings = {
      endpoint: AWS_ENDPOINT_URL!,
      region: AWS_REGION!,
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
      maxAttempts: 1,
    };
    const tagging = new ResourceGroupsTaggingAPIClient(settings);
    const began = performance.now();
    await tagging.send(new GetTagKeysCommand({}));
    expect(performance.now() - began).toBeGreaterThanOrEqual(55);
    await expect(tagging.send(new GetTagKeysCommand({}))).rejects.toMatchObject({ name: "ThrottledException" });
    const { Accounts } = await new OrganizationsClient(settings).send(new ListAccountsCommand({}));
    expect(Accounts?.map(({ State }) => State)).toEqual(["ACTIVE", "ACTIVE", "SUSPENDED", "SUSPENDED"]);
    const filters = await tagging.send(new GetResourcesCommand({ ResourceTypeFilters: ["personalize:filter"] }));
    expect(filters.ResourceTagMappingList).toEqual([]);
    const lines = (await (await fetch(`${AWS_ENDPOINT_URL}/_sandbox/resources`)).text()).trim().split("\n");
    expect(lines).toHaveLength(400);
    expect(lines.every((line) => line.includes(":eu-central-1:") && line.includes('"ever_tagged":true'))).toBe(true);
    const body = {
      account_id: "111122223333",
      region: "eu-central-1",
      type: "campaign",
      name: "late",
      tags: { a: "b" },
    };
    const made = await fetch(`${AWS_ENDPOINT_URL}/_sandbox/create`, { method: "POST", body: JSON.stringify(body) });
    const { arn } = (await made.json()) as { arn: string };
    const late = await tagging.send(new GetResourcesCommand({ ResourceARNList: [arn] }));
    expect(late.ResourceTagMappingList).toEqual([]);
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
