// Starts the command of the image, on a sandbox because there is no AWS here, waits for its HEALTHCHECK to pass, and stops it as
// an engine does, with SIGTERM.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "./free-port.mjs";

const [entrypoint, command, healthcheck] = process.argv.slice(2).map((text) => JSON.parse(text));
const env = { ...process.env, PORT: String(await freePort()) };
const service = spawn(entrypoint[0], [...entrypoint.slice(1), ...command, "--sandbox"], {
  env,
  stdio: ["ignore", "inherit", "inherit"],
});
const ended = once(service, "exit");
const begin = Date.now();
for (;;) {
  if (service.exitCode !== null) throw new Error(`the service ended with exit code ${service.exitCode}`);
  if (spawnSync(healthcheck[0], healthcheck.slice(1), { env }).status === 0) break;
  if (Date.now() - begin > 120_000) {
    service.kill("SIGKILL");
    throw new Error("the HEALTHCHECK did not pass within 120 s");
  }
  await sleep(500);
}
console.log(`healthy after ${((Date.now() - begin) / 1000).toFixed(1)} s`);
service.kill("SIGTERM");
const timer = setTimeout(() => service.kill("SIGKILL"), 10_000);
const [code, signal] = await ended;
clearTimeout(timer);
if (code !== 0) throw new Error(`after SIGTERM: exit code ${code}, signal ${signal}; 0 within 10 s was expected`);
console.log("SIGTERM: exit code 0");
