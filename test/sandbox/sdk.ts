import { CloudTrailClient } from "@aws-sdk/client-cloudtrail";
import { OrganizationsClient } from "@aws-sdk/client-organizations";
import { PersonalizeClient } from "@aws-sdk/client-personalize";
import { ResourceGroupsTaggingAPIClient } from "@aws-sdk/client-resource-groups-tagging-api";
import { STSClient } from "@aws-sdk/client-sts";
import { afterEach } from "vitest";
import type { Sandbox, SandboxOptions } from "../../src/sandbox/server.ts";
import { sandboxCredentials, startSandbox } from "../../src/sandbox/server.ts";

/** Real clients of one account and region, without retries, so that a test sees each answer. */
export function clientsOf(
  sandbox: Sandbox,
  target: {
    account_id?: string;
    region?: string;
    maxAttempts?: number;
    credentials?: ReturnType<typeof sandboxCredentials>;
  } = {},
) {
  const settings = {
    endpoint: sandbox.url,
    region: target.region ?? "us-east-1",
    credentials:
      target.credentials ?? sandboxCredentials(target.account_id ?? sandbox.organization.management_account_id),
    maxAttempts: target.maxAttempts ?? 1,
  };
  return {
    personalize: new PersonalizeClient(settings),
    tagging: new ResourceGroupsTaggingAPIClient(settings),
    sts: new STSClient(settings),
    organizations: new OrganizationsClient(settings),
    cloudtrail: new CloudTrailClient(settings),
  };
}

/** Starts sandboxes that end with their test. */
export function sandboxes(): (options?: SandboxOptions) => Promise<Sandbox> {
  const running: Sandbox[] = [];
  afterEach(async () => {
    await Promise.all(running.splice(0).map((sandbox) => sandbox.close()));
  });
  return async (options) => {
    const sandbox = await startSandbox(options);
    running.push(sandbox);
    return sandbox;
  };
}

/** One account, one region, as most tests want it. */
export const ONE_TARGET = { accounts: 0, regions: ["us-east-1"] } as const satisfies SandboxOptions;

/** The name of the error of a call; fails when the call succeeds. */
export async function errorOf(
  call: Promise<unknown>,
): Promise<{ name: string; message: string; status: number | undefined }> {
  try {
    await call;
  } catch (error) {
    const { name, message, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
    return { name, message, status: $metadata?.httpStatusCode };
  }
  throw new Error("The call succeeded");
}
