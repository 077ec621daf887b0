import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/server.ts";
import { cli, type Ended, sandboxEnvironment, workFolder } from "../support/cli.ts";

const REGIONS = ["us-east-1", "eu-west-1"];
const POLICY = `
version: 1
id: test
title: What the tests ask for
rules:
  - id: owner
    key: Owner
    required: true
`;
const CONFIG = `
targets:
  organization:
    units: all
    exclude: ["333344445555"]
  regions: [us-east-1, eu-west-1]
  role: TagwardenAudit
  external_id: the-right-one
limits:
  patience_seconds: 2
`;

/** Whose role is broken, and how. */
const BROKEN = [
  { account_id: "222233334444", missing: true },
  { account_id: "012345678901", external_id: "another-one" },
  { account_id: "444455556666", lacks: ["personalize:ListFilters"] },
  { account_id: "555566667777", leads_to: "666677778888" },
  { account_id: "666677778888", trusts: ["222233334444"] },
];
const CLOSED = ["222233334444", "012345678901", "555566667777", "666677778888"];

type Json = Record<string, unknown>;
type Output = {
  readonly targets: number;
  readonly accounts: readonly { readonly account_id: string; readonly left_out: string | null; readonly at: string }[];
  readonly checks: readonly {
    readonly account_id: string;
    readonly region: string | null;
    readonly action: string;
    readonly state: string;
    readonly error: { readonly name: string } | null;
    readonly advice: string | null;
  }[];
};

let sandbox: Sandbox;
let cwd: string;
beforeEach(async () => {
  sandbox = await startSandbox({
    resources: 400,
    accounts: 24,
    suspended_accounts: 1,
    regions: REGIONS,
    empty_pages: true,
  });
  cwd = await workFolder({ "tagwarden.yaml": CONFIG });
  await mkdir(join(cwd, "policies"));
  await writeFile(join(cwd, "policies", "rules.yaml"), POLICY);
});
afterEach(() => sandbox.close());

const run = (words: string[], env: Record<string, string> = {}): Promise<Ended> =>
  cli(words, { cwd, env: { ...sandboxEnvironment(sandbox.url), ...env } });
const outputOf = ({ stdout }: Ended): Output => JSON.parse(stdout) as Output;

describe("tagwarden targets", () => {
  test("shows what would be scanned, from which line, and what is left out and why", async () => {
    const ended = await run(["targets", "--json"]);
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    const { accounts, targets } = outputOf(ended);
    expect(targets).toBe(24 * 2);
    expect(accounts).toHaveLength(26);
    expect(accounts.filter(({ left_out }) => left_out !== null)).toMatchObject([
      { account_id: "333344445555", left_out: "excluded by targets.organization.exclude.0" },
      { name: "retired-lab-1", path: "Suspended", state: "SUSPENDED" },
    ]);
    expect(accounts[1]).toEqual({
      account_id: "222233334444",
      name: "storefront-prod",
      path: "Workloads/Production",
      state: "ACTIVE",
      from: "targets.organization",
      left_out: null,
      at: "tagwarden.yaml:3",
    });
    expect(sandbox.calls.by_operation["AssumeRole"]).toBeUndefined();

    const { stdout } = await run(["targets"]);
    expect(stdout).toContain("48 targets: 24 accounts × 2 regions");
    expect(stdout).toMatch(
      /222233334444 +storefront-prod +Workloads\/Production +targets\.organization \(tagwarden\.yaml:3\)/,
    );
    expect(stdout).toMatch(/eu-west-1 +targets\.regions\.1 \(tagwarden\.yaml:6\)/);
    expect(stdout).toMatch(/333344445555 +storefront-dev +Workloads\/Development +excluded/);
  });

  test("a narrower question is answered for itself, and without the permission to ask the organization", async () => {
    sandbox.setFaults([{ kind: "access_denied", operation: "ListAccounts" }]);
    const ended = await run(["targets", "--accounts", "222233334444", "--regions", "us-east-1", "--json", "--check"]);
    expect(ended.code).toBe(0);
    expect(outputOf(ended)).toMatchObject({ targets: 1, accounts: [{ from: "--accounts", at: null }] });
    const refused = await run(["targets"]);
    expect(refused).toMatchObject({ code: 4, stdout: "" });
    expect(refused.stderr).toContain("organizations:ListAccounts");
    sandbox.setFaults([{ kind: "access_denied", operation: "ListRoots" }]);
    const shown = await run(["targets"]);
    expect(shown.code).toBe(0);
    expect(shown.stdout).toMatch(/222233334444 +storefront-prod +r-sb01\/ou-/);
    expect(shown.stdout).toContain("organizations:ListRoots");
  });

  test("--check passes where everything can be read", async () => {
    const ended = await run(["targets", "--check"]);
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(ended.stdout).toContain("Every check passed.");
    const lists = Object.keys(sandbox.calls.by_operation).filter((name) =>
      /^List(?!Roots|Accounts|Organ|Tags)/.test(name),
    );
    expect(lists).toHaveLength(13);
    expect(lists.map((name) => sandbox.calls.by_operation[name])).toEqual(lists.map(() => 24 * 2));
    expect(sandbox.calls.by_operation).toMatchObject({ AssumeRole: 23, GetResources: 48 });
  });

  test("--check names each broken role with what is wrong and what to do, and tries all the others", async () => {
    sandbox.setRoles(BROKEN);
    const ended = await run(["targets", "--check", "--json"]);
    expect(ended.code).toBe(1);
    const { checks } = outputOf(ended);
    const failed = checks.filter(({ state }) => state === "failed");
    const brief = failed.map(
      ({ account_id, region, action, error }) => `${account_id} ${region} ${action} ${error?.name}`,
    );
    expect(brief.toSorted()).toEqual(
      [
        "222233334444 null sts:AssumeRole AccessDenied",
        "012345678901 null sts:AssumeRole AccessDenied",
        "666677778888 null sts:AssumeRole AccessDenied",
        "555566667777 null sts:GetCallerIdentity WrongAccountError",
        "444455556666 us-east-1 personalize:ListFilters AccessDeniedException",
        "444455556666 eu-west-1 personalize:ListFilters AccessDeniedException",
      ].toSorted(),
    );
    expect(failed.every(({ advice }) => advice !== null)).toBe(true);
    const others = checks.filter(({ account_id }) => !BROKEN.some((role) => role.account_id === account_id));
    expect(others.every(({ state }) => state !== "failed")).toBe(true);
    expect(new Set(others.map(({ account_id }) => account_id)).size).toBe(24 - BROKEN.length);

    const { stdout } = await run(["targets", "--check"]);
    expect(stdout).toMatch(/222233334444 +storefront-prod +all +sts:AssumeRole \(AccessDenied\)/);
    expect(stdout).toMatch(/444455556666 +storefront-shared +all 2 +personalize:ListFilters \(AccessDeniedException\)/);
    expect(stdout).toContain("there is no role arn:aws:iam::222233334444:role/TagwardenAudit, or its trust policy");
    expect(stdout).toContain("Allow personalize:ListFilters to the role arn:aws:iam::444455556666:role/TagwardenAudit");
    expect(stdout).toContain("6 checks failed.");
  });
});

