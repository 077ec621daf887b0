// The start that the README promises: `npm start` shows findings within 60 s, Ctrl-C ends it with exit code 0 within 10 s,
// and a second start still knows what the first one found.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "./free-port.mjs";

const [folder] = process.argv.slice(2);
const FINDINGS_WITHIN_MS = 60_000;
const ENDS_WITHIN_MS = 10_000;

/** Starts, waits for findings, hands the address to `look`, and ends it as Ctrl-C in a terminal does: the whole group. */
async function session(look) {
  const port = await freePort();
  const env = { ...process.env, PORT: String(port), TAGWARDEN_DATA_DIR: folder };
  const npm = spawn("npm", ["start"], { env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const { pid } = npm;
  if (pid === undefined) throw new Error("npm cannot be started");
  let output = "";
  for (const stream of [npm.stdout, npm.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  const ended = once(npm, "exit");
  const begin = Date.now();
  try {
    const address = `http://127.0.0.1:${port}`;
    for (;;) {
      if (npm.exitCode !== null) throw new Error(`npm start ended with exit code ${npm.exitCode}`);
      const findings = await list(address, "findings").catch(() => []);
      if (findings.length > 0) break;
      if (Date.now() - begin > FINDINGS_WITHIN_MS) throw new Error("no findings within 60 s");
      await sleep(500);
    }
    console.log(`findings after ${((Date.now() - begin) / 1000).toFixed(1)} s`);
    const page = await fetch(address, { headers: { accept: "text/html" } });
    const html = await page.text();
    if (!page.ok || !html.includes("<html")) throw new Error(`the dashboard answered ${page.status}`);
    await look(address);

    const stopped = Date.now();
    process.kill(-pid, "SIGINT");
    const result = await Promise.race([ended, sleep(ENDS_WITHIN_MS, null, { ref: false })]);
    if (result === null) throw new Error("still running 10 s after Ctrl-C");
    const [code, signal] = result;
    if (code !== 0) throw new Error(`Ctrl-C: exit code ${code}, signal ${signal}`);
    console.log(`Ctrl-C: exit code 0 after ${((Date.now() - stopped) / 1000).toFixed(1)} s`);
  } catch (error) {
    console.error(output);
    throw error;
  } finally {
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // The group is gone: what we want.
    }
  }
}

async function list(address, what) {
  const answer = await fetch(`${address}/api/v1/${what}`);
  if (!answer.ok) throw new Error(`GET /api/v1/${what}: ${answer.status}`);
  const { items } = await answer.json();
  return items;
}

const oldest = (scans) => scans.map((scan) => scan.id).toSorted()[0];

let first;
await session(async (address) => {
  first = oldest(await list(address, "scans"));
});
await session(async (address) => {
  const scans = await list(address, "scans");
  if (!scans.some((scan) => scan.id === first)) throw new Error(`the second start lost scan ${first}`);
  console.log("the second start kept the data");
});
