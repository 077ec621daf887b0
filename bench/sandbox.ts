// A sandbox in a process of its own, so that its work is not counted as the scanner's. Prints its URL, then obeys its standard
// input: a line `latency 50` sets the latency in milliseconds.
import { createInterface } from "node:readline";
import { startSandbox } from "../src/sandbox/server.ts";

const sandbox = await startSandbox({
  resources: Number(process.argv[2]),
  accounts: 0,
  regions: ["us-east-1"],
  never_tagged_share: 0.03,
});
const types: Record<string, number> = {};
let never_tagged = 0;
for (const { type, ever_tagged } of sandbox.resources()) {
  types[type] = (types[type] ?? 0) + 1;
  if (!ever_tagged) never_tagged++;
}
process.stdout.write(`${JSON.stringify({ url: sandbox.url, types, never_tagged })}\n`);
for await (const line of createInterface(process.stdin)) {
  const [command, value] = line.split(" ");
  if (command === "latency") sandbox.setLatency(Number(value));
}
await sandbox.close();