describe("tagwarden targets --check, for the lookup of who reverts repairs,", () => {
  const checked = async () =>
    outputOf(await run(["targets", "--check", "--json", "--accounts", "444455556666"])).checks;

  test("asks nothing where remediation.cloudtrail is off", async () => {
    const actions = (await checked()).map(({ action }) => action);
    expect(actions).not.toContain("cloudtrail:LookupEvents");
    expect(sandbox.calls.by_operation["LookupEvents"]).toBeUndefined();
  });

  test("tries it in a narrowed session where it is on, and names the permission that is missing", async () => {
    await writeFile(join(cwd, "tagwarden.yaml"), `${CONFIG}remediation: { cloudtrail: true }\n`);
    const lookups = async () => (await checked()).filter(({ action }) => action === "cloudtrail:LookupEvents");
    expect((await lookups()).map(({ state }) => state)).toEqual(["ok", "ok"]);
    sandbox.setRoles([{ account_id: "444455556666", lacks: ["cloudtrail:LookupEvents"] }]);
    const [first, second] = await lookups();
    expect(new Set([first?.region, second?.region])).toEqual(new Set(REGIONS));
    expect(first).toMatchObject({
      state: "failed",
      error: { name: "AccessDeniedException" },
      advice: expect.stringContaining("docs/iam/lookup.json") as string,
    });
  });
});

describe("a scan of an organization", () => {
  test("with broken roles names each, and everything else is complete", async () => {
    sandbox.setRoles(BROKEN);
    const ended = await run(["scan", "--json", "--types", "filter,campaign"]);
    expect(ended.code).toBe(3);
    const report = JSON.parse(ended.stdout) as {
      state: string;
      warnings: string[];
      api_calls: Json;
      units: { account_id: string; type: string; state: string; resources: number; error: Json | null }[];
    };
    expect(report.state).toBe("partial");
    expect(report.units).toHaveLength(24 * 2 * 2);
    const isBroken = (unit: { account_id: string; type: string }) =>
      CLOSED.includes(unit.account_id) || (unit.account_id === "444455556666" && unit.type === "filter");
    expect(report.units.filter(isBroken).map(({ state }) => state)).toEqual(Array(4 * 4 + 2).fill("denied"));
    const whole = report.units.filter((unit) => !isBroken(unit));
    expect(whole.map(({ state }) => state)).toEqual(whole.map(() => "complete"));
    const there = [...sandbox.resources()].filter(
      (one) =>
        (one.type === "filter" || one.type === "campaign") && one.account_id !== "333344445555" && !isBroken(one),
    );
    expect(there.length).toBeGreaterThan(10);
    expect(whole.reduce((sum, { resources }) => sum + resources, 0)).toBe(there.length);
    for (const account_id of CLOSED)
      expect(
        report.warnings.filter((warning) => warning.startsWith(`Account ${account_id} could not be`)),
      ).toHaveLength(1);
    expect(report.units.some(({ account_id }) => account_id === "333344445555")).toBe(false);
  });

  test("assumes each role once, for both regions and every client", async () => {
    const ended = await run(["scan", "--json", "--types", "filter"]);
    expect(ended.code).toBe(0);
    expect((JSON.parse(ended.stdout) as { api_calls: Json }).api_calls).toMatchObject({
      AssumeRole: 23,
      ListAccounts: 3,
    });
  });

  test("begins nothing when the organization cannot be asked", async () => {
    sandbox.setFaults([{ kind: "access_denied", operation: "ListAccounts" }]);
    const ended = await run(["scan"]);
    expect(ended).toMatchObject({ code: 4, stdout: "" });
    expect(ended.stderr).toContain("organizations:ListAccounts");
    const lists = Object.keys(sandbox.calls.by_operation).filter((name) => name.startsWith("List"));
    expect(lists).toEqual(["ListAccounts"]);
  });
});
