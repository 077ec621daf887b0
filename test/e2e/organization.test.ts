import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cli, sandboxEnvironment, startCli, workFolder } from "../support/cli.ts";

const POLICY = "version: 1\nid: p\ntitle: P\nrules:\n  - {id: owner, key: Owner, required: true}\n";
const CONFIG = `
targets:
  organization: {}
  regions: all
  role: TagwardenAudit
limits:
  targets_at_once: 16
`;
const BROKEN = [
  { account_id: "222233334444", missing: true },
  { account_id: "012345678901", external_id: "of-someone-else" },
  { account_id: "333344445555", lacks: ["personalize:ListCampaigns"] },
];

type Resource = { readonly account_id: string; readonly region: string; readonly type: string };
type Report = {
  readonly state: string;
  readonly warnings: readonly string[];
  readonly api_calls: Record<string, number>;
  readonly units: readonly (Resource & { readonly state: string; readonly resources: number })[];
};

let cwd: string;
let url: string;
let sandbox: ReturnType<typeof startCli>;
beforeAll(async () => {
  cwd = await workFolder({ "tagwarden.yaml": CONFIG });
  await mkdir(join(cwd, "policies"));
  await writeFile(join(cwd, "policies", "p.yaml"), POLICY);
  const words = "sandbox --port 0 --accounts 99 --suspended 2 --regions all --empty-pages --resources 6000";
  sandbox = startCli(words.split(" "), { cwd });
  url = await new Promise((found) => {
    sandbox.process.stdout?.on("data", (chunk: Buffer) => {
      const address = /AWS_ENDPOINT_URL=(\S+)/.exec(chunk.toString())?.[1];
      if (address !== undefined) found(address);
    });
  });
  await fetch(`${url}/_sandbox/roles`, { method: "POST", body: JSON.stringify(BROKEN) });
}, 60_000);
afterAll(async () => {
  sandbox.process.kill("SIGTERM");
  await sandbox.ended;
});

/** All resources of the sandbox, counted past every API. */
async function everything(): Promise<Resource[]> {
  const text = await (await fetch(`${url}/_sandbox/resources`)).text();
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Resource);
}

test(
  "100 accounts in 11 regions are scanned; three roles that are broken in different ways are named",
  { timeout: 600_000 },
  async () => {
    const env = sandboxEnvironment(url);
    const ended = await cli(["scan", "--types", "campaign", "--json"], { cwd, env });
    expect(ended.code).toBe(3);
    const { state, units, warnings, api_calls } = JSON.parse(ended.stdout) as Report;
    expect(state).toBe("partial");
    expect(units).toHaveLength(100 * 11);
    const broken = units.filter(({ account_id }) => BROKEN.some((role) => role.account_id === account_id));
    expect(broken.map((unit) => unit.state)).toEqual(Array(33).fill("denied"));
    const whole = units.filter((unit) => !broken.includes(unit));
    expect(whole.map((unit) => unit.state)).toEqual(whole.map(() => "complete"));

    const place = ({ account_id, region }: Resource) => `${account_id}/${region}`;
    const counted = Map.groupBy(
      (await everything()).filter(({ type }) => type === "campaign"),
      place,
    );
    expect(new Map(whole.map((unit) => [place(unit), unit.resources]))).toEqual(
      new Map(whole.map((unit) => [place(unit), counted.get(place(unit))?.length ?? 0])),
    );
    expect(whole.filter(({ resources }) => resources > 0).length).toBeGreaterThan(100);
    for (const { account_id } of BROKEN)
      expect(warnings.filter((text) => text.includes(account_id)).length).toBeGreaterThan(0);
    // 102 accounts in six pages, with an empty one between any two.
    expect(api_calls["ListAccounts"]).toBe(11);

    const words = ["targets", "--check", "--json", "--regions", "us-east-1"];
    const checked = await cli(words, { cwd, env });
    expect(checked.code).toBe(1);
    const { checks } = JSON.parse(checked.stdout) as {
      checks: { account_id: string; action: string; state: string }[];
    };
    const failed = checks.filter((check) => check.state === "failed");
    expect(failed.map(({ account_id, action }) => `${account_id} ${action}`)).toEqual([
      "222233334444 sts:AssumeRole",
      "012345678901 sts:AssumeRole",
      "333344445555 personalize:ListCampaigns",
    ]);
  },
);
