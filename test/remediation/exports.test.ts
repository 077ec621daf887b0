import { execFile, execFileSync } from "node:child_process";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import * as fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { setOption } from "../../src/cli/given-values.ts";
import { plan } from "../../src/cli/plan.ts";
import { approveOne, showOne } from "../../src/cli/plans.ts";
import { planScript, quoted } from "../../src/reports/plan-script.ts";
import { sandboxCredentials } from "../../src/sandbox/server.ts";
import { workFolder } from "../support/cli.ts";
import { ACTOR, ANYONE, POLICY, setOf, World } from "./world.ts";

const run = promisify(execFile);
const aws = ["/usr/bin/aws", "aws"].find((command) => {
  try {
    execFileSync(command, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
});
/** In CI the client is installed, so its absence is an error; elsewhere the test that needs it is skipped. */
const inCi = Boolean(process.env["CI"]);

const SET = setOf(
  POLICY,
  "version: 1\nid: who\nrules:\n  - {id: owner, key: Owner, required: true}\n  - {id: secret, key: Secret, required: true, sensitive: true}",
);
const ODD = "file:// Ünï=-a@b +x";

describe("a plan is exported", () => {
  let world: World;
  let printed = "";
  beforeAll(async () => {
    world = await World.open("pglite");
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    await world.reset(SET);
  });

  const deps = () => ({
    ...world.deps(),
    now: world.time,
    actor: ACTOR,
    approval: ANYONE,
    color: false,
    out: (text: string) => void (printed += text),
  });
  async function planned(options: Parameters<typeof plan>[1] = {}): Promise<string> {
    await world.scan();
    printed = "";
    await plan(deps(), options);
    return /tagwarden apply (\S+)/.exec(printed)?.[1] ?? "";
  }
  async function shown(id: string, format: "json" | "csv" | "aws-cli"): Promise<string> {
    printed = "";
    await showOne(deps(), id, { format });
    return printed;
  }

  test("as CSV, a line for each key, with rules, origin and state", async () => {
    const arn = world.create({ Environment: "Production", Owner: "", Secret: "s" });
    const id = await planned({ set: setOption("Owner=a") });
    const place = `"0","${world.account_id}","us-east-1","dataset-group","${arn}"`;
    expect(await shown(id, "csv")).toBe(
      [
        '"position","account_id","region","type","arn","key","before","after","origin","given","rules","protected","state","note"',
        `${place},"Owner","""""","a","given by ${ACTOR}","true","who/owner","false","planned",""`,
        "",
      ].join("\r\n"),
    );
  });

  test("as JSON, as --json has it, sensitive values masked", async () => {
    world.create({ Environment: "dev", Owner: "a" });
    const id = await planned({ set: setOption("Secret=hush") });
    const json = await shown(id, "json");
    printed = "";
    await showOne(deps(), id, { json: true });
    expect(printed).toBe(json);
    expect(JSON.parse(json)).toMatchObject({
      id,
      hash: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      actions: [{ changes: [{ key: "Secret", before: null, after: "***" }] }],
    });
  });

  test("as a script of the AWS CLI that says what it does not check, and holds no sensitive value", async () => {
    const arn = world.create({ Environment: "Production", "temp:x": "1", Owner: "a", Secret: "s" });
    const id = await planned();
    const script = await shown(id, "aws-cli");
    expect(script).toMatch(/^#!\/bin\/sh\n/);
    expect(script).toContain("set -eu\n");
    expect(script).toContain("does not read the tags before it writes");
    expect(script).toContain(`  # Environment: "Production" → "prod"\n  # temp:x: "1" → (absent)\n`);
    expect(script).toContain(
      `  aws personalize tag-resource --region 'us-east-1' --resource-arn '${arn}' --tags '[{"tagKey":"Environment","tagValue":"prod"}]'\n` +
        `  aws personalize untag-resource --region 'us-east-1' --resource-arn '${arn}' --tag-keys '["temp:x"]'\n`,
    );
    world.create({ Environment: "dev", Owner: "a" });
    const secret = await shown(await planned({ set: setOption("Secret=hush") }), "aws-cli");
    expect(secret).not.toContain("hush");
    expect(secret).not.toMatch(/^ *aws personalize/m);
    expect(secret).toContain("must not be shown: tagwarden apply writes it.");
  });

  test("what has ended is not in the script", async () => {
    world.create({ Environment: "dev", Owner: "a", Secret: "s", "temp:x": "1" });
    await world.scan();
    const id = await world.planned();
    await world.apply(id);
    const script = await shown(id, "aws-cli");
    expect(script).toContain("# 0 of 1 actions");
    expect(script).not.toMatch(/^ *aws personalize/m);
  });

  test.skipIf(!aws && !inCi)(
    "the script leaves the tags that applying leaves (needs `apt-get install awscli`)",
    async () => {
      const make = () => [
        world.create({ Environment: "Production", "cost-center": "CC-1234", Secret: "s" }),
        world.create({ "temp:x y": "1", Environment: "dev", Secret: "s" }, { region: "eu-west-1" }),
        world.create({ "temp:--x": "1", "temp:file:///etc/hostname": "1", Secret: "s" }),
      ];
      const [scripted, applied] = [make(), make()];
      const owner = { set: setOption(`Owner=${ODD}`) };
      for (const options of [{}, owner]) {
        const id = await planned({ ...options, arn: scripted });
        const folder = await workFolder({ "plan.sh": await shown(id, "aws-cli") });
        // The endpoint is the one thing that the script does not say.
        await writeFile(join(folder, "aws"), `#!/bin/sh\nexec ${aws} "$@" --endpoint-url ${world.sandbox.url}\n`);
        await chmod(join(folder, "aws"), 0o755);
        const { accessKeyId, secretAccessKey } = sandboxCredentials(world.account_id);
        const env = { ...ENVIRONMENT, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
        const path = `${folder}:${process.env["PATH"]}`;
        await run("/bin/sh", [join(folder, "plan.sh")], { env: { ...env, PATH: path } });

        await planned({ ...options, arn: applied });
        await world.apply(await approvedLast());
      }
      expect(scripted.map((arn) => world.tags(arn))).toEqual(applied.map((arn) => world.tags(arn)));
      expect(world.tags(scripted[0]!)).toEqual({ Environment: "prod", CostCenter: "CC-1234", Secret: "s", Owner: ODD });
    },
    300_000,
  );

  async function approvedLast(): Promise<string> {
    const id = /tagwarden apply (\S+)/.exec(printed)?.[1] ?? "";
    await approveOne(deps(), id, {});
    return id;
  }
});

/** Without anyone's own settings. */
const ENVIRONMENT = {
  HOME: "/nonexistent",
  AWS_CONFIG_FILE: "/dev/null",
  AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_DEFAULT_REGION: "us-east-1",
  AWS_PAGER: "",
};

describe("in the script", () => {
  test("the shell takes every word as it is", () => {
    const words = fc.sample(
      fc.string({
        unit: fc.constantFrom("'", '"', "$", "`", "\\", "\n", " ", "!", "a", "ü", "*", "~", "-", ";"),
        minLength: 1,
      }),
      500,
    );
    const printed = execFileSync("/bin/sh", ["-c", `printf '%s\\0' ${words.map(quoted).join(" ")}`]).toString();
    expect(printed.split("\0").slice(0, -1)).toEqual(words);
  });

  test("nothing in a comment begins a line of its own, and each account has its part", () => {
    const action = (account_id: string) => ({
      account_id,
      region: "us-east-1",
      arn: `arn:aws:personalize:us-east-1:${account_id}:filter/x`,
      changes: [{ key: "A\nrm -rf /\u2028", before: "b\nc", after: null }],
      state: "planned" as const,
    });
    const about = { id: "p", hash: "h", created_by: "a\nb", created_at: new Date(0) };
    const script = planScript(about, "approved", [action("111122223333"), action("444455556666")], () => false);
    expect(script).not.toMatch(/^(rm|b$|c)/m);
    expect(script.match(/^if \[ "\$account" = '\d+' \]; then$/gm)).toHaveLength(2);
    expect(script).toContain("Left out: 1 resource of account 444455556666.");
    expect(() => execFileSync("/bin/sh", ["-n", "-c", script])).not.toThrow();
    const sensitive = { ...action("111122223333"), changes: [{ key: "A", before: null, after: "b" }] };
    const hidden = planScript(about, "approved", [sensitive], () => true);
    expect(hidden).not.toContain("aws personalize");
    expect(() => execFileSync("/bin/sh", ["-n", "-c", hidden])).not.toThrow();
    for (const state of ["rejected", "expired"] as const) {
      const nothing = planScript(about, state, [action("111122223333")], () => false);
      expect(nothing).toContain(`# Plan p: ${state}`);
      expect(nothing).not.toContain("aws personalize");
    }
  });
});
