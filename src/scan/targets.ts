import { UsageError } from "../config.ts";
import type { Target } from "../inventory/resource.ts";
import { RESOURCE_TYPE_NAMES, type ResourceType } from "../inventory/resource-types.ts";
import { nearestWord } from "../tags/spelling.ts";

/**
 * Regions where Personalize has an endpoint, by partition. Source: the AWS General Reference, page "Amazon Personalize
 * endpoints and quotas", and botocore's endpoints.json. A region outside this list resolves to a host name that does not
 * exist, which looks like a broken network.
 */
const PERSONALIZE_REGIONS = [
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
  "ap-southeast-2",
  "cn-north-1",
];

/** What a person may narrow a scan to; what is absent comes from the configuration, then from the caller. */
export type Narrowing = {
  readonly accounts?: readonly string[] | undefined;
  readonly regions?: readonly string[] | undefined;
  readonly types?: readonly string[] | undefined;
};

/** The configured targets and who calls. */
export type TargetSource = {
  readonly configured: {
    readonly accounts?: readonly string[] | undefined;
    readonly regions?: readonly string[] | undefined;
    readonly role?: string | undefined;
  };
  readonly caller: { readonly account_id: string; readonly partition: string };
  /** The region that the AWS SDK would use; null when none is set. */
  readonly default_region: string | null;
  /** An endpoint is given, so any region may exist there. */
  readonly any_region: boolean;
};

/** The targets of a scan: accounts × regions. Throws UsageError for what cannot be scanned. */
export function chooseTargets(narrowing: Narrowing, source: TargetSource): Target[] {
  const { configured, caller, default_region } = source;
  const accounts = unique(narrowing.accounts ?? configured.accounts ?? [caller.account_id]);
  const regions = unique(narrowing.regions ?? configured.regions ?? (default_region ? [default_region] : []));
  if (regions.length === 0) {
    throw new UsageError(
      "No region is known. Give --regions us-east-1, or targets.regions in tagwarden.yaml, or AWS_REGION.",
    );
  }
  for (const account of accounts) {
    if (!/^\d{12}$/.test(account))
      throw new UsageError(`${JSON.stringify(account)} is not an account id: it has twelve digits.`);
    if (account !== caller.account_id && configured.role === undefined) {
      throw new UsageError(
        `Account ${account} is not the caller's own (${caller.account_id}): set targets.role in tagwarden.yaml to the role to assume there.`,
      );
    }
  }
  if (!source.any_region) {
    for (const region of regions) {
      if (!PERSONALIZE_REGIONS.includes(region)) {
        const hint = nearestWord(region, PERSONALIZE_REGIONS);
        throw new UsageError(
          `Amazon Personalize is not offered in region ${JSON.stringify(region)}.${hint ? ` Did you mean ${hint}?` : ` It is in ${PERSONALIZE_REGIONS.join(", ")}.`}`,
        );
      }
    }
  }
  return accounts.flatMap((account_id) =>
    regions.map((region) => ({ partition: caller.partition, account_id, region })),
  );
}

/** The types of a scan, in the order of the table. Throws UsageError for a name that is none. */
export function chooseTypes(names: readonly string[] | undefined): ResourceType[] {
  if (names === undefined) return RESOURCE_TYPE_NAMES;
  for (const name of names) {
    if (!(RESOURCE_TYPE_NAMES as string[]).includes(name)) {
      const hint = nearestWord(name, RESOURCE_TYPE_NAMES);
      throw new UsageError(
        `${JSON.stringify(name)} is not a resource type.${hint ? ` Did you mean ${hint}?` : ""} The types are ${RESOURCE_TYPE_NAMES.join(", ")}.`,
      );
    }
  }
  return RESOURCE_TYPE_NAMES.filter((type) => names.includes(type));
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
