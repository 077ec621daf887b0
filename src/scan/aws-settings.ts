import type { Config } from "../config.ts";
import type { Aws, AwsSettings } from "../inventory/aws/session.ts";
import type { TargetSource } from "./targets.ts";

/** The configuration in the form that the AWS side takes. Static credentials and an endpoint are given only for a sandbox in this process. */
export function awsSettings(config: Config, sandbox?: Pick<AwsSettings, "endpoint" | "credentials">): AwsSettings {
  const { role, repair_role, external_id, session_name, session_policy } = config.targets;
  const { index, list, read, write, patience_seconds, sample_share } = config.limits;
  return {
    ...sandbox,
    ...((role ?? repair_role) !== undefined && {
      role: {
        session_name,
        session_policy,
        cloudtrail: config.remediation.cloudtrail,
        ...(role !== undefined && { name: role }),
        ...(repair_role !== undefined && { repair_name: repair_role }),
        ...(external_id !== undefined && { external_id }),
      },
    }),
    limits: { index, list, read, write },
    sample_share,
    patience_ms: patience_seconds * 1000,
  };
}

/** Where the targets of a scan come from: the configuration, the caller, and who can be asked for accounts. */
export async function targetSource(config: Config, aws: Aws): Promise<TargetSource> {
  return {
    configured: config.targets,
    caller: await aws.caller(),
    organizations: aws.organizations,
    default_region: await aws.region(),
    any_region: config.endpoint !== null,
  };
}
