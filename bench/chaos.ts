// `npm run chaos [-- SECONDS]`: four workers on one PostgreSQL scan 200 targets while they are killed at random, the database restarts
// twice and AWS throttles, drops connections and loses replies. Ends with 1 when anything is other than an undisturbed scan finds it.
import { isDeepStrictEqual } from "node:util";
import { unleash } from "../test/support/chaos.ts";

const seconds = Number(process.argv[2] ?? 300);
const after = await unleash({
  accounts: 19,
  regions: [
    "us-east-1",
    "us-east-2",
    "us-west-2",
    "ca-central-1",
    "eu-west-1",
    "eu-central-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-south-1",
    "ap-southeast-1",
  ],
  resources: 20_000,
  workers: 4,
  seconds,
  database_restarts: 2,
  seed: Number(process.argv[3] ?? 1),
  say: (line) => process.stderr.write(`${line}\n`),
});
const { kills, scans, found, expected, recorded_twice, unfinished, most_attempts } = after;
for (const { state, seconds: took, throttled } of scans)
  process.stdout.write(
    `${state} after ${took.toFixed(1)} s, ${(throttled * 100).toFixed(1)} % of its calls throttled\n`,
  );
const same = isDeepStrictEqual(found, expected);
process.stdout.write(
  `${kills} kills; ${found.length} findings, ${same ? "the same as" : `other than the ${expected.length} of`} an undisturbed scan; ${recorded_twice} recorded twice; ` +
    `${unfinished} targets or units without an end; at most ${most_attempts} attempts for a target\n`,
);
const right = same && recorded_twice === 0 && unfinished === 0 && scans.every(({ state }) => state === "succeeded");
process.exitCode = right ? 0 : 1;
