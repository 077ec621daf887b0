import type { Database } from "../../src/db/client.ts";
import type { MassCloseLimits } from "../../src/findings/mass-close.ts";
import { openAws, type Aws, type AwsSettings } from "../../src/inventory/aws/session.ts";
import type { Target } from "../../src/inventory/resource.ts";
import { RESOURCE_TYPE_NAMES, type ResourceType } from "../../src/inventory/resource-types.ts";
import { compilePolicies } from "../../src/policy/load.ts";
import type { PolicySet } from "../../src/policy/load.ts";
import { sandboxCredentials, type Sandbox } from "../../src/sandbox/server.ts";
import type { ConfiguredAccounts } from "../../src/scan/accounts.ts";
import { useSet } from "../../src/scan/policies.ts";
import { runScan } from "../../src/scan/run.ts";
import { createScan, type Scan } from "../../src/scan/store.ts";
import type { OrganizationMember } from "../../src/scan/targets.ts";

/** Limits that never make a test wait. */
const QUICK: AwsSettings["limits"] = {
  index: { burst: 10_000, per_second: 10_000 },
  list: { burst: 10_000, per_second: 10_000 },
  read: { start: 10_000, most: 10_000 },
  write: { start: 10_000, most: 10_000 },
};

/** AWS as the sandbox shows it, with every account's role. */
export function awsOf(sandbox: Sandbox, settings: Partial<AwsSettings> = {}): Aws {
  return openAws({
    endpoint: sandbox.url,
    region: "us-east-1",
    credentials: sandboxCredentials(sandbox.organization.management_account_id),
    role: { name: sandbox.organization.role_name, session_name: "tagwarden" },
    limits: QUICK,
    patience_ms: 30_000,
    ...settings,
  });
}

/** Every account and region of the sandbox's organization. */
function targetsOf(sandbox: Sandbox): Target[] {
  const { accounts, regions } = sandbox.organization;
  return accounts.flatMap(({ id }) => regions.map((region) => ({ partition: "aws", account_id: id, region })));
}

/** The policies of these tests: one rule of every kind, without fixes that act by themselves. */
export const POLICIES = compilePolicies([
  {
    path: "test.yaml",
    text: `
version: 1
id: test
title: What the tests ask for
rules:
  - id: cost-center
    key: CostCenter
    aliases: [cost-center, costcenter]
    required: true
    pattern: 'CC-\\d{4}'
    severity: high
    fix: {variant: rename}
  - id: environment
    key: Environment
    required: true
    values: [dev, staging, prod]
    fix:
      missing: {value: dev}
      invalid: {map: {Production: prod, production: prod, stage: staging}}
  - id: leftovers
    forbidden: ['temp:*', 'tmp-*']
    severity: low
    fix: {forbidden: remove}
  - id: headroom
    max_tags: 45
    severity: low
`,
  },
]);

/** One scan of the whole sandbox, or of what is asked, as the command line does it. */
export async function scanAll(
  database: Database,
  sandbox: Sandbox,
  options: {
    aws?: Aws;
    set?: PolicySet;
    targets?: Target[];
    types?: ResourceType[];
    now?: () => Date;
    confirm_all?: boolean;
    accounts?: ConfiguredAccounts;
    members?: readonly OrganizationMember[];
    mass_close?: MassCloseLimits;
    signal?: AbortSignal;
  } = {},
): Promise<{ scan: Scan; state: string }> {
  const { set = POLICIES, targets = targetsOf(sandbox), types = RESOURCE_TYPE_NAMES, confirm_all = false } = options;
  const now = options.now ?? (() => new Date());
  const aws = options.aws ?? awsOf(sandbox);
  const { members = null, mass_close = { share: 0.3, count: 50 }, accounts = {} } = options;
  const settings = { mass_close, targets_at_once: 4, accounts };
  try {
    await useSet(database, set, {
      activate: true,
      confirm: true,
      guard: settings.mass_close,
      actor: "test",
      now: now(),
    });
    const created = await createScan(
      database,
      { targets, members, types, confirm_all, trigger: "cli", requested_by: "test" },
      now(),
    );
    if (!created) throw new Error("no scan was created");
    const { signal } = options;
    const state = await runScan({ database, aws, set, settings, now, ...(signal && { signal }) }, created.scan);
    return { scan: created.scan, state };
  } finally {
    if (!options.aws) aws.close();
  }
}
