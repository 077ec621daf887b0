/**
 * Regions where Personalize has an endpoint, by partition. Source: the AWS General Reference, page "Amazon Personalize
 * endpoints and quotas", and botocore's endpoints.json. A region outside this list resolves to a host name that does not
 * exist, which looks like a broken network.
 */
const REGIONS: Readonly<Record<string, readonly string[]>> = {
  aws: [
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
  ],
};

/** The sources above have it, AWS's public list of services by region has not: it may be named, and is not part of `all`. */
const UNCERTAIN: Readonly<Record<string, readonly string[]>> = { "aws-cn": ["cn-north-1"] };

/** What `all` stands for in a partition. */
export function offeredRegions(partition: string): readonly string[] {
  return REGIONS[partition] ?? [];
}

/** Every region of a partition that may be named. */
export function knownRegions(partition: string): readonly string[] {
  return [...offeredRegions(partition), ...(UNCERTAIN[partition] ?? [])];
}

/** The partition that a region belongs to; null when Personalize is in no such region. */
export function partitionOfRegion(region: string): string | null {
  const partitions = [...Object.keys(REGIONS), ...Object.keys(UNCERTAIN)];
  return partitions.find((partition) => knownRegions(partition).includes(region)) ?? null;
}
