import { Command, InvalidArgumentError } from "commander";
import type { ResourceType } from "../inventory/resource-types.ts";
import { RESOURCE_TYPE_NAMES } from "../inventory/resource-types.ts";
import type { RateLimit, Sandbox } from "../sandbox/server.ts";
import { sandboxCredentials, startSandbox } from "../sandbox/server.ts";
import { offeredRegions } from "../scan/regions.ts";

type Options = {
  port: number;
  host: string;
  seed: number;
  resources: number;
  accounts: number;
  suspended: number;
  emptyPages?: boolean;
  regions?: string[];
  neverTagged?: number;
  unindexed?: ResourceType[];
  latency: number;
  lag: number;
  trailLag: number;
  rateLimit?: Record<string, RateLimit>;
  state?: string;
};

const EXAMPLES = `
Examples:
  tagwarden sandbox
  tagwarden sandbox --host 0.0.0.0 --port 4570 --seed 7 --resources 10000
  tagwarden sandbox --accounts 0 --regions us-east-1              one account, one region
  tagwarden sandbox --accounts 30 --suspended 1                   two pages of ListAccounts, one account closed
  tagwarden sandbox --accounts 99 --regions all --empty-pages     100 accounts in 11 regions
  tagwarden sandbox --latency 50 --lag 30000                      50 ms a call; the index shows a change 30 s later
  tagwarden sandbox --trail-lag 300000                            CloudTrail shows a call five minutes later
  tagwarden sandbox --never-tagged 0.03 --unindexed solution-version,data-deletion-job
  tagwarden sandbox --rate-limit 'List*=50/10,GetResources=150/15'  a burst of 50 lists, then 10/s of each
  tagwarden sandbox --state .tagwarden/sandbox.ndjson             changes are there again at the next start

While it runs:
  curl -s localhost:4566/_sandbox/resources | head -1
  curl -s localhost:4566/_sandbox/faults -d '[{"kind": "throttle", "operation": "List*", "share": 0.2}]'`;

/** `tagwarden sandbox`: an emulated AWS until Ctrl-C. */
export function sandboxCommand(): Command {
  return new Command("sandbox")
    .description(
      "Run an emulated AWS (Personalize, Resource Groups Tagging API, STS, Organizations, CloudTrail) with a seeded organization.",
    )
    .option("--port <number>", "port to listen on; 0 takes any free one", wholeNumber(0, 65_535), 4566)
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--seed <number>", "the same seed gives the same world", wholeNumber(0, 0xffff_ffff), 1)
    .option("--resources <number>", "resources over all accounts and regions", wholeNumber(0, 1_000_000), 1000)
    .option("--accounts <number>", "member accounts beside the management account", wholeNumber(0, 10_000), 6)
    .option("--suspended <number>", "further members that are suspended", wholeNumber(0, 1000), 0)
    .option("--empty-pages", "an empty page between any two of a list of the organization, as AWS may give them")
    .option("--regions <a,b>", "regions that hold resources, or all (default: us-east-1,eu-west-1)", list)
    .option(
      "--never-tagged <share>",
      "share of resources, 0 to 1, that never had a tag; else as seeded teams have it",
      share,
    )
    .option("--unindexed <types>", "types that the tagging index does not hold (default: it holds all)", types)
    .option("--latency <ms>", "how long every answer takes longer", wholeNumber(0, 600_000), 0)
    .option("--lag <ms>", "how long after a change the tagging index shows it", wholeNumber(0, 86_400_000), 0)
    .option("--trail-lag <ms>", "how long after a call CloudTrail shows it", wholeNumber(0, 86_400_000), 0)
    .option(
      "--rate-limit <limits>",
      "calls at once and per second, by operation; others are not limited, but LookupEvents",
      limits,
    )
    .option("--state <file>", "journal of changes, replayed at the next start")
    .addHelpText("after", EXAMPLES)
    .action(async (options: Options) => {
      const sandbox = await startSandbox({
        port: options.port,
        host: options.host,
        seed: options.seed,
        resources: options.resources,
        accounts: options.accounts,
        suspended_accounts: options.suspended,
        latency_ms: options.latency,
        index_lag_ms: options.lag,
        trail_lag_ms: options.trailLag,
        ...(options.emptyPages === true ? { empty_pages: true } : {}),
        ...(options.regions === undefined ? {} : { regions: options.regions }),
        ...(options.unindexed === undefined ? {} : { unindexed_types: options.unindexed }),
        ...(options.neverTagged === undefined ? {} : { never_tagged_share: options.neverTagged }),
        ...(options.rateLimit === undefined ? {} : { rate_limits: options.rateLimit }),
        ...(options.state === undefined ? {} : { state_file: options.state }),
      }).catch(explainStart);
      process.stderr.write(greeting(sandbox, options));
      process.stdout.write(exportsOf(sandbox));
      await stopSignal();
      await sandbox.close();
    });
}

function greeting(sandbox: Sandbox, options: Options): string {
  const { accounts, regions } = sandbox.organization;
  return (
    `Sandbox on ${sandbox.url}: an emulated AWS, nothing of it is real. About ${options.resources} resources, ` +
    `${accounts.length} accounts, ${regions.join(" and ")}. Ctrl-C stops it. Paste into another terminal:\n\n`
  );
}

/** Lines for a shell: credentials of the management account, from which every role can be assumed. */
function exportsOf({ url, organization }: Sandbox): string {
  const { accessKeyId, secretAccessKey } = sandboxCredentials(organization.management_account_id);
  return [
    `export AWS_ENDPOINT_URL=${url}`,
    `export AWS_ACCESS_KEY_ID=${accessKeyId}`,
    `export AWS_SECRET_ACCESS_KEY=${secretAccessKey}`,
    `export AWS_REGION=${organization.regions[0] ?? "us-east-1"}`,
    "",
  ].join("\n");
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    process.once("SIGINT", resolve).once("SIGTERM", resolve);
  });
}

/** A taken port or an unwritable file is for the user to mend. */
function explainStart(error: NodeJS.ErrnoException): never {
  const taken = error.code === "EADDRINUSE" ? " Choose another one with --port, or 0 for any free one." : "";
  const failure = new Error(`The sandbox could not start: ${error.message}.${taken}`, { cause: error });
  failure.name = "CannotBeginError";
  throw failure;
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Give a whole number from ${min} to ${max}.`);
  };
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError("Give a number from 0 to 1.");
}

function list(text: string): string[] {
  if (text === "all") return [...offeredRegions("aws")];
  const items = text.split(",").map((item) => item.trim());
  if (items.every((item) => /^[a-z]{2}(-[a-z]+)+-\d+$/.test(item))) return items;
  throw new InvalidArgumentError("Give regions with commas between: us-east-1,eu-west-1.");
}

function limits(text: string): Record<string, RateLimit> {
  const rows = text.split(",").map((item) => /^\s*([A-Za-z*]+)=(\d+)\/(\d+(?:\.\d+)?)\s*$/.exec(item));
  if (rows.includes(null))
    throw new InvalidArgumentError("Give operation=burst/per_second: List*=50/10,GetResources=150/15.");
  return Object.fromEntries(
    rows.map((row) => [row?.[1] ?? "*", { burst: Number(row?.[2]), per_second: Number(row?.[3]) }]),
  );
}

function types(text: string): ResourceType[] {
  const items = text.split(",").map((item) => item.trim());
  const isType = (item: string): item is ResourceType => RESOURCE_TYPE_NAMES.some((type) => type === item);
  if (items.every(isType)) return items;
  throw new InvalidArgumentError(`Types are ${RESOURCE_TYPE_NAMES.join(", ")}.`);
}
