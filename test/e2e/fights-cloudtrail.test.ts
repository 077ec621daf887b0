import { UntagResourceCommand } from "@aws-sdk/client-personalize";
import { AssumeRoleCommand } from "@aws-sdk/client-sts";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { expect, test } from "vitest";
import type { OpenFight } from "../../src/findings/db/fights.ts";
import { clientsOf, sandboxes } from "../sandbox/sdk.ts";
import { cli, sandboxEnvironment, workFolder } from "../support/cli.ts";

const start = sandboxes();

const POLICY = `
version: 1
id: p
title: Environments
remediation: auto
rules:
  - id: environment
    key: Environment
    required: true
    fix: {missing: {value: dev}}
`;

test.each([
  ["is named at the end of a scan where CloudTrail may be asked", "remediation: {cloudtrail: true}\n", /\/pipeline$/],
  ["is not looked for where it may not", "", null],
])(
  "who reverts repairs %s",
  async (_title, config, named) => {
    const sandbox = await start({ accounts: 0, resources: 0, regions: ["us-east-1"] });
    const account_id = sandbox.organization.management_account_id;
    const arn = sandbox.createResource({ account_id, region: "us-east-1" }, "dataset-group", "shop", { Team: "a" });
    const cwd = await workFolder({ "tagwarden.yaml": config });
    await mkdir(join(cwd, "policies"));
    await writeFile(join(cwd, "policies", "p.yaml"), POLICY);
    const run = (...words: string[]) => cli(words, { cwd, env: sandboxEnvironment(sandbox.url) });

    const { Credentials } = await clientsOf(sandbox).sts.send(
      new AssumeRoleCommand({
        RoleArn: `arn:aws:iam::${account_id}:role/TagwardenRepair`,
        RoleSessionName: "pipeline",
      }),
    );
    const { AccessKeyId = "", SecretAccessKey = "", SessionToken = "" } = Credentials ?? {};
    const { personalize } = clientsOf(sandbox, {
      credentials: { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken },
    });
    await run("scan");
    for (let i = 0; i < 2; i++) {
      // CloudTrail dates by the second, and in the second of a repair nobody is named.
      await wait(1100);
      await personalize.send(new UntagResourceCommand({ resourceArn: arn, tagKeys: ["Environment"] }));
      await run("scan");
    }
    const [fight] = JSON.parse((await run("fights", "list", "--json")).stdout) as OpenFight[];
    expect(fight).toMatchObject({ arn, key: "Environment" });
    if (named === null) {
      expect(fight?.fight.by).toBeUndefined();
      expect(sandbox.calls.by_operation["LookupEvents"]).toBeUndefined();
    } else expect(fight?.fight.by?.principal).toMatch(named);
  },
  60_000,
);
