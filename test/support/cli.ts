import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("../../src/cli/tagwarden.ts", import.meta.url));

/** How a command ended. */
export type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** An empty folder to run commands in, with these files in it. */
export async function workFolder(files: Record<string, string> = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "tagwarden-cli-"));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

/** Starts `tagwarden …` as a process of its own, with no environment but what is given. */
export function startCli(
  words: readonly string[],
  options: { cwd: string; env?: Record<string, string>; stdout?: number },
): { readonly process: ChildProcess; readonly ended: Promise<Ended> } {
  const child = spawn(process.execPath, [PROGRAM, ...words], {
    cwd: options.cwd,
    env: { PATH: process.env["PATH"], HOME: options.cwd, AWS_EC2_METADATA_DISABLED: "true", ...options.env },
    stdio: ["ignore", options.stdout ?? "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise<Ended>((done, fail) => {
    child.once("error", fail);
    child.once("close", (code) => done({ code, stdout, stderr }));
  });
  return { process: child, ended };
}

/** Runs `tagwarden …` to its end. */
export function cli(words: readonly string[], options: { cwd: string; env?: Record<string, string> }): Promise<Ended> {
  return startCli(words, options).ended;
}

/** The environment that points a command at a sandbox. */
export function sandboxEnvironment(url: string): Record<string, string> {
  return { AWS_ENDPOINT_URL: url, AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test", AWS_REGION: "us-east-1" };
}
