import type { Config } from "../config.ts";
import type { AwsSettings } from "../inventory/aws/session.ts";

/** The configuration in the form that the AWS side takes. Static credentials and an endpoint are given only for a sandbox in this process. */
export function awsSettings(config: Config, sandbox?: Pick<AwsSettings, "endpoint" | "credentials">): AwsSettings {
  const { role, external_id, session_name } = config.targets;
  const { index, list, read, write, patience_seconds, sample_share } = config.limits;
  return {
    ...sandbox,
    ...(role !== undefined && {
      role: { name: role, session_name, ...(external_id !== undefined && { external_id }) },
    }),
    limits: { index, list, read, write },
    sample_share,
    patience_ms: patience_seconds * 1000,
  };
}
